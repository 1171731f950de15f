"""What our own writers do not know, by skl2onnx, when the model's environment has it: nearest neighbours, kernels, text."""

from __future__ import annotations

import re
from typing import Any

from ..estimator import LIBRARIES, steps_of
from .answers import PREDICTION, PROBABILITY
from .writing import CannotConvert

TENSOR = "x"
OPSETS = {"": 21, "ai.onnx.ml": 3}
NO_WORD = re.compile(r"\W")


def convert(fitted: Any, inputs: list[dict[str, Any]], double: bool, reason: str) -> bytes:
    """The bytes of skl2onnx's graph. `reason`: why it is tried. Raises CannotConvert, or whatever it raises."""
    if any(type(step).__module__.split(".")[0] not in LIBRARIES for step in steps_of(fitted)):
        raise CannotConvert(reason)
    if _learned_missing(fitted, inputs):
        raise CannotConvert(reason)
    try:
        import skl2onnx
    except ImportError:
        raise CannotConvert(f"{reason} (and skl2onnx is not there to try)") from None
    options = {id(fitted): {"zipmap": False}} if hasattr(fitted, "predict_proba") else None
    types = _types(fitted, inputs, double)
    try:
        graph = skl2onnx.convert_sklearn(fitted, initial_types=types, options=options, target_opset=OPSETS)
    except Exception as error:
        said = (str(error).strip().splitlines() or [""])[0][:200]
        raise CannotConvert(f"{reason}, and skl2onnx fails: {type(error).__name__}: {said}") from error
    finished = named(
        graph, getattr(fitted, "classes_", None) is not None, [field["name"] for field in inputs]
    )
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


def _learned_missing(fitted: Any, inputs: list[dict[str, Any]]) -> bool:
    """Whether trees would be given missing values themselves: skl2onnx sends them the wrong way."""
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
