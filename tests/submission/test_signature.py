"""Signatures, tasks and answers from what is known."""

from __future__ import annotations

import polars as pl
import pytest

from lockgate.config import ModelConfig, TaskName
from lockgate.errors import InvalidInput
from lockgate.inference.workshop import Description
from lockgate.registry.manifest import Framework, Task
from lockgate.registry.signature import DataType, Field
from lockgate.submission.signature import answer_of, inputs_of, task_of

FRAME = pl.DataFrame({"id": [1, 2, 3], "a": [1, 2, 3], "city": ["x", "y", "x"], "y": [0, 1, 0]})


def described(**changes: object) -> Description:
    """A model that remembers nothing and answers a number."""
    known = {
        "framework_version": None, "python": "3.11.7", "task": Task.OTHER, "classes": None, "feature_names": None,
        "feature_count": None, "parameters": {}, "inputs": (), "outputs": (Field(name="prediction", datatype=DataType.FP64),),
        "no_outputs": None, "distributions": {},
    }  # fmt: skip
    return Description(**{**known, **changes})  # type: ignore[arg-type]


def inputs(
    model: Description, frames: dict[str, pl.DataFrame], declared: tuple[Field, ...] | None = None
) -> tuple[Field, ...]:
    """Inputs of a scikit-learn model with target y and key id."""
    return inputs_of(Framework.SKLEARN, model, frames, declared, settings=ModelConfig(target="y", key="id"))


def test_names_of_the_model_types_of_the_data() -> None:
    """The model's own order and names; categories from training; gaps and fractions from any data set."""
    later = pl.DataFrame({"a": [1.5, None], "city": ["new", None]})
    found = inputs(described(feature_names=("city", "a")), {"train": FRAME, "test": later})
    assert found == (
        Field(name="city", datatype=DataType.BYTES, nullable=True, categories=("x", "y")),
        Field(name="a", datatype=DataType.FP64, nullable=True),
    )


def test_a_count_of_columns_is_matched() -> None:
    """Without names: the data without target and key, else with the key, else the numbers alone; else an error."""
    assert [field.name for field in inputs(described(feature_count=2), {"train": FRAME})] == ["a", "city"]
    assert [field.name for field in inputs(described(feature_count=3), {"train": FRAME})] == [
        "id",
        "a",
        "city",
    ]
    assert [field.name for field in inputs(described(feature_count=1), {"train": FRAME})] == ["a"]
    with pytest.raises(InvalidInput, match="5 columns"):
        inputs(described(feature_count=5), {"train": FRAME})


def test_declared_types_win_over_the_data() -> None:
    """MLflow's types stay; a whole number that may be missing becomes a float."""
    declared = (Field(name="a", datatype=DataType.FP32), Field(name="id", datatype=DataType.INT64))
    gaps = FRAME.with_columns(id=pl.Series([1, None, 3]))
    assert inputs(described(), {"train": FRAME, "test": gaps}, declared) == (
        Field(name="a", datatype=DataType.FP32), Field(name="id", datatype=DataType.FP64, nullable=True),
    )  # fmt: skip
    vector = (Field(name="x", datatype=DataType.FP64, shape=(2,)),)
    assert inputs(described(), {"train": FRAME}, vector) == vector
    with pytest.raises(InvalidInput, match="add gone"):
        inputs(described(), {"train": FRAME}, (Field(name="gone", datatype=DataType.FP64),))


def test_without_anything_it_says_so() -> None:
    """No names, no data: the error says what to hand in."""
    with pytest.raises(InvalidInput, match="--train"):
        inputs(described(), {})


def test_the_task_and_the_answer() -> None:
    """The declared task wins; probabilities mean classification; classes come from the model, else from the target."""
    outputs = (
        Field(name="label", datatype=DataType.INT64),
        Field(name="probabilities", datatype=DataType.FP32, shape=(2,)),
    )
    graph = described(outputs=outputs)
    assert task_of(graph, ModelConfig()) is Task.CLASSIFICATION
    assert task_of(graph, ModelConfig(task=TaskName.REGRESSION)) is Task.REGRESSION
    assert task_of(described(), ModelConfig()) is Task.REGRESSION
    answer = answer_of(graph, ModelConfig(target="y"), {"train": FRAME})
    assert (answer.prediction, answer.probability, answer.classes, answer.positive) == (
        "label",
        "probabilities",
        (0, 1),
        1,
    )
    assert answer_of(graph, ModelConfig(target="y", positive="0"), {"train": FRAME}).positive == 0
    with pytest.raises(InvalidInput, match="allowed: 0, 1"):
        answer_of(graph, ModelConfig(target="y", positive="yes"), {"train": FRAME})
    with pytest.raises(InvalidInput, match="does not answer"):
        answer_of(described(outputs=(), no_outputs="ValueError: x"), ModelConfig(), {})
