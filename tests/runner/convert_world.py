"""Graphs of fitted models beside the models themselves, for the tests of our writers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lockgate.errors import PredictionFailed
from lockgate.inference.compiled import Graph
from lockgate.inference.runner_order import plain_fields
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.runner.convert.model import convert
from lockgate.runner.describe import describe
from lockgate.runner.estimator import Estimator


def fields_of(frame: pd.DataFrame) -> tuple[Field, ...]:
    """A signature's inputs."""
    made = []
    for name in frame:
        missing = bool(frame[name].isna().any())
        if frame[name].dtype.kind == "f":
            made.append(Field(name=str(name), datatype=DataType.FP64, nullable=missing))
        elif frame[name].dtype.kind == "i":
            made.append(Field(name=str(name), datatype=DataType.INT64))
        else:
            known = tuple(sorted({str(value) for value in frame[name].dropna()}))
            made.append(Field(name=str(name), datatype=DataType.BYTES, nullable=missing, categories=known))
    return tuple(made)


def columns_of(frame: pd.DataFrame) -> Columns:
    """The frame as typed columns, missing text as None."""
    return {
        str(name): frame[name].to_numpy()
        if frame[name].dtype.kind in "if"
        else np.array([None if pd.isna(value) else str(value) for value in frame[name]], dtype=object)
        for name in frame
    }


def edges(frame: pd.DataFrame, seed: int = 5) -> pd.DataFrame:
    """Rows where converters stumble: exact splits between values, zeros, huge, tiny and neighbouring doubles."""
    chance = np.random.default_rng(seed)
    made = frame.sample(120, replace=True, random_state=seed).reset_index(drop=True)
    for name in frame:
        if frame[name].dtype.kind != "f":
            continue
        values = np.sort(frame[name].dropna().to_numpy())
        middle = (values[:-1] + values[1:]) / 2
        pool = np.concatenate([middle, np.nextafter(middle, np.inf), np.float32(middle).astype(float),
                               [0.0, -0.0, 1e-36, -1e-36, 1e9, -1e9, 1e-9]])  # fmt: skip
        made[name] = chance.choice(pool, len(made))
    return made


def compiled(
    fitted: Any, frame: pd.DataFrame
) -> tuple[Graph, Signature, Answer, Callable[[Columns], Columns]]:
    """The graph of a fitted model, and the model as a runner answers it. Raises CannotConvert."""
    inputs, sample = fields_of(frame), columns_of(frame)
    model = Estimator(fitted, "sklearn", plain_fields(inputs))
    said = describe(model, sample)
    assert said["no_outputs"] is None, said["no_outputs"]
    outputs = tuple(Field(name=one["name"], datatype=DataType(one["datatype"]), shape=tuple(one["shape"]))
                    for one in said["outputs"])  # fmt: skip
    signature = Signature(inputs=inputs, outputs=outputs)
    classes = tuple(said["classes"]) if said["classes"] is not None else None
    answer = Answer(
        prediction="prediction", probability="probability" if len(outputs) > 1 else None, classes=classes
    )

    def original(columns: Columns) -> Columns:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return model.answer(columns)
        except Exception as error:
            raise PredictionFailed(f"the model raised: {error}") from error

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = Graph(convert(model, {"inputs": plain_fields(inputs), "precision": "double"}), signature)
    return graph, signature, answer, original
