"""Have values moved, and by how much? Judged from two sketches, so rows may be counted in pieces, anywhere, once.

One scale for every kind of column: the distance of two normal distributions, in standard deviations, that differ as much.
Two normals `d` apart have the largest gap (Kolmogorov-Smirnov) and the total variation 2 Phi(d / 2) - 1, so gaps of numbers
and of categories translate. A column counts as moved when it is sure (corrected for the number of columns) and large enough
to matter: with many rows the size decides, with few the proof.

Numbers are held against each other in three ways, each sharp where the others are blunt: normal scores for place (as good
as the t test on normal values and better on others), the largest gap for shape, squared normal scores for spread.
Sources: van der Waerden (1952); Chernoff and Savage (1958); Smirnov (1939); Klotz (1962); Pearson (1900); Benjamini and
Hochberg (1995); Hajek and Sidak (1967) for scores of ties.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lockgate.late import late
from lockgate.stats.distances import chi_square_of_counts
from lockgate.stats.multiple import benjamini_hochberg
from lockgate.stats.sketch import NumberSketch, Sketch, WordSketch

if TYPE_CHECKING:
    from scipy import special
else:
    special = late("scipy.special")

FALSE_SHARE = 0.03  # Benjamini and Hochberg's q; if nothing moved, it is the chance of any alarm
MATTERS = 0.05  # standard deviations: less changes hardly an answer
_PLACE, _SHAPE, _SPREAD = (
    0.8,
    0.1,
    0.1,
)  # how the chance of error is shared out: most shifts are shifts of place
_WHOLE = 8.0  # two samples that share nothing lie that far apart: the scale ends somewhere


@dataclass(frozen=True)
class Shift:
    """How far the values of a column lie from the reference's.

    `effect`, with `low` and `high` at 95 %: standard deviations, 0 and more; `gap`: largest gap or total variation, 0..1;
    `place`: by how much numbers went up or down, None for words; `p`: of values as far apart if nothing moved.
    `missing_before` and `missing` are shares of rows, `missing_effect` and `missing_p` their own verdict.
    """

    effect: float
    low: float
    high: float
    p: float
    gap: float
    place: float | None
    rows_before: int
    rows: int
    missing_before: float = 0.0
    missing: float = 0.0
    missing_effect: float = 0.0
    missing_p: float = 1.0


@dataclass(frozen=True)
class Moved:
    """A column that moved: its values, the share of missing ones, or both."""

    column: str
    shift: Shift
    values: bool
    missing: bool

    @property
    def effect(self) -> float:
        """The larger of the two, in standard deviations."""
        return max(self.shift.effect * self.values, self.shift.missing_effect * self.missing)


def shift_of(reference: Sketch, current: Sketch, worth: tuple[float, float] = (1.0, 1.0)) -> Shift:
    """Two sketches over the same edges or names. Raises ValueError for others.

    `worth`: which share of its rows each is worth, where several are of one subject (`stats.clusters.worth_of`).
    """
    if isinstance(reference, NumberSketch) and isinstance(current, NumberSketch):
        if reference.edges != current.edges:
            raise ValueError("sketches over other edges cannot be compared")
        counts = np.array([reference.counts, current.counts], dtype=float) * np.array(worth)[:, None]
        return _with_missing(_numbers(counts), reference, current, worth)
    if isinstance(reference, WordSketch) and isinstance(current, WordSketch):
        if reference.values != current.values:
            raise ValueError("sketches over other values cannot be compared")
        counts = np.array([[*each.counts, each.other] for each in (reference, current)], dtype=float)
        return _with_missing(_words(counts * np.array(worth)[:, None]), reference, current, worth)
    raise ValueError("a sketch of numbers cannot be compared with one of words")


def moved(
    shifts: Mapping[str, Shift], *, false_share: float = FALSE_SHARE, matters: float = MATTERS
) -> list[Moved]:
    """The columns that surely moved by enough to matter, the farthest first, corrected for all questions asked."""
    asked = [(name, shift.p, True) for name, shift in shifts.items()]
    asked += [
        (name, shift.missing_p, False)
        for name, shift in shifts.items()
        if shift.missing_before + shift.missing > 0
    ]
    adjusted = benjamini_hochberg([p for _, p, _ in asked])
    sure = {
        (name, of_values) for (name, _, of_values), p in zip(asked, adjusted, strict=True) if p <= false_share
    }
    found = []
    for name, shift in shifts.items():
        values = (name, True) in sure and shift.effect >= matters
        missing = (name, False) in sure and shift.missing_effect >= matters
        if values or missing:
            found.append(Moved(name, shift, values, missing))
    return sorted(found, key=lambda each: -each.effect)


def as_deviations(gap: float) -> float:
    """How far two normal distributions lie apart, in standard deviations, whose largest gap is this share.

    >>> round(as_deviations(0.04), 3), as_deviations(0.0)
    (0.1, 0.0)
    """
    return min(2 * float(special.ndtri((1 + min(max(gap, 0.0), 1.0)) / 2)), _WHOLE)


def _numbers(counts: np.ndarray) -> Shift:
    rows = counts.sum(axis=1)
    if not rows.all():
        return _nothing(rows)
    scores = normal_scores(counts.sum(axis=0))
    place, z_place = _difference(counts, rows, scores)
    _, z_spread = _difference(counts, rows, scores**2)
    gap = float(np.abs(np.diff(np.cumsum(counts, axis=1) / rows[:, None], axis=0)).max())
    p_gap = float(special.kolmogorov(math.sqrt(rows.prod() / rows.sum()) * gap))
    p = min(_both_sides(z_place) / _PLACE, p_gap / _SHAPE, _both_sides(z_spread) / _SPREAD, 1.0)
    return _shift(max(min(abs(place), _WHOLE), as_deviations(gap)), p, gap, place, rows)


def normal_scores(pooled: np.ndarray) -> np.ndarray:
    """The mean normal score of each bin's ranks: (phi(a) - phi(b)) / (Phi(b) - Phi(a)) between its ends a and b."""
    ends = np.concatenate([[0.0], np.cumsum(pooled)]) / (pooled.sum() or 1.0)
    density = np.exp(-(special.ndtri(ends) ** 2) / 2) / math.sqrt(2 * math.pi)
    share = np.diff(ends)
    scores: np.ndarray = np.divide(
        density[:-1] - density[1:], share, out=np.zeros_like(share), where=share > 0
    )
    return scores


