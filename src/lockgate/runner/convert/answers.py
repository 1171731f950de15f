"""From scores to what a model answers: the predicted class or number, and probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Graph
from .protobuf import DOUBLE, INT64, STRING
from .writing import Answer, CannotConvert

PREDICTION, PROBABILITY = "prediction", "probability"


def regressor(values: str, width: int = 1, *, squeezed: bool = True) -> Answer:
    """Numbers (n, width)."""
    return Answer(values=values, width=width, squeezed=squeezed)


def by_argmax(
    raw: str, classes: Any, graph: Graph, probability: str | None = None, decision: str | None = None
) -> Answer:
    """The first class with the largest value of `raw` (n, classes)."""
    place = graph.node("ArgMax", raw, axis=1, keepdims=0)
    return Answer(place=place, probability=probability, classes=_plain(classes), decision=decision)


def by_sign(raw: str, classes: Any, graph: Graph) -> Answer:
    """The second of two classes where the score (n, 1) is above 0."""
    above = graph.node("Cast", graph.node("Greater", raw, graph.constant(np.array(0.0))), to=INT64)
    place = graph.node("Squeeze", above, graph.constant(np.array([1])))
    return Answer(place=place, classes=_plain(classes), decision=raw)


def of_second(second: str, classes: Any, graph: Graph, decision: str | None = None) -> Answer:
    """Two classes by the probability (n, 1) of the second."""
    first = graph.node("Sub", graph.constant(np.array(1.0)), second)
    both = graph.node("Concat", first, second, axis=1)
    return by_argmax(both, classes, graph, both, decision=decision)


def shares(made: str, classes: int, graph: Graph) -> str:
    """Each row of (n, classes) numbers of at least 0 over its sum; where that is 0, all alike, as scikit-learn does."""
    total = graph.node("ReduceSum", made, graph.constant(np.array([1])), keepdims=1)
    none = graph.node("Equal", total, graph.constant(np.array(0.0)))
    alike = graph.constant(np.array(1.0 / classes))
    return str(graph.node("Where", none, alike, graph.node("Div", made, total)))


def outputs(answer: Answer, graph: Graph) -> dict[str, tuple[str, int, int | None]]:
    """What the file gives: name -> (tensor, element type, width or None for one axis)."""
    if answer.place is None or answer.classes is None:
        if answer.values is None:
            raise CannotConvert("the model answers nothing")
        width = None if answer.squeezed else answer.width
        made = answer.values
        for zeros in _unchecked(graph, 0.0):
            made = graph.node("Add", made, zeros)
        if answer.squeezed:
            made = graph.node("Squeeze", made, graph.constant(np.array([1])))
        return {PREDICTION: (made, DOUBLE, width)}
    kind = (
        STRING if answer.classes.dtype.kind == "O" else DOUBLE if answer.classes.dtype.kind == "f" else INT64
    )
    ordered = kind == INT64 and (answer.classes == np.arange(len(answer.classes))).all()
    place = answer.place
    for zeros in _unchecked(graph, 0):
        place = graph.node("Add", place, graph.node("Squeeze", zeros, graph.constant(np.array([1]))))
    chosen = place if ordered else graph.node("Gather", graph.constant(answer.classes), place)
    made_outputs: dict[str, tuple[str, int, int | None]] = {PREDICTION: (chosen, kind, None)}
    if answer.probability is not None:
        made_outputs[PROBABILITY] = (answer.probability, DOUBLE, len(answer.classes))
    return made_outputs


def _unchecked(graph: Graph, zero: float) -> list[str]:
    """Zeros (n, 1) that raise for an unknown value, of each strict column that nothing else looks up."""
    return [graph.node("Gather", graph.constant(np.full(count, zero)), codes)
            for codes, count in graph.strict.items() if codes not in graph.checked]  # fmt: skip


def _plain(classes: Any) -> np.ndarray:
    """Text as objects, whole numbers and truth values as int64."""
    if not isinstance(classes, np.ndarray):
        raise CannotConvert("several answers a row with classes of their own are not converted")
    if classes.dtype.kind in "OUS":
        values = classes.tolist()
        if all(isinstance(value, str) for value in values):
            return classes.astype(object)
        if not all(isinstance(value, (bool, int)) for value in values):
            raise CannotConvert("classes of mixed kinds are not converted")
    return classes.astype(np.int64) if classes.dtype.kind in "iubO" else classes.astype(np.float64)
