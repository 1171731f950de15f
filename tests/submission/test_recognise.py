"""Telling models by their content."""

from __future__ import annotations

import gzip
import pickle
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Framework
from lockgate.submission.recognise import Kind, Recognised, recognise

KNOWN: dict[str, tuple[bytes, Recognised]] = {
    "protocol 5": (pickle.dumps(1, 5), Recognised(Kind.PICKLE)),
    "protocol 2": (pickle.dumps({"a": 1}, 2), Recognised(Kind.PICKLE)),
    "gzip": (gzip.compress(pickle.dumps(1)), Recognised(Kind.PICKLE)),
    "lightgbm": (b"tree\nversion=v4\n", Recognised(Kind.BOOSTER, Framework.LIGHTGBM, ".txt")),
    "xgboost": (b'{"learner":{"a":1}}', Recognised(Kind.BOOSTER, Framework.XGBOOST, ".json")),
    "ubj": (b"{L\0\0\0\0\0\0\0\x07learner", Recognised(Kind.BOOSTER, Framework.XGBOOST, ".ubj")),
    "onnx": (b"\x08\x0a\x12\x08skl2onnx", Recognised(Kind.ONNX, Framework.ONNX, ".onnx")),
}


@pytest.mark.parametrize("kind", KNOWN)
def test_models_are_told_whatever_they_are_called(tmp_path: Path, kind: str) -> None:
    """The ending of the name decides nothing."""
    body, expected = KNOWN[kind]
    for ending in (".pkl", ".onnx", ".txt", ""):
        path = tmp_path / f"model{ending}"
        path.write_bytes(body)
        assert recognise(path) == expected


def test_old_pickles_are_told_with_their_ending(tmp_path: Path) -> None:
    """Protocol 0 has no mark of its own: its first letter and its ending tell it."""
    path = tmp_path / "model.pkl"
    path.write_bytes(pickle.dumps({"a": 1}, 0))
    assert recognise(path) == Recognised(Kind.PICKLE)


@pytest.mark.parametrize(
    ("name", "body", "words"),
    [
        ("m.pkl", b"", "empty"),
        ("m.pkl", b"hello world", "text file"),
        ("m.py", b"def predict(x): return x", "--entry m:predict --code m.py"),
        ("m.onnx", b"version https://git-lfs.github.com/spec/v1", "git lfs pull"),
        ("m.h5", b"\x89HDF\r\n\x1a\n", "ONNX"),
        ("m.csv", b"PAR1", "--train"),
        ("m.bin", b"\x00\x01\x02\xff", "00 01 02 ff"),
        ("m.zip", b"PK\x03\x04", "cut off"),
    ],
)
def test_other_files_are_named(tmp_path: Path, name: str, body: bytes, words: str) -> None:
    """Each says what it is and what helps."""
    path = tmp_path / name
    path.write_bytes(body)
    with pytest.raises(InvalidInput) as raised:
        recognise(path)
    assert words in str(raised.value)


def test_zips(tmp_path: Path) -> None:
    """A PyTorch file and any other zip are told apart from skops."""
    for member in ("archive/data.pkl", "readme.txt"):
        with zipfile.ZipFile(tmp_path / member.replace("/", "-"), "w") as archive:
            archive.writestr(member, b"")
    found = recognise(tmp_path / "archive-data.pkl")
    assert (found.kind, found.framework, found.ending) == (Kind.TORCH, Framework.TORCH, ".pt")
    with pytest.raises(InvalidInput, match="without a model"):
        recognise(tmp_path / "readme.txt")


def test_folders(tmp_path: Path) -> None:
    """A folder needs an MLmodel or exactly one graph."""
    with pytest.raises(InvalidInput, match="nothing in it"):
        recognise(tmp_path)
    (tmp_path / "a.onnx").write_bytes(b"")
    assert recognise(tmp_path).kind is Kind.ONNX
    (tmp_path / "MLmodel").write_text("")
    assert recognise(tmp_path).kind is Kind.MLMODEL


@given(body=st.binary(max_size=300))
def test_any_bytes_are_told_or_refused(tmp_path_factory: pytest.TempPathFactory, body: bytes) -> None:
    """No bytes make it crash."""
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    path.write_bytes(body)
    try:
        assert recognise(path).kind in Kind
    except InvalidInput as error:
        assert error.what  # noqa: PT017