def _difference(counts: np.ndarray, rows: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Of the mean scores, in their standard deviations; and its z under permutation of rows."""
    pooled = counts.sum(axis=0)
    total = pooled.sum()
    centre = float(pooled @ scores) / total
    spread = math.sqrt(max(float(pooled @ (scores - centre) ** 2) / max(total - 1, 1), 0.0))
    if spread < 1e-12:
        return 0.0, 0.0
    means = counts @ scores / rows
    difference = float(means[1] - means[0]) / spread
    return difference, difference / math.sqrt(float((1 / rows).sum()))


def _words(counts: np.ndarray) -> Shift:
    rows = counts.sum(axis=1)
    if not rows.all():
        return _nothing(rows)
    shares = counts / rows[:, None]
    pooled = counts.sum(axis=0) / rows.sum()
    gap = float(np.abs(shares[1] - shares[0]).sum()) / 2
    # chance alone sets samples of many categories apart: its expectation is taken out
    by_chance = math.sqrt(float((1 / rows).sum()) / (2 * math.pi)) * float(
        np.sqrt(pooled * (1 - pooled)).sum()
    )
    beyond = math.sqrt(max(gap**2 - by_chance**2, 0.0))
    return _shift(as_deviations(beyond), chi_square_of_counts(counts).p, gap, None, rows)


def _with_missing(shift: Shift, reference: Sketch, current: Sketch, worth: tuple[float, float]) -> Shift:
    """The same, with how the share of missing values moved (chi-square of two shares, corrected for continuity)."""
    missing = np.array([reference.missing, current.missing], dtype=float) * worth
    rows = missing + np.array([_there(reference), _there(current)]) * worth
    if not rows.all():
        return shift
    shares = missing / rows
    pooled = float(missing.sum() / rows.sum())
    error = math.sqrt(pooled * (1 - pooled) * float((1 / rows).sum()))
    beyond = max(abs(float(shares[1] - shares[0])) - float((1 / rows).sum()) / 2, 0.0)
    return Shift(
        shift.effect, shift.low, shift.high, shift.p, shift.gap, shift.place, shift.rows_before, shift.rows,
        float(shares[0]), float(shares[1]), as_deviations(abs(float(shares[1] - shares[0]))),
        _both_sides(beyond / error) if error else 1.0,
    )  # fmt: skip


def _there(sketch: Sketch) -> int:
    return sketch.rows + (sketch.infinite if isinstance(sketch, NumberSketch) else 0)


def _shift(effect: float, p: float, gap: float, place: float | None, rows: np.ndarray) -> Shift:
    """With the interval of a gap between normals, pi/2 times as wide as that of their means (squared), plus the error of
    their spread (Hedges and Olkin 1985, chapter 5)."""
    error = 1.96 * math.sqrt(math.pi / 2 * float((1 / rows).sum()) + effect**2 / (2 * float(rows.sum())))
    return Shift(
        effect, max(effect - error, 0.0), effect + error, min(p, 1.0), gap, place, int(rows[0]), int(rows[1])
    )


def _nothing(rows: np.ndarray) -> Shift:
    return Shift(0.0, 0.0, 0.0, 1.0, 0.0, None, int(rows[0]), int(rows[1]))


def _both_sides(z: float) -> float:
    return math.erfc(abs(z) / math.sqrt(2))
