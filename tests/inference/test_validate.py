"""Inputs are refused by field, answers are refused by reason."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.errors import InvalidInput
from lockgate.inference.score import decisions, scores
from lockgate.inference.validate import check_inputs, check_outputs
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.signature import DataType, Field, Signature

SIGNATURE = Signature(
    inputs=(
        Field(name="age", datatype=DataType.INT64),
        Field(name="income", datatype=DataType.FP64, nullable=True),
        Field(name="rate", datatype=DataType.FP64),
        Field(name="plan", datatype=DataType.BYTES),
        Field(name="note", datatype=DataType.BYTES, required=False, nullable=True),
        Field(name="pixels", datatype=DataType.FP32, shape=(-1, 2)),
    ),
    outputs=(
        Field(name="prediction", datatype=DataType.BYTES),
        Field(name="probability", datatype=DataType.FP64, shape=(2,)),
    ),
)
ANSWER = Answer(prediction="prediction", probability="probability", classes=("no", "yes"), positive="yes")
GOOD = {
    "age": np.array([1, 2]), "income": np.array([1.0, np.nan]), "rate": np.array([0.1, 0.2]),
    "plan": np.array(["a", "b"], dtype=object), "pixels": np.zeros((2, 5, 2), np.float32),
}  # fmt: skip
OUT = {
    "prediction": np.array(["no", "yes"], dtype=object),
    "probability": np.array([[0.6, 0.4], [0.1, 0.9]]),
}


def test_good_rows_pass() -> None:
    """Rows that fit are counted; optional fields may be absent and further columns are ignored."""
    assert check_inputs(SIGNATURE, GOOD) == 2
    assert check_inputs(SIGNATURE, {**GOOD, "more": np.array(["x"])}) == 2
    assert check_outputs(SIGNATURE, OUT, 2, ANSWER) is None


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("age", None, "'age' is missing"),
        ("age", np.array([1.0, 2.0]), "'age' has another type"),
        ("age", np.array([1, 2, 3]), "another number of rows"),
        ("age", np.array([[1], [2]]), "'age' has another shape"),
        ("rate", np.array([0.1, np.nan]), "'rate' holds a missing value"),
        ("plan", np.array(["a", None], dtype=object), "'plan' holds a missing value"),
        ("plan", np.array([1, 2]), "'plan' must be text"),
        ("plan", np.array(["a", 3], dtype=object), "'plan' must be text"),
        ("pixels", np.zeros((2, 5, 3), np.float32), "'pixels' has another shape"),
    ],
)
def test_wrong_input_names_the_field_only(name: str, value: np.ndarray | None, said: str) -> None:
    """The error names the wrong field and no other."""
    columns = {key: array for key, array in {**GOOD, name: value}.items() if array is not None}
    wanted = "rate" if said.startswith("another number") else name
    with pytest.raises(InvalidInput, match=said.rsplit("'", maxsplit=1)[-1].strip() or said) as caught:
        check_inputs(SIGNATURE, columns)
    others = {field.name for field in SIGNATURE.inputs} - {name, wanted}
    assert not [other for other in others if f"'{other}'" in str(caught.value) and said.startswith("'")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"prediction": None}, "is missing"),
        ({"prediction": np.array(["no"], dtype=object)}, "1 rows for 2"),
        ({"prediction": np.array(["no", "maybe"], dtype=object)}, "class that the model does not know"),
        ({"probability": np.array([[0.5, 0.5], [np.nan, 1.0]])}, "NaN or infinity"),
        ({"probability": np.array([[0.5, 0.5], [np.inf, 1.0]])}, "NaN or infinity"),
        ({"probability": np.array([[0.5, 0.5], [1.5, -0.5]])}, "outside 0..1"),
        ({"probability": np.array([[0.5, 0.5], [0.3, 0.3]])}, "does not sum to 1"),
        ({"probability": np.array([0.5, 0.5])}, "shape"),
    ],
)
def test_wrong_answers_are_refused(change: dict[str, np.ndarray | None], reason: str) -> None:
    """Each kind of invalid answer has its reason."""
    columns = {name: array for name, array in {**OUT, **change}.items() if array is not None}
    assert reason in (check_outputs(SIGNATURE, columns, 2, ANSWER) or "")


def manifest(answer: Answer) -> Manifest:
    """A manifest with this answer."""
    return Manifest(framework=Framework.SKLEARN, task=Task.CLASSIFICATION, signature=SIGNATURE, answer=answer,
                    model_path="model/model.pkl", compiled=Compiled(reason=""), python="3.11")  # fmt: skip


def test_scores_and_decisions() -> None:
    """The score is the positive class's probability, the largest of several, or the number itself."""
    assert scores(OUT, manifest(ANSWER)).tolist() == [0.4, 0.9]
    assert decisions(OUT, manifest(ANSWER)).tolist() == ["no", "yes"]
    three = {**OUT, "probability": np.array([[0.2, 0.3, 0.5], [0.8, 0.1, 0.1]])}
    many = Answer(prediction="prediction", probability="probability", classes=("a", "b", "c"))
    assert scores(three, manifest(many)).tolist() == [0.5, 0.8]
    number = Answer(prediction="value")
    assert scores({"value": np.array([3, 4])}, manifest(number)).tolist() == [3.0, 4.0]
    with pytest.raises(InvalidInput, match="no score"):
        scores(OUT, manifest(Answer(prediction="prediction")))
