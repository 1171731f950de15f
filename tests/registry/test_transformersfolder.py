"""A folder as transformers 5 wrote it (text_model/: a classifier of two classes with random weights), honest and not."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest

from lockgate.errors import InvalidInput, Unsafe
from lockgate.registry.manifest import Framework
from lockgate.registry.transformersfolder import read_transformers
from lockgate.submission.parts import Part
from lockgate.submission.receive import receive_model
from lockgate.submission.recognise import Kind, recognise
from lockgate.submission.source import Exceptions, place

MODEL = Path(__file__).parent / "text_model"
NOBODY = Exceptions("reviews", frozenset(), frozenset())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy."""
    return Path(shutil.copytree(MODEL, tmp_path / "reviews"))


def say(folder: Path, name: str, **changes: Any) -> None:
    """Change a JSON file of the folder."""
    said = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**said, **changes}))


def test_an_honest_folder_is_taken_as_data(folder: Path, tmp_path: Path) -> None:
    """Labels are read without the library; of the folder only data files go into the package."""
    (folder / "training_args.bin").write_bytes(b"\x80\x05.")
    (folder / "modeling_mine.py").write_text("raise SystemExit")
    found = read_transformers(folder)
    assert found.labels == ("bad", "good")
    assert found.architecture == "DistilBertForSequenceClassification"
    assert recognise(folder).kind is Kind.TRANSFORMERS
    source = place(folder, tmp_path / "draft", None, NOBODY)
    assert (source.framework, source.model_path) == (Framework.TRANSFORMERS, "model")
    assert {path.name for path in (tmp_path / "draft/model").iterdir()} == {
        "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}  # fmt: skip


def test_an_archive_of_it_is_unpacked(folder: Path, tmp_path: Path) -> None:
    """From a laptop the folder comes as a zip."""
    archive = tmp_path / "reviews.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        for path in folder.iterdir():
            zipped.write(path, path.name)
    assert recognise(receive_model(Part.of(archive), tmp_path / "given")).kind is Kind.TRANSFORMERS


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_of_its_own_is_refused(folder: Path, name: str) -> None:
    """`auto_map` makes transformers import a file of the folder."""
    say(folder, name, auto_map={"AutoModelForSequenceClassification": "modeling_mine.Mine"})
    with pytest.raises(Unsafe, match=r"auto_map.*nothing of it was run"):
        read_transformers(folder)


def test_pickled_weights_are_refused(folder: Path) -> None:
    """Weights of older versions are pickles; the error says how to save them as data."""
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(Unsafe, match=r"pytorch_model\.bin.*model\.safetensors.*save_pretrained"):
        read_transformers(folder)


@pytest.mark.parametrize("named", [5, {"a": 1}, [], None])
def test_architectures_that_are_no_list_are_none(folder: Path, named: Any) -> None:
    """Whatever stands there, the answer says what is asked for."""
    say(folder, "config.json", architectures=named)
    with pytest.raises(InvalidInput, match=r"received: no architecture; .*ForSequenceClassification"):
        read_transformers(folder)


def test_labels_under_no_numbers_are_those_of_transformers_itself(folder: Path) -> None:
    """A digit that is no number (a superscript) counts as no number."""
    say(folder, "config.json", id2label={"\u00b2": "bad", "1": "good"})
    assert read_transformers(folder).labels == ("LABEL_0", "LABEL_1")


def test_what_is_missing_or_other_is_named(folder: Path) -> None:
    """No weights, no tokenizer file, another task, no JSON: each says what helps."""
    say(folder, "config.json", architectures=["BertForMaskedLM"])
    with pytest.raises(InvalidInput, match=r"BertForMaskedLM.*ForSequenceClassification"):
        read_transformers(folder)
    say(folder, "config.json", architectures=["BertForSequenceClassification"], problem_type="regression")
    assert read_transformers(folder).labels == ()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(InvalidInput, match=r"no tokenizer\.json.*fast tokenizer"):
        read_transformers(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InvalidInput, match="no weights"):
        read_transformers(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(InvalidInput, match="not a model that lockgate knows"):
        recognise(folder)
    with pytest.raises(InvalidInput, match=r"config\.json of reviews is not JSON"):
        read_transformers(folder)
