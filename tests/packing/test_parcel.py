"""What is handed in, as files."""

from __future__ import annotations

from pathlib import Path

from lockgate.packing.parcel import pack


def test_code_alone_is_a_parcel(tmp_path: Path) -> None:
    """No model, only code and its entry: the code goes along."""
    (tmp_path / "steps.py").write_text("def answer(x):\n    return x\n")
    parcel = pack(None, [tmp_path / "steps.py"], "steps:answer")
    assert (parcel.name, parcel.entry, list(parcel.code)) == (None, "steps:answer", ["steps.py"])
