"""Receiving files, folders, archives and code: nothing leads out, nothing is linked, nothing is larger than it says."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from lockgate.errors import InvalidInput, LockgateError, NotFound, TooLarge, Unsafe
from lockgate.submission import receive
from lockgate.submission.parts import Part
from lockgate.submission.receive import receive_code, receive_model


def zipped(members: dict[str, bytes], path: Path) -> Path:
    """A zip with these members."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in members.items():
            archive.writestr(name, body)
    return path


def tarred(members: dict[str, bytes], path: Path, kind: bytes = tarfile.REGTYPE) -> Path:
    """A compressed tar with these members."""
    with tarfile.open(path, "w:gz") as archive:
        for name, body in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.type, member.linkname = len(body), kind, "/etc/passwd"
            archive.addfile(member, io.BytesIO(body))
    return path


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_an_archived_folder_is_unpacked(tmp_path: Path, pack: object) -> None:
    """Zip and tar of a model's folder give the folder inside."""
    packed = pack({"m/MLmodel": b"x", "m/code/a.py": b"y"}, tmp_path / "packed")  # type: ignore[operator]
    folder = receive_model(Part.of(packed), tmp_path / "in")
    assert sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*")) == ["code/a.py"]
    assert (folder / "MLmodel").read_bytes() == b"x"


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil"])
def test_paths_that_lead_out_are_refused(tmp_path: Path, name: str) -> None:
    """An archive cannot write outside the staging folder."""
    for pack in (zipped, tarred):
        packed = pack({"MLmodel": b"", name: b"x"}, tmp_path / f"{pack.__name__}")
        with pytest.raises(Unsafe, match="leads out"):
            receive_model(Part.of(packed), tmp_path / f"in-{pack.__name__}")
    assert not (tmp_path / "evil").exists()


def test_links_and_pipes_are_refused(tmp_path: Path) -> None:
    """Links in archives and links and pipes in folders are not followed."""
    for place, kind in enumerate((tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE)):
        packed = tarred({"MLmodel": b""}, tmp_path / f"{place}.tar", kind)
        with pytest.raises(InvalidInput, match="link"):
            receive_model(Part.of(packed), tmp_path / f"in{place}")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "MLmodel").symlink_to("/etc/passwd")
    with pytest.raises(InvalidInput, match="link"):
        receive_model(Part.of(folder), tmp_path / "linked")
    (folder / "MLmodel").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(InvalidInput, match="link"):
        receive_model(Part.of(folder), tmp_path / "piped")


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More bytes or more files than allowed are refused while unpacking."""
    monkeypatch.setattr(receive, "MAX_BYTES", 1_000)
    with pytest.raises(TooLarge):
        receive_model(Part.of(zipped({"MLmodel": b"0" * 2_000}, tmp_path / "bomb.zip")), tmp_path / "bytes")
    big = tmp_path / "big.pkl"
    big.write_bytes(b"0" * 2_000)
    with pytest.raises(TooLarge):
        receive_model(Part.of(big), tmp_path / "file")
    monkeypatch.setattr(receive, "MAX_FILES", 3)
    many = zipped({"MLmodel": b"", **{f"{place}": b"" for place in range(5)}}, tmp_path / "many.zip")
    with pytest.raises(TooLarge):
        receive_model(Part.of(many), tmp_path / "files")


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path: Path) -> None:
    """A member that unpacks to more than its entry says is stopped."""
    path = zipped({"MLmodel": b"0" * 100_000}, tmp_path / "lying.zip")
    body = path.read_bytes()
    path.write_bytes(body.replace((100_000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(LockgateError):
        receive_model(Part.of(path), tmp_path / "in")


def test_cut_archives_are_named(tmp_path: Path) -> None:
    """Every shorter prefix of an archive is passed on as a plain file, or one of our errors; never half a folder."""
    for pack in (zipped, tarred):
        body = pack({"MLmodel": b"x" * 50, "model.pkl": os.urandom(300)}, tmp_path / "whole").read_bytes()
        for length in range(0, len(body), 3):
            target = tmp_path / f"{pack.__name__}{length}"
            try:
                got = receive_model(Part("model.tgz", body[:length]), target)
            except LockgateError:
                continue
            assert (
                got.is_file() or len((got / "model.pkl").read_bytes()) == 300
            )  # cut in the padding behind it


@pytest.mark.parametrize("name", ["", ".", "..", "x" * 300, "a\0b"])
def test_names_that_are_no_names(tmp_path: Path, name: str) -> None:
    """The sender's name of a file is only a name, never a path."""
    with pytest.raises(LockgateError):
        receive_model(Part(name, b"x"), tmp_path / "in")
    assert receive_model(Part("../../x.pkl", b"x"), tmp_path / "safe") == tmp_path / "safe/x.pkl"


def test_a_missing_file(tmp_path: Path) -> None:
    """A path that is not there is NotFound."""
    with pytest.raises(NotFound, match="gone"):
        receive_model(Part.of(tmp_path / "gone.pkl"), tmp_path / "in")


def test_code_is_files_packages_and_zips(tmp_path: Path) -> None:
    """Python files, packages and zips of them are received; caches are left out; their top modules are named."""
    package = tmp_path / "steps"
    (package / "__pycache__").mkdir(parents=True)
    (package / "clean.py").write_text("x = 1")
    (package / "__pycache__/clean.pyc").write_bytes(b"")
    parts = (
        Part("rules.py", b"y = 1"),
        Part.of(package),
        Part.of(zipped({"more/a.py": b""}, tmp_path / "more.zip")),
    )
    into = tmp_path / "code"
    assert receive_code(parts, into) == {"rules", "steps", "more"}
    assert sorted(path.relative_to(into).as_posix() for path in into.rglob("*") if path.is_file()) == [
        "more/a.py", "rules.py", "steps/clean.py",
    ]  # fmt: skip
    assert receive_code((), tmp_path / "none") == frozenset()


@pytest.mark.parametrize(
    ("name", "words"),
    [("os.py", "hide"), ("sklearn.py", "hide"), ("my-steps.py", "Python files"), ("a.txt", "Python files")],
)
def test_code_that_cannot_be_imported_or_hides_a_library(tmp_path: Path, name: str, words: str) -> None:
    """A module called like a library would be found first; a file that is no module never."""
    with pytest.raises(InvalidInput, match=words):
        receive_code((Part(name, b""),), tmp_path / "code")


@pytest.mark.parametrize("entry", ["net/data.pkl", "schema.json"])
def test_a_model_that_is_a_zip_stays_whole_beside_its_code(tmp_path: Path, entry: str) -> None:
    """Weights of PyTorch and a skops file are zips; with an entry they are what its code opens, no folder to be unpacked."""
    path = tmp_path / "weights.pt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(entry, b"")
    received = receive_model(Part.of(path), tmp_path / "given", any_folder=True)
    assert received.read_bytes() == path.read_bytes()
