"""Part of the performance check: which range of one or two columns holds the most loss beyond what was to be expected.

A scan over all ranges: each is weighed by how far its mean lies above the rest in standard errors, so a range that is too
wide (diluted) or too narrow (few rows) weighs less than the true one. What was found is taken out and the scan repeated,
so overlapping slices come out as the one that explains most. Source: Kulldorff (1997), A spatial scan statistic, Comm.
Stat. Theory Meth. 26; subsets by two features as in Chung et al. (2019), Slice Finder, ICDE.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from lockgate.checks.performance.cells import Cells

MOST_SLICES = 5
PAIRED_COLUMNS = 40  # of more columns, those whose own ranges weigh most are paired
_ALONE = 0.9  # one column that weighs nearly as much as a pair says the same in fewer words
_WEIGHT = 3.0  # standard errors on the half that is searched; what is less is never confirmed


@dataclass(frozen=True)
class Range:
    """A range of one or two columns by their places and the places of their ranges; `weight` in standard errors."""

    parts: tuple[tuple[int, int], ...]
    weight: float

    def holds(self, cells: list[Cells]) -> np.ndarray:
        """Which rows lie in it."""
        inside = np.ones(cells[0].codes.size, dtype=bool)
        for column, place in self.parts:
            inside &= cells[column].holds(place)
        return inside

    def name(self, cells: list[Cells]) -> str:
        """For people: `age < 25 and sex = f`."""
        return " and ".join(cells[column].names[place] for column, place in self.parts)


def scan(
    cells: list[Cells],
    loss: np.ndarray,
    rows: np.ndarray,
    *,
    gap: float,
    min_rows: int,
    most: int = MOST_SLICES,
) -> list[Range]:
    """Up to `most` ranges, found one after the other on `rows` (indices), each among the rows left over.

    A range has at least `min_rows` rows and a mean loss at least `gap` above that of the other rows left.
    """
    found: list[Range] = []
    left = rows
    while len(found) < most and left.size >= 2 * min_rows:
        best = _best(cells, loss, left, gap=gap, min_rows=min_rows)
        if best is None:
            break
        found.append(best)
        left = left[~best.holds(cells)[left]]
    return found


def _best(
    cells: list[Cells], loss: np.ndarray, rows: np.ndarray, *, gap: float, min_rows: int
) -> Range | None:
    values = loss[rows]
    if not float(np.ptp(values)):
        return None
    codes = [each.codes[rows] for each in cells]
    weigh = _Scale(float(values.sum()), rows.size, float(values.std()), gap, min_rows)
    alone = [_alone(each, code, values, weigh) for each, code in zip(cells, codes, strict=True)]
    singles = [Range(((column, place),), weight) for column, (weight, place, _) in enumerate(alone)]
    order = sorted(range(len(cells)), key=lambda column: -alone[column][2])[:PAIRED_COLUMNS]
    single = max(singles, key=lambda each: each.weight, default=None)
    pair = max(_pairs(cells, codes, values, weigh, order), key=lambda each: each.weight, default=None)
    kept = [each for each in (single, pair) if each is not None and each.weight >= _WEIGHT]
    if len(kept) == 2 and kept[0].weight >= _ALONE * kept[1].weight:
        return kept[0]
    return max(kept, key=lambda each: each.weight, default=None)


@dataclass(frozen=True)
class _Scale:
    total: float
    rows: int
    deviation: float
    gap: float
    min_rows: int

    def weights(self, sums: np.ndarray, counts: np.ndarray, gap: float | None = None) -> np.ndarray:
        """Standard errors above the rest, for each range; -inf for those that are too small in rows or effect."""
        outside = self.rows - counts
        fits = (counts >= self.min_rows) & (outside >= self.min_rows)
        inside, other = np.where(fits, counts, 1.0), np.where(fits, outside, 1.0)
        effect = sums / inside - (self.total - sums) / other
        weight = effect / (self.deviation * np.sqrt(1 / inside + 1 / other))
        kept: np.ndarray = np.where(fits & (effect >= (self.gap if gap is None else gap)), weight, -np.inf)
        return kept


def _alone(each: Cells, code: np.ndarray, values: np.ndarray, weigh: _Scale) -> tuple[float, int, float]:
    """The weight and place of a column's best range, and its weight whatever the effect's size."""
    sums = each.ranges @ np.bincount(code, values, each.count)
    counts = each.ranges @ np.bincount(code, minlength=each.count)
    weights = weigh.weights(sums, counts)
    place = int(np.argmax(weights))
    return float(weights[place]), place, float(weigh.weights(sums, counts, -np.inf).max())


def _pairs(
    cells: list[Cells], codes: list[np.ndarray], values: np.ndarray, weigh: _Scale, order: list[int]
) -> Iterator[Range]:
    """The best rectangle of every two columns."""
    for at, first in enumerate(order):
        one = cells[first]
        for second in order[at + 1 :]:
            two = cells[second]
            joint, size = codes[first] * two.count + codes[second], one.count * two.count
            shape = (one.count, two.count)
            sums = one.ranges @ np.bincount(joint, values, size).reshape(shape) @ two.ranges.T
            counts = one.ranges @ np.bincount(joint, minlength=size).reshape(shape) @ two.ranges.T
            weights = weigh.weights(sums, counts)
            place = int(np.argmax(weights))
            if np.isfinite(weights.flat[place]):
                row, column = divmod(place, weights.shape[1])
                yield Range(((first, row), (second, column)), float(weights.flat[place]))
