"""Part of the parity check: which cells of two sets of answers differ, and what the rows have in common where they do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.evidence import Answers
from lockgate.checks.finding import Cell
from lockgate.checks.values import numbers_of

_FEWEST = 3  # differing rows before anything can be said of what they have in common
_MOST_VALUES = 50


@dataclass(frozen=True, eq=False)
class Differences:
    """`rows` (k,) that differ anywhere, ascending; `cells`: row, column, usual, other; `largest` of all numbers."""

    rows: np.ndarray
    cells: list[tuple[int, str, Cell, Cell]]
    largest: float


def differences(usual: Answers, other: Answers, tolerance: float) -> Differences:
    """Decisions are the same or not; numbers may differ by `tolerance`, absolute and relative; NaN is like NaN.

    A decision whose score lies on the threshold, within the tolerance, is a tie and may fall either way.
    """
    columns = [("decision", usual.decisions, other.decisions)]
    if usual.scores is not None and other.scores is not None and usual.decisions.dtype == object:
        columns.append(("score", usual.scores, other.scores))
    if usual.probabilities is not None and other.probabilities is not None:
        pairs = zip(usual.probabilities.T, other.probabilities.T, strict=True)
        columns += [(f"probability {place + 1}", left, right) for place, (left, right) in enumerate(pairs)]
    cells: list[tuple[int, str, Cell, Cell]] = []
    rows: set[int] = set()
    largest = 0.0
    for name, left, right in columns:
        unlike, apart = _unlike(left, right, tolerance)
        largest = max(largest, apart)
        if name == "decision":
            unlike &= ~_ties(usual, tolerance)
        found = np.flatnonzero(unlike).tolist()
        rows |= set(found)
        cells += [(row, name, _cell(left[row]), _cell(right[row])) for row in found]
    return Differences(np.array(sorted(rows), dtype=int), sorted(cells, key=lambda cell: cell[0]), largest)


def pattern(rows: pl.DataFrame, inputs: Sequence[str], differs: np.ndarray) -> str:
    """What the differing rows have in common and no other row does, in words; empty where nothing is.

    >>> frame = pl.DataFrame({"age": [1.0, None, None, 4.0, None, 6.0]})
    >>> pattern(frame, ["age"], np.array([False, True, True, False, True, False]))
    'they differ only where age is missing, and always there'
    """
    if differs.sum() < _FEWEST or differs.all():
        return ""
    for name in inputs:
        if name not in rows.columns or rows[name].dtype.is_nested():
            continue
        said = _said(rows[name], name, differs)
        if said:
            return said
    return ""


def _said(series: pl.Series, name: str, differs: np.ndarray) -> str:
    missing = series.is_null().to_numpy()
    if missing[differs].all() and not missing.all():
        return _always(f"{name} is missing", missing, differs)
    if series.dtype == pl.String and series.n_unique() <= _MOST_VALUES:
        values = series.filter(pl.Series(differs)).unique().to_list()
        if len(values) == 1 and series.n_unique() > 1:
            return _always(
                f"{name} is '{values[0]}'", (series == values[0]).fill_null(False).to_numpy(), differs
            )
    if series.dtype.is_numeric():
        numbers = numbers_of(series)
        if not np.isfinite(numbers[differs]).all():
            return ""
        low, high = float(numbers[differs].min()), float(numbers[differs].max())
        rest = numbers[~differs & np.isfinite(numbers)]
        if rest.size and low > rest.max():
            return f"they differ where {name} is {figure(low)} or more, and only there"
        if rest.size and high < rest.min():
            return f"they differ where {name} is {figure(high)} or less, and only there"
    return ""


def _always(where: str, there: np.ndarray, differs: np.ndarray) -> str:
    return f"they differ only where {where}" + (", and always there" if bool(differs[there].all()) else "")


def _ties(answers: Answers, tolerance: float) -> np.ndarray:
    """Rows of two classes whose score lies on the threshold: one half, or what parts the two classes' scores."""
    none = np.zeros(len(answers.decisions), dtype=bool)
    names = sorted(set(answers.decisions.tolist()), key=str) if answers.scores is not None else []
    if answers.scores is None or len(names) != 2:
        return none
    scores = np.asarray(answers.scores, dtype=float)
    if not np.isfinite(scores).all():
        return none
    sides = sorted((scores[answers.decisions == name] for name in names), key=np.mean)
    low, high = float(sides[0].max()), float(sides[1].min())
    threshold = 0.5 if low <= 0.5 <= high else (low + high) / 2
    return np.asarray(np.abs(scores - threshold) <= tolerance)


def _unlike(left: np.ndarray, right: np.ndarray, tolerance: float) -> tuple[np.ndarray, float]:
    if "O" in {left.dtype.kind, right.dtype.kind}:
        return np.array(
            [one != two for one, two in zip(left.tolist(), right.tolist(), strict=True)], dtype=bool
        ), 0.0
    one, two = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    with np.errstate(invalid="ignore"):
        apart = np.abs(one - two)
    finite = apart[np.isfinite(apart)]
    return ~np.isclose(two, one, rtol=tolerance, atol=tolerance, equal_nan=True), float(
        finite.max(initial=0.0)
    )


def _cell(value: object) -> Cell:
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, str | int | float | bool | None) else str(value)
