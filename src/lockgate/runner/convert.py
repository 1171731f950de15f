"""From a fitted model to an ONNX graph, in the model's own interpreter. Whether the graph is right, parity decides.

Every graph answers `prediction` and, for classifiers, `probability`. A graph takes one tensor of all columns (`x`), or
one input a column when the model picks columns by name.
"""

from __future__ import annotations

import re
from typing import Any

from . import convert_boosters, convert_hgb
from .booster_lightgbm import LightgbmBooster
from .booster_xgboost import XgboostBooster
from .estimator import LIBRARIES, Estimator, steps_of

TENSOR = "x"
OPSETS = {"": 21, "ai.onnx.ml": 3}
NO_WORD = re.compile(r"\W")
PREDICTION, PROBABILITY = "prediction", "probability"


class CannotConvert(ValueError):
    """There is no graph for this model; the message says why."""


def convert(model: Any, wish: dict[str, Any]) -> bytes:
    """The bytes of an ONNX graph. `wish`: `inputs` (the signature's fields) and `precision` (double or float).

    Raises CannotConvert, or whatever the converter raises.
    """
    inputs, double = wish["inputs"], wish.get("precision", "double") == "double"
    if not inputs:
        raise CannotConvert("the inputs are not known")
    if isinstance(model, (XgboostBooster, LightgbmBooster)):
        graph = convert_boosters.convert_booster(model.fitted, model.framework, _width(inputs))
    elif isinstance(model, Estimator):
        graph = _estimator(model.fitted, inputs, double)
    else:
        raise CannotConvert(f"there is no graph form for {model.framework} models")
    finished = named(graph, model.classes() is not None, [field["name"] for field in inputs])
    _order(finished)
    return bytes(finished.SerializeToString())


def named(graph: Any, classifies: bool, fields: list[str]) -> Any:
    """The same graph with its inputs called as the signature's fields, its outputs `prediction` and `probability`.

    Converters rewrite names such as `hours-per-week`. Raises CannotConvert when inputs or outputs are not those expected.
    """
    wanted = [PREDICTION, PROBABILITY] if classifies else [PREDICTION]
    outputs = [output.name for output in graph.graph.output]
    if len(outputs) != len(wanted):
        raise CannotConvert(f"the graph answers {', '.join(outputs)}, expected were {' and '.join(wanted)}")
    change = dict(zip(outputs, wanted))
    inputs = [given.name for given in graph.graph.input]
    plain = {NO_WORD.sub("_", field): field for field in fields}
    if inputs != [TENSOR] and set(inputs) != set(fields):
        if len(plain) != len(fields) or not set(inputs) <= set(plain):
            raise CannotConvert("the converter renamed the inputs past recognition")
        change.update({name: plain[name] for name in inputs})
    _rename(graph, {old: new for old, new in change.items() if old != new})
    return graph


def _order(graph: Any) -> None:
    """Put what has no order into one: skl2onnx writes the operator sets as a set gives them, another way each time.

    The same model must give the same bytes, or submitting it again is another version and mends no broken package.
    """
    imports = sorted(graph.opset_import, key=lambda each: str(each.domain))
    del graph.opset_import[:]
    graph.opset_import.extend(imports)


def _rename(graph: Any, change: dict[str, str]) -> None:
    inside = {name for node in graph.graph.node for name in (*node.input, *node.output)} - set(change)
    if inside & set(change.values()):
        raise CannotConvert(
            f"the graph uses the name {sorted(inside & set(change.values()))[0]} for something else"
        )
    for node in graph.graph.node:
        node.input[:] = [change.get(name, name) for name in node.input]
        node.output[:] = [change.get(name, name) for name in node.output]
    for value in (*graph.graph.input, *graph.graph.output):
        value.name = change.get(value.name, value.name)


def _estimator(fitted: Any, inputs: list[dict[str, Any]], double: bool) -> Any:
    if convert_hgb.is_hgb(fitted):
        return convert_hgb.convert_hgb(fitted, inputs)
    root = type(fitted).__module__.split(".")[0]
    if root in ("xgboost", "lightgbm"):
        return convert_boosters.convert_estimator(fitted, root, _width(inputs))
    if convert_hgb.ends_in_hgb(fitted):
        return convert_hgb.convert_pipeline(fitted, lambda first: _sklearn(first, inputs, True))
    return _sklearn(fitted, inputs, double)


def _sklearn(fitted: Any, inputs: list[dict[str, Any]], double: bool) -> Any:
    import skl2onnx

    for step in steps_of(fitted):
        if type(step).__module__.split(".")[0] not in LIBRARIES:
            raise CannotConvert(
                f"its step {type(step).__module__}.{type(step).__qualname__} has no ONNX form"
            )
    if _learned_missing(fitted, inputs):
        raise CannotConvert("skl2onnx gets trees that were trained with missing values wrong")
    convert_boosters.register()
    options = {id(fitted): {"zipmap": False}} if hasattr(fitted, "predict_proba") else None
    return skl2onnx.convert_sklearn(fitted, initial_types=_types(fitted, inputs, double), options=options,
                                    target_opset=OPSETS)  # fmt: skip


def _learned_missing(fitted: Any, inputs: list[dict[str, Any]]) -> bool:
    """Whether this is one of scikit-learn's own trees or forests, to be given missing values themselves."""
    trees = getattr(fitted, "estimators_", [fitted])
    return any(field.get("nullable") for field in inputs) and any(hasattr(tree, "tree_") for tree in trees)


def _types(fitted: Any, inputs: list[dict[str, Any]], double: bool) -> list[Any]:
    from skl2onnx.common import data_types as kinds

    number = kinds.DoubleTensorType if double else kinds.FloatTensorType
    text = [field["datatype"] == "BYTES" for field in inputs]
    if picks_columns(fitted) and not (len(inputs) == 1 and inputs[0]["shape"]):
        return [(field["name"], (kinds.StringTensorType if is_text else number)([None, 1]))
                for field, is_text in zip(inputs, text)]  # fmt: skip
    if any(text) and not all(text):
        raise CannotConvert("text and numbers go into one matrix: pick the columns with a ColumnTransformer")
    return [(TENSOR, (kinds.StringTensorType if any(text) else number)([None, _width(inputs)]))]


def picks_columns(fitted: Any) -> bool:
    """Whether the first step takes columns apart."""
    steps = getattr(fitted, "steps", None)
    if isinstance(steps, list) and steps:
        return picks_columns(steps[0][1])
    return type(fitted).__name__ == "ColumnTransformer"


def _width(inputs: list[dict[str, Any]]) -> int:
    if len(inputs) == 1 and inputs[0]["shape"]:
        if len(inputs[0]["shape"]) != 1:
            raise CannotConvert("only tables are converted, not tensors of more dimensions")
        return int(inputs[0]["shape"][0])
    if any(field["shape"] for field in inputs):
        raise CannotConvert("vectors beside other inputs are not converted")
    return len(inputs)
