"""Scalers taken into thresholds: where does f(x) <= t end, when f is a chain of scalings and roundings?

Rounded addition and multiplication never turn an order round (IEEE 754, section 4.3), so f(x) <= t holds up to some
double and not beyond. That double is found by halving over all doubles, with f computed as numpy computes it for
scikit-learn: the comparison x <= that double gives the same answer for every x, to the last bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .parts import DIV, MUL, Step

Array = np.ndarray
INFINITY = 0x7FF0000000000000  # its bits; the bits of positive doubles are ordered as they are
SIGN = np.int64(-0x8000000000000000)


def rising(steps: Sequence[Step]) -> bool:
    """Whether a greater x never gives a smaller result."""
    return all((step.values > 0).all() for step in steps if step.act in (MUL, DIV))


def after(numbers: Array, steps: Sequence[Step], single: bool) -> Array:
    """Numbers (n,) of one column after its steps, rounded to float32 where `single`."""
    with np.errstate(all="ignore"):
        for step in steps:
            numbers = step.apply(numbers)
        return numbers.astype(np.float32).astype(np.float64) if single else numbers


def largest_below(thresholds: Array, steps: Sequence[Step], single: bool) -> Array:
    """For each threshold (n,) the largest double x of which `after(x) <= threshold`; -infinity when there is none.

    >>> largest_below(np.array([1.0]), (), True)[0] == 1 + 2.0**-24  # the last that rounds to 1
    True
    """
    low = np.full(len(thresholds), -INFINITY)  # holds; the bits of doubles as ordered whole numbers
    high = np.full(len(thresholds), INFINITY)  # does not hold
    for _ in range(65):
        middle = (low >> 1) + (high >> 1) + (low & high & 1)
        holds = after(_doubles(middle), steps, single) <= thresholds
        low, high = np.where(holds, middle, low), np.where(holds, high, middle)
    return _doubles(low)


def _doubles(ordered: Array) -> Array:
    return np.where(ordered >= 0, ordered, SIGN - ordered).view(np.float64)
