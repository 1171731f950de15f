"""Folders that say themselves how they are served."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from lockgate.errors import InvalidInput
from lockgate.packing.parcel import pack
from lockgate.packing.prepared import PREPARED


def test_a_prepared_folder_brings_entry_code_and_pins(tmp_path: Path) -> None:
    """Its model's files as one archive, its code by name, the entry and the pins that it names."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a.bin").write_bytes(b"abc")
    (tmp_path / "code" / "inside").mkdir(parents=True)
    (tmp_path / "code" / "inside" / "one.py").write_text("x = 1\n")
    (tmp_path / PREPARED).write_text(
        json.dumps({"entry": "inside.one:Served", "requirements": ["numpy==2.4.6"]})
    )
    parcel = pack(tmp_path)
    assert (parcel.entry, parcel.requirements) == ("inside.one:Served", ("numpy==2.4.6",))
    assert parcel.code == {"inside/one.py": b"x = 1\n"}
    assert isinstance(parcel.body, bytes)
    assert zipfile.ZipFile(BytesIO(parcel.body)).namelist() == ["a.bin"]


@pytest.mark.parametrize("text", ["", "[]", '{"entry": "a:b"}', '{"entry": "a:b", "requirements": 7}'])
def test_one_that_does_not_say_it_is_refused(tmp_path: Path, text: str) -> None:
    """By the name of the file."""
    (tmp_path / PREPARED).write_text(text)
    with pytest.raises(InvalidInput, match="does not say how the model is served"):
        pack(tmp_path)
