"""The quick look never lets through what the close look refuses, and lets sound answers through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.gateway.plausible import FEW, quick_look
from lockgate.inference.validate import check_outputs
from lockgate.registry.manifest import Answer
from lockgate.registry.signature import DataType, Field, Signature

INPUTS = (Field(name="x", datatype=DataType.FP32),)
SIGNATURE = Signature(
    inputs=INPUTS,
    outputs=(
        Field(name="label", datatype=DataType.INT64),
        Field(name="p", datatype=DataType.FP32, shape=(2,)),
        Field(name="margin", datatype=DataType.FP32),
        Field(name="note", datatype=DataType.FP32, nullable=True),
    ),
)
ANSWER = Answer(prediction="label", probability="p", classes=(0, 1), positive=1)
SIZES = [1, 3, FEW]  # few cells, and more than are looked at one by one


def sound(rows: int) -> dict[str, np.ndarray]:
    """An answer that nothing is wrong with."""
    chance = np.linspace(0, 1, rows, dtype=np.float32)
    return {
        "label": np.arange(rows, dtype=np.int64) % 2,
        "p": np.stack([chance, 1 - chance], axis=1),
        "margin": chance * 1e30,
        "note": np.full(rows, np.nan, dtype=np.float32),
    }


@pytest.mark.parametrize("rows", SIZES)
def test_a_sound_answer_needs_no_close_look(rows: int) -> None:
    """Also one that holds NaN where the signature allows it, and numbers whose sum would overflow."""
    assert quick_look(SIGNATURE, ANSWER)(sound(rows), rows)


@pytest.mark.parametrize("rows", SIZES)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("label", 2),
        ("p", np.nan),
        ("p", -0.5),
        ("p", 1.5),
        ("p", 0.7),
        ("margin", np.inf),
        ("margin", np.nan),
    ],
)
def test_a_fault_is_looked_at_closely(name: str, value: float, rows: int) -> None:
    """In the last row alone, whatever it is."""
    columns = sound(rows)
    columns[name] = columns[name].copy()
    columns[name][(-1, 0) if name == "p" else -1] = value
    assert not quick_look(SIGNATURE, ANSWER)(columns, rows)
    assert check_outputs(SIGNATURE, columns, rows, ANSWER) is not None


@pytest.mark.parametrize("change", ["missing", "short", "wide"])
def test_another_shape_is_looked_at_closely(change: str) -> None:
    """A missing output, another number of rows, another width."""
    columns = sound(3)
    if change == "missing":
        del columns["margin"]
    else:
        columns["p"] = columns["p"][:2] if change == "short" else np.zeros((3, 3), dtype=np.float32)
    assert not quick_look(SIGNATURE, ANSWER)(columns, 3)


@given(st.lists(st.tuples(st.floats(width=32), st.floats(width=32)), min_size=1, max_size=40))
def test_what_passes_the_quick_look_passes_the_close_one(pairs: list[tuple[float, float]]) -> None:
    """Any numbers at all as probabilities."""
    columns = sound(len(pairs))
    columns["p"] = np.array(pairs, dtype=np.float32)
    if quick_look(SIGNATURE, ANSWER)(columns, len(pairs)):
        assert check_outputs(SIGNATURE, columns, len(pairs), ANSWER) is None
