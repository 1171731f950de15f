"""Part of the parity check: which cells of two sets of answers differ."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.checks.evidence import Answers
from lockgate.checks.finding import Cell

PROBABILITY = "probability "  # a column each class


@dataclass(frozen=True, eq=False)
class Column:
    """One column of two answers to the same n rows, and in which of them it differs (n truth values)."""

    name: str
    usual: np.ndarray
    other: np.ndarray
    differs: np.ndarray


@dataclass(frozen=True, eq=False)
class Differences:
    """`columns`: what both ways answer; `rows` (k,): those that differ anywhere, ascending; `largest` of all numbers."""

    columns: list[Column]
    rows: np.ndarray
    largest: float

    def cells(self, most: int) -> list[tuple[int, str, Cell, Cell]]:
        """Row, column, usual, other: the first `most` cells that differ, by row."""
        found = [
            (row, place)
            for place, column in enumerate(self.columns)
            for row in np.flatnonzero(column.differs)[:most].tolist()
        ]
        return [
            (row, (column := self.columns[place]).name, _cell(column.usual[row]), _cell(column.other[row]))
            for row, place in sorted(found)[:most]
        ]


def differences(usual: Answers, other: Answers, tolerance: float) -> Differences:
    """Decisions are the same or not; numbers may differ by `tolerance`, absolute and relative; NaN is like NaN.

    What only one of the two answers is passed over. A decision whose score lies on the threshold, within the tolerance, is a
    tie and may fall either way.
    """
    pairs: list[tuple[str, np.ndarray, np.ndarray]] = []
    if not (_nothing(usual.decisions) or _nothing(other.decisions)):
        name = "decision" if usual.decisions.dtype == object else "answer"
        pairs.append((name, usual.decisions, other.decisions))
    if usual.scores is not None and other.scores is not None and usual.decisions.dtype == object:
        pairs.append(("score", usual.scores, other.scores))
    if usual.probabilities is not None and other.probabilities is not None:
        wide = zip(usual.probabilities.T, other.probabilities.T, strict=True)
        pairs += [(f"{PROBABILITY}{place + 1}", left, right) for place, (left, right) in enumerate(wide)]
    pairs += [
        (name, usual.further[name], other.further[name]) for name in usual.further if name in other.further
    ]
    columns, largest = [], 0.0
    for name, left, right in pairs:
        unlike, apart = _unlike(left, right, tolerance)
        largest = max(largest, apart)
        columns.append(
            Column(name, left, right, unlike & ~_ties(usual, tolerance) if name == "decision" else unlike)
        )
    found = np.any([column.differs for column in columns], axis=0) if columns else np.zeros(0, dtype=bool)
    return Differences(columns, np.flatnonzero(found), largest)


def _nothing(decisions: np.ndarray) -> bool:
    """Whether no decision was given at all."""
    return decisions.dtype == object and all(each is None for each in decisions.tolist())


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
    """Which of n pairs differ, and the largest difference of numbers."""
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
