"""Intervals for one share, one mean, a difference of two shares, and any figure by resampling.

All are two-sided at `level` (default 0.95) and return `Interval(value, low, high)`. Missing values are the caller's to
remove; fewer values than a formula needs give an interval that says nothing (as wide as the figure can be).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from lockgate.errors import InvalidInput
from lockgate.late import late

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

LEVEL = 0.95
_ROWS_BUDGET = 6_000_000  # rows a bootstrap may touch in all: keeps a hundred thousand rows within seconds


@dataclass(frozen=True)
class Interval:
    """A figure and the range that holds it at the asked level."""

    value: float
    low: float
    high: float

    def holds(self, other: float) -> bool:
        """Whether `other` lies within the range."""
        return self.low <= other <= self.high


def wilson(hits: float, of: float, level: float = LEVEL) -> Interval:
    """A share's interval that behaves near 0 and 1. Source: Wilson (1927), Probable inference, JASA 22.

    >>> interval = wilson(0, 100)
    >>> round(interval.low, 4), round(interval.high, 4)
    (0.0, 0.037)
    """
    _refuse_counts(hits, of)
    if of == 0:
        return Interval(float("nan"), 0.0, 1.0)
    z = stats.norm.ppf((1 + level) / 2)
    share = hits / of
    centre = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    # rounding may push a bound past the share itself at 0 and 1
    return Interval(
        share, min(share, max(0.0, float(centre - half))), max(share, min(1.0, float(centre + half)))
    )


def mean_interval(values: ArrayLike, level: float = LEVEL) -> Interval:
    """A mean's interval by Student's t. Source: Student (1908), Biometrika 6. One value: no bounds."""
    array = np.asarray(values, dtype=float)
    if array.size < 2:
        value = float(array[0]) if array.size else float("nan")
        return Interval(value, float("-inf"), float("inf"))
    mean = float(array.mean())
    half = float(stats.t.ppf((1 + level) / 2, array.size - 1) * array.std(ddof=1) / np.sqrt(array.size))
    return Interval(mean, mean - half, mean + half)


def share_difference(
    hits: float, of: float, other_hits: float, other_of: float, level: float = LEVEL
) -> Interval:
    """`hits/of - other_hits/other_of` of two separate groups. Source: Newcombe (1998), Stat. Med. 17, method 10."""
    left, right = wilson(hits, of, level), wilson(other_hits, other_of, level)
    if of == 0 or other_of == 0:
        return Interval(float("nan"), -1.0, 1.0)
    value = left.value - right.value
    low = value - np.hypot(left.value - left.low, right.high - right.value)
    high = value + np.hypot(left.high - left.value, right.value - right.low)
    return Interval(value, max(-1.0, float(low)), min(1.0, float(high)))


def share_ratio(hits: float, of: float, other_hits: float, other_of: float, level: float = LEVEL) -> Interval:
    """`(hits/of) / (other_hits/other_of)` of two separate groups; the bounds come from the logarithm.

    Half a row is added to each count for the bounds, so that none is infinite. An empty group, or a second share of 0,
    gives NaN within 0 and infinity. Source: Katz et al. (1978), Biometrics 34 (469-474); the half rows: Pettigrew et al.
    (1986), Biometrika 73.

    >>> found = share_ratio(30, 100, 60, 100)
    >>> round(found.value, 2), round(found.low, 2), round(found.high, 2)
    (0.5, 0.36, 0.71)
    """
    _refuse_counts(hits, of)
    _refuse_counts(other_hits, other_of)
    if of == 0 or other_of == 0 or other_hits == 0:
        return Interval(float("nan"), 0.0, float("inf"))
    value = (hits / of) / (other_hits / other_of)
    z = stats.norm.ppf((1 + level) / 2)
    centre = np.log((hits + 0.5) / (of + 0.5)) - np.log((other_hits + 0.5) / (other_of + 0.5))
    half = z * np.sqrt(1 / (hits + 0.5) - 1 / (of + 0.5) + 1 / (other_hits + 0.5) - 1 / (other_of + 0.5))
    low, high = float(np.exp(centre - half)), float(np.exp(centre + half))
    return Interval(value, min(low, value), max(high, value))


def paired_share_difference(gained: int, lost: int, of: int, level: float = LEVEL) -> Interval:
    """`(gained - lost) / of` on the same `of` rows, where `gained` rows are true in the new only, `lost` in the old only.

    Wald's interval after adding half a row to each cell. Source: Agresti and Min (2005), Stat. Med. 24 (729-740).
    """
    _refuse_counts(gained + lost, of)
    if of == 0:
        return Interval(float("nan"), -1.0, 1.0)
    z = stats.norm.ppf((1 + level) / 2)
    up, down, n = gained + 0.5, lost + 0.5, of + 2.0
    centre = (up - down) / n
    half = z * np.sqrt((up + down) - (up - down) ** 2 / n) / n
    value = (gained - lost) / of
    return Interval(
        value, max(-1.0, float(min(centre - half, value))), min(1.0, float(max(centre + half, value)))
    )


def bootstrap(
    figure: Callable[[np.ndarray], float],
    rows: int,
    *,
    level: float = LEVEL,
    times: int = 300,
    seed: int = 0,
    clusters: np.ndarray | None = None,
) -> Interval:
    """Any figure of `rows` rows: `figure(index)` is computed on rows drawn with replacement; percentile interval.

    `clusters` (rows,): numbers 0, 1, ... of clusters, which are drawn whole then. A draw whose figure is not finite (one
    class only) is left out; with fewer than half left the bounds are infinite. `times` is lowered (not below 100) for very
    large tables. Source: Efron (1979), Annals of Statistics 7.
    """
    value = float(figure(np.arange(rows)))
    generator = np.random.default_rng(seed)
    count = max(100, min(times, _ROWS_BUDGET // max(rows, 1)))
    drawn = np.array([figure(_redrawn(rows, clusters, generator)) for _ in range(count)], dtype=float)
    return percentiles(value, drawn, level)


def percentiles(value: float, drawn: np.ndarray, level: float = LEVEL) -> Interval:
    """The interval of a figure from its values on redrawn rows; those that are not finite count as no value."""
    count, drawn = drawn.size, drawn[np.isfinite(drawn)]
    if not count or drawn.size < count / 2:
        return Interval(value, float("-inf"), float("inf"))
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


def _redrawn(rows: int, clusters: np.ndarray | None, generator: np.random.Generator) -> np.ndarray:
    if clusters is None:
        return generator.integers(0, rows, rows)
    count = int(clusters.max(initial=-1)) + 1
    often = np.bincount(generator.integers(0, count, count), minlength=count)
    return np.repeat(np.arange(rows), often[clusters])


def _refuse_counts(hits: float, of: float) -> None:
    if hits < 0 or of < hits:
        raise InvalidInput(
            "a share counts hits among rows", got=f"{hits} of {of}", allowed="0 <= hits <= rows"
        )
