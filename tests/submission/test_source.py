"""What is in a folder that MLflow opens itself is scanned as it would be alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.registry.test_exportfile import written
from tests.registry.test_torchfile import HARMFUL, SCRIPT, WEIGHTS, archive
from tests.submission.conftest import Desk

from lockgate.errors import InvalidInput, Unsafe
from lockgate.registry.manifest import Framework
from lockgate.submission.parts import Part, Parts
from lockgate.submission.source import Exceptions, Source, place

MLMODEL = """
flavors:
  python_function:
    data: data
    loader_module: mlflow.pytorch
    python_version: 3.11.7
  pytorch:
    code: null
    model_data: data
    pytorch_version: 2.13.0
mlflow_version: 3.17.2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What mlflow.pytorch writes around a model."""
    made = tmp_path / "given"
    (made / "data").mkdir(parents=True)
    (made / "MLmodel").write_text(MLMODEL)
    (made / "data/pickle_module_info.txt").write_text("mlflow.pytorch.pickle_module")
    return made


def placed(folder: Path) -> Source:
    """The folder as a draft's model, of a model for which no name is allowed."""
    draft = folder.parent / "draft"
    draft.mkdir()
    return place(folder, draft, None, Exceptions("net", frozenset(), frozenset()))


def test_pytorch_in_an_mlflow_folder_is_taken(folder: Path) -> None:
    """A scripted module, weights and an exported program hold nothing but tensors: mlflow opens them, confined."""
    archive(folder / "data/model.pth", data_pkl=SCRIPT, constants_pkl=b"\x80\x02).")
    archive(folder / "data/weights.bin", data_pkl=WEIGHTS)
    written(folder / "data/model.pt2", lambda _entries: None)
    assert placed(folder) == Source(Framework.MLFLOW, "model", python="3.11.7")
    assert (folder.parent / "draft/model/data/model.pth").is_file()


@pytest.mark.parametrize("name", ["model.pth", "model.pt", "model", "weights.bin"])
def test_code_in_a_pytorch_archive_is_refused_whatever_it_is_called(folder: Path, name: str) -> None:
    """The name, the file in the folder and the entry of the archive are told; nothing was moved."""
    archive(folder / "data" / name, data_pkl=HARMFUL)
    with pytest.raises(Unsafe, match=rf"os\.system \(data/{name}, net/data\.pkl\).*torch\.jit\.script"):
        placed(folder)
    assert not (folder.parent / "draft/model").exists()


def test_a_whole_pickled_module_is_refused(folder: Path) -> None:
    """As it is when the file comes alone: a class of one's own is no tensor."""
    archive(folder / "data/model.pth", data_pkl=b"\x80\x02cnet\nNet\n)\x81}b.")
    with pytest.raises(Unsafe, match=r"net\.Net \(data/model\.pth, net/data\.pkl\): only tensors"):
        placed(folder)


@pytest.mark.parametrize("body", [HARMFUL, b"cos\nsystem\n(S'true'\ntR."])
def test_old_files_of_pytorch_are_read_as_pickles(folder: Path, body: bytes) -> None:
    """What is no archive, PyTorch unpickles, of any protocol."""
    (folder / "data/model.pth").write_bytes(body)
    with pytest.raises(Unsafe, match=r"system \(data/model\.pth"):
        placed(folder)


def test_a_program_that_would_be_run_is_refused(folder: Path) -> None:
    """An exported program with an entry that does not belong; and a damaged archive is said to be one."""
    written(
        folder / "data/model.pt2",
        lambda entries: entries.update({"data/aotinductor/model.so": b"\x7fELF"}),
    )
    with pytest.raises(Unsafe, match=r"model\.so"):
        placed(folder)
    (folder / "data/model.pt2").unlink()
    (folder / "data/model.pth").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(InvalidInput, match=r"data/model\.pth"):
        place(folder, folder.parent / "draft", None, Exceptions("net", frozenset(), frozenset()))


def test_a_library_that_is_missing_names_its_extra(desk: Desk, tmp_path: Path) -> None:
    """PyTorch is not among the pins: who has no environment for the model is told how to bring it."""
    script = archive(tmp_path / "model.pt", data_pkl=SCRIPT, constants_pkl=b"\x80\x02).")
    with pytest.raises(InvalidInput, match=r"No module named 'torch'.*pip install 'lockgate\[torch\]'"):
        desk.submit(Parts(Part.of(script)))
