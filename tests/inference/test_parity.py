"""Parity rows hold what breaks converters, and a difference anywhere is found."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.errors import PredictionFailed
from lockgate.inference.parity import UNKNOWN, compare, parity_groups, prove
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer
from lockgate.registry.signature import DataType, Field, Signature

ANSWER = Answer(prediction="prediction", probability="probability", classes=(0, 1))
SIGNATURE = Signature(
    inputs=(
        Field(name="income", datatype=DataType.FP64, nullable=True),
        Field(name="age", datatype=DataType.INT64),
        Field(name="plan", datatype=DataType.BYTES, nullable=True, categories=("a", "b", "c")),
    ),
    outputs=(Field(name="prediction", datatype=DataType.INT64),),
)
ROWS: Columns = {
    "income": np.array([1.0, 2.0, np.nan, 4.0]),
    "age": np.array([20, 30, 40, 50]),
    "plan": np.array(["a", "b", None, "c"], dtype=object),
}


def model(columns: Columns) -> Columns:
    """A rule that uses everything: missing income, unknown plans."""
    score = np.where(np.isnan(columns["income"]), 0.3, columns["income"] / 10)
    score = score + np.array([{"a": 0.1, "b": 0.2}.get(plan, 0.0) for plan in columns["plan"]])
    return {"prediction": (score > 0.4).astype(np.int64), "probability": np.column_stack([1 - score, score])}


def test_groups_cover_missing_every_and_unknown() -> None:
    """Every nullable column goes missing, every category and an unknown one appear; the given rows stay untouched."""
    groups = {group.name: group.columns for group in parity_groups(SIGNATURE, ROWS)}
    assert np.isnan(groups["missing: income"]["income"]).all()
    assert set(groups["missing: plan"]["plan"]) == {None}
    assert list(groups["every category: plan"]["plan"]) == ["a", "b", "c"]
    assert set(groups["unknown category: plan"]["plan"]) == {UNKNOWN}
    assert "missing: age" not in groups
    assert sorted(groups["shuffled columns"]["age"]) == [20, 30, 40, 50]
    assert ROWS["plan"][2] is None


def test_equal_models_are_proven() -> None:
    """The same model twice: no difference, all groups covered."""
    proof = prove(model, model, parity_groups(SIGNATURE, ROWS), ANSWER)
    assert proof.reason is None
    assert (proof.parity.flips, proof.parity.largest_difference) == (0, 0.0)
    assert "unknown category: plan" in proof.parity.covered


@pytest.mark.parametrize(
    ("fault", "group"),
    [
        ({"income": lambda a: np.nan_to_num(a, nan=0.0)}, "real rows"),
        (
            {"plan": lambda a: np.array(["a" if v == UNKNOWN else v for v in a], dtype=object)},
            "unknown category: plan",
        ),
        ({"age": lambda a: a, "income": lambda a: a.astype(np.float32) * 1.001}, "real rows"),
    ],
)
def test_planted_faults_are_found(fault: dict[str, object], group: str) -> None:
    """A compiled form that treats missing, unknown or rounded values otherwise is refused, with the group in the reason."""

    def wrong(columns: Columns) -> Columns:
        changed = dict(columns)
        for name, change in fault.items():
            changed[name] = change(columns[name])  # type: ignore[operator]
        return model(changed)

    proof = prove(model, wrong, parity_groups(SIGNATURE, ROWS), ANSWER)
    assert proof.reason is not None
    assert group in proof.reason


def test_refusals_must_agree() -> None:
    """Rows that the original refuses must be refused by the compiled form too."""

    def strict(columns: Columns) -> Columns:
        if UNKNOWN in columns["plan"]:
            raise PredictionFailed("the model raised: ValueError: unknown category")
        return model(columns)

    groups = parity_groups(SIGNATURE, ROWS)
    assert prove(strict, strict, groups, ANSWER).reason is None
    assert "refuses unknown category: plan" in (prove(strict, model, groups, ANSWER).reason or "")
    assert "fails on unknown category: plan" in (prove(model, strict, groups, ANSWER).reason or "")


def test_missing_answers_differ() -> None:
    """NaN equals NaN only; a missing output or another shape is the largest of differences."""
    one = {"prediction": np.array([1.0, np.nan])}
    regression = Answer(prediction="prediction")
    assert compare(one, {"prediction": np.array([1.0, np.nan])}, regression).largest == 0.0
    assert compare(one, {"prediction": np.array([1.0, 2.0])}, regression).flips == 1
    assert compare(one, {}, regression).flips == 2
