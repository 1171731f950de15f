"""From a fitted model to an ONNX graph, in the model's own interpreter. Whether the graph is right, parity decides.

Every graph answers `prediction` and, for classifiers, `probability`. A graph takes one tensor of all columns (`x`), or
one input a column when some hold text. What our own writers do not know, skl2onnx may (fallback.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..booster_catboost import CatboostModel
from ..booster_lightgbm import LightgbmBooster
from ..booster_xgboost import XgboostBooster
from ..estimator import Estimator, steps_of
from ..keras_model import KerasModel
from ..torch_module import TorchModule
from ..transformers_text import TextClassifier
from . import (
    calibration,
    catboost,
    compose,
    encode,
    expand,
    fallback,
    forests,
    histogram,
    keras,
    lightgbm,
    linear,
    scale,
    torch,
    vote,
    xgboost,
)
from .answers import PREDICTION, PROBABILITY, outputs
from .graph import Graph
from .parts import Number, Part, Text, take
from .protobuf import DOUBLE, STRING
from .writing import Answer, CannotConvert, NoWriter, Writing

TENSOR = "x"
FRAMEWORKS = {"xgboost": xgboost, "lightgbm": lightgbm, "catboost": catboost}
TRANSFORMERS = {**scale.WRITERS, **encode.WRITERS, **expand.WRITERS, **compose.TRANSFORMERS}
PREDICTORS = {**linear.PREDICTORS, **forests.PREDICTORS, **histogram.PREDICTORS, **vote.PREDICTORS,
              **calibration.PREDICTORS, **compose.PREDICTORS, **xgboost.PREDICTORS, **lightgbm.PREDICTORS}  # fmt: skip


def convert(model: Any, wish: dict[str, Any]) -> bytes:
    """The bytes of an ONNX graph. `wish`: `inputs` (the signature's fields) and `precision` (double or float).

    Our own writers always work in double. Raises CannotConvert, or whatever another converter raises.
    """
    inputs = wish["inputs"]
    if not inputs:
        raise CannotConvert("the inputs are not known")
    if isinstance(model, TorchModule):
        return torch.convert(model, inputs)
    if isinstance(model, KerasModel):
        return keras.convert(model, inputs)
    if isinstance(model, TextClassifier):
        raise CannotConvert("texts are cut into tokens by a program, not by a graph")
    if isinstance(model, (XgboostBooster, LightgbmBooster, CatboostModel)):
        return _written(model, inputs)
    if not isinstance(model, Estimator):
        raise CannotConvert(f"there is no graph form for {model.framework} models")
    try:
        return _written(model, inputs)
    except NoWriter as error:
        return fallback.convert(model.fitted, inputs, wish.get("precision", "double") == "double", str(error))


def _written(model: Any, inputs: list[dict[str, Any]]) -> bytes:
    graph, table = _start(inputs)
    writing = Writing(graph, TRANSFORMERS, PREDICTORS)
    if isinstance(model, Estimator):
        answer: Answer = writing.predict(model.fitted, _as_remembered(model.fitted, inputs, table))
    else:
        answer = FRAMEWORKS[model.framework].booster(model, table, writing)
    made = outputs(answer, graph)
    if {PREDICTION, PROBABILITY} & set(graph.inputs):
        raise CannotConvert(f"a column is called {PREDICTION} or {PROBABILITY}, as the graph's answers are")
    return graph.finish(made)


def _start(inputs: list[dict[str, Any]]) -> tuple[Graph, tuple[Part, ...]]:
    """The graph's inputs, and the table that they are."""
    if any(field["datatype"] == "BYTES" for field in inputs):
        if any(field["shape"] for field in inputs):
            raise CannotConvert("vectors beside columns of text, and vectors of text, are not converted")
        text = [field["datatype"] == "BYTES" for field in inputs]
        names = [field["name"] for field in inputs]
        graph = Graph({name: (STRING if one else DOUBLE, 1) for name, one in zip(names, text)})
        return graph, tuple(
            Text(name) if one else Number(name, 1, np.arange(1)) for name, one in zip(names, text)
        )
    count = _width(inputs)
    return Graph({TENSOR: (DOUBLE, count)}), (Number(TENSOR, count, np.arange(count)),)


def _width(inputs: list[dict[str, Any]]) -> int:
    if len(inputs) == 1 and inputs[0]["shape"]:
        if len(inputs[0]["shape"]) != 1 or inputs[0]["shape"][0] < 1:
            raise CannotConvert("only tables are converted, not tensors of more dimensions or of any length")
        return int(inputs[0]["shape"][0])
    if any(field["shape"] for field in inputs):
        raise CannotConvert("vectors beside other inputs are not converted")
    return len(inputs)


def _as_remembered(fitted: Any, inputs: list[dict[str, Any]], table: tuple[Part, ...]) -> tuple[Part, ...]:
    """The columns in the order that the model was trained on, when it picks them by name."""
    names = next(
        (step.feature_names_in_ for step in steps_of(fitted) if hasattr(step, "feature_names_in_")), None
    )
    given = {field["name"]: place for place, field in enumerate(inputs)}
    wanted = [str(name) for name in names] if names is not None else []
    if not wanted or wanted == list(given) or not set(wanted) <= set(given):
        return table
    return take(table, [given[name] for name in wanted])
