"""A quick look at a batch's answer: surely fine, or to be looked at closely by `inference.validate.check_outputs`.

The close look names the reason and the requests that it touches; nearly every batch needs none. What the signature
says is worked out once, at load time; a few cells are looked at as Python numbers, which costs less than one call of numpy.
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from lockgate.inference.validate import RANGE_TOLERANCE, SUM_TOLERANCE
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Answer
from lockgate.registry.signature import Field, Signature

Look = Callable[[np.ndarray], bool]
FEW = 64  # cells
_LEAST, _MOST = -RANGE_TOLERANCE, 1.0 + RANGE_TOLERANCE


def quick_look(signature: Signature, answer: Answer) -> Callable[[Columns, int], bool]:
    """A function of an answer and its number of rows: true only when `check_outputs` would find nothing."""
    plan = [(field.name, field.shape, _looks(field, answer)) for field in signature.outputs]

    def fine(columns: Columns, rows: int) -> bool:
        for name, shape, looks in plan:
            array = columns.get(name)
            if array is None or array.shape != (rows, *shape):
                return False
            for look in looks:
                if not look(array):
                    return False
        return True

    return fine


def _looks(field: Field, answer: Answer) -> list[Look]:
    looks: list[Look] = []
    if field.name == answer.probability:
        looks.append(_sums_to_one if len(field.shape) == 1 and field.shape[0] != 1 else _within)
    elif not field.nullable:
        looks.append(_finite)
    if field.name == answer.prediction and answer.classes is not None and field.shape == ():
        looks.append(_known(frozenset(answer.classes)))
    return looks


def _finite(array: np.ndarray) -> bool:
    if array.dtype.kind != "f":
        return True
    if array.size <= FEW:
        return all(map(isfinite, array.ravel().tolist()))
    return bool(np.isfinite(array).all())


def _within(array: np.ndarray) -> bool:
    """Each within 0..1; NaN is not."""
    if array.size <= FEW:
        cells = array.ravel().tolist()
        return min(cells) >= _LEAST and max(cells) <= _MOST and isfinite(sum(cells))
    least, most = np.minimum.reduce(array, axis=None), np.maximum.reduce(array, axis=None)
    return bool(least >= _LEAST and most <= _MOST)


def _sums_to_one(array: np.ndarray) -> bool:
    """Each within 0..1, and each row sums to one; a NaN makes the sum NaN."""
    if array.size > FEW:
        sums = np.add.reduce(array, axis=1, dtype=np.float64)
        return _within(array) and bool(np.maximum.reduce(np.abs(sums - 1.0)) <= SUM_TOLERANCE)
    for row in array.tolist():
        if not (
            -SUM_TOLERANCE <= sum(row) - 1.0 <= SUM_TOLERANCE and min(row) >= _LEAST and max(row) <= _MOST
        ):
            return False
    return True


def _known(classes: frozenset[Any]) -> Look:
    """Only classes that the model learned."""

    def look(array: np.ndarray) -> bool:
        return classes.issuperset(array.tolist())

    return look
