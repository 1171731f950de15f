"""Intervals where rows come in clusters: several rows of one person, one machine, one query.

Rows of a cluster are alike, so they tell less than as many rows of strangers. The sum of each cluster counts as one
observation. Source: Liang and Zeger (1986), Longitudinal data analysis using generalized linear models, Biometrika 73;
effective numbers of rows: Kish (1965), Survey sampling. Clusters are numbered 0, 1, ..., shape (n,).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from lockgate.late import late
from lockgate.stats.distances import Distance, ks
from lockgate.stats.intervals import LEVEL, Interval, mean_interval, paired_share_difference, wilson

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

_PLACES = np.linspace(
    0.1, 0.9, 9
)  # of the pooled values, at which it is seen what rows of a cluster are worth


def covariance_of_sums(parts: ArrayLike, clusters: np.ndarray) -> np.ndarray:
    """Covariance matrix (k, k) of k sums over n rows, `parts` (k, n) with rows of mean 0, whose clusters are independent.

    Fewer than two clusters give NaN: nothing is known of chance then.
    """
    rows = np.atleast_2d(np.asarray(parts, dtype=float))
    count = int(clusters.max(initial=-1)) + 1
    if count < 2:
        return np.full((len(rows), len(rows)), np.nan)
    sums = np.vstack([np.bincount(clusters, row, count) for row in rows])
    total: np.ndarray = sums @ sums.T * count / (count - 1)
    return total


def clustered_mean(values: ArrayLike, clusters: np.ndarray, level: float = LEVEL) -> Interval:
    """A mean over rows, by Student's t on the clusters. One cluster: no bounds.

    >>> from lockgate.stats.intervals import mean_interval
    >>> alone, found = np.array([1.0, 2.0, 4.0]), mean_interval([1.0, 2.0, 4.0])
    >>> same = clustered_mean(alone.repeat(5), np.arange(3).repeat(5))  # five copies of a row tell what the row tells
    >>> round(same.low, 6) == round(found.low, 6), round(same.high, 6) == round(found.high, 6)
    (True, True)
    """
    array = np.asarray(values, dtype=float)
    value = float(array.mean()) if array.size else float("nan")
    return _student(value, (array - value) / max(array.size, 1), clusters, level)


def clustered_share(hits: ArrayLike, clusters: np.ndarray, level: float = LEVEL) -> Interval:
    """A share of n rows: Wilson's interval for as many rows as the clusters are worth (never more than there are).

    Source: Kish (1965) for the effective number; Wilson (1927) for the interval, here with Student's t.
    """
    array = np.asarray(hits, dtype=float)
    count = int(clusters.max(initial=-1)) + 1
    if count < 2:
        return Interval(float(array.mean()) if array.size else float("nan"), 0.0, 1.0)
    share, rows = float(array.mean()), worth_of(array, clusters)
    t = float(stats.t.ppf((1 + level) / 2, count - 1))
    centre = (share + t * t / (2 * rows)) / (1 + t * t / rows)
    half = t / (1 + t * t / rows) * np.sqrt(share * (1 - share) / rows + t * t / (4 * rows * rows))
    return Interval(
        share, min(share, max(0.0, float(centre - half))), max(share, min(1.0, float(centre + half)))
    )


def worth_of(hits: ArrayLike, clusters: np.ndarray) -> float:
    """How many rows of strangers would tell a share of n rows as surely: at most n (Kish 1965). One cluster is worth one row.

    >>> worth_of([True, True, False, False], np.array([0, 0, 1, 1])) <= 2
    True
    """
    array = np.asarray(hits, dtype=float)
    numbers = np.unique(clusters, return_inverse=True)[1]
    share, count = float(array.mean()), int(numbers.max(initial=-1)) + 1
    together = float(covariance_of_sums((array - share) / array.size, numbers)[0, 0]) if count > 1 else 0.0
    # without a miss no variance is seen: then as if all rows of a cluster were one
    return min(array.size, share * (1 - share) / together) if together > 0 else float(count)


def mean_by(values: ArrayLike, clusters: np.ndarray | None, level: float = LEVEL) -> Interval:
    """A mean over rows, over clusters where there are some; their numbers may have gaps, as of a part of a table."""
    if clusters is None:
        return mean_interval(values, level)
    return clustered_mean(values, np.unique(clusters, return_inverse=True)[1], level)


def share_by(hits: ArrayLike, clusters: np.ndarray | None, level: float = LEVEL) -> Interval:
    """A share of rows, over clusters where there are some; their numbers may have gaps, as of a part of a table.

    >>> hits = np.array([True, False, False, False])
    >>> share_by(hits, None).high < share_by(hits, np.array([3, 3, 8, 8])).high
    True
    """
    array = np.asarray(hits, dtype=bool)
    if clusters is None:
        return wilson(int(array.sum()), array.size, level)
    return clustered_share(array, np.unique(clusters, return_inverse=True)[1], level)


def paired_share_by(new: ArrayLike, old: ArrayLike, clusters: np.ndarray | None) -> Interval:
    """By how much a share of n rows changed, `new - old` row by row, over clusters where there are some.

    >>> gone = paired_share_by(np.zeros(40, bool), np.arange(40) < 8, None)
    >>> gone.value, gone.high < 0
    (-0.2, True)
    """
    now, was = np.asarray(new, dtype=bool), np.asarray(old, dtype=bool)
    if clusters is None:
        return paired_share_difference(int((now & ~was).sum()), int((was & ~now).sum()), now.size)
    return mean_by(now.astype(float) - was, clusters)


def ks_by(
    left: ArrayLike, right: ArrayLike, clusters: tuple[np.ndarray | None, np.ndarray | None]
) -> Distance:
    """Kolmogorov and Smirnov's distance of two samples, its p over clusters where either has some.

    Each sample counts as the fewest rows of strangers that its shares below the deciles of both are worth (Kish 1965).
    """
    first, second = (np.asarray(each, dtype=float).ravel() for each in (left, right))
    if (clusters[0] is None and clusters[1] is None) or not first.size or not second.size:
        return ks(first, second)
    places = np.unique(np.quantile(np.concatenate([first, second]), _PLACES))

    def worth(values: np.ndarray, numbers: np.ndarray | None) -> float:
        return values.size if numbers is None else min(worth_of(values <= place, numbers) for place in places)

    return ks(first, second, worth=(worth(first, clusters[0]), worth(second, clusters[1])))


@dataclass(frozen=True)
class Difference:
    """Of two means: its size, its standard deviation, the degrees of freedom (0 where nothing is known of chance)."""

    value: float
    deviation: float
    freedom: int

    @property
    def p(self) -> float:
        """How likely a difference of that size or more is by chance, either way."""
        if not self.freedom:
            return 1.0
        if not self.deviation:
            return float(self.value == 0)
        return float(2 * stats.t.sf(abs(self.value) / self.deviation, self.freedom))


def clustered_difference(inside: np.ndarray, values: np.ndarray, clusters: np.ndarray) -> Difference:
    """The mean of the rows `inside` (n truth values) minus that of the others; a cluster may have rows on both sides."""
    if not inside.any() or inside.all():
        return Difference(0.0, 0.0, 0)
    mine, rest = float(values[inside].mean()), float(values[~inside].mean())
    parts = np.where(inside, (values - mine) / inside.sum(), (rest - values) / (~inside).sum())
    numbers = np.unique(clusters, return_inverse=True)[1]
    variance = float(covariance_of_sums(parts, numbers)[0, 0])
    if not np.isfinite(variance):
        return Difference(mine - rest, 0.0, 0)
    return Difference(mine - rest, float(np.sqrt(variance)), int(numbers.max()))


def clustered_excess(
    inside: np.ndarray, values: np.ndarray, clusters: np.ndarray, chance: float
) -> tuple[float, float]:
    """That difference and its one-sided lower bound at `chance`; -inf where nothing is known of chance."""
    found = clustered_difference(inside, values, clusters)
    if not found.freedom:
        return found.value, float("-inf")
    return found.value, found.value - float(stats.t.ppf(1 - chance, found.freedom)) * found.deviation


def _student(value: float, parts: np.ndarray, clusters: np.ndarray, level: float) -> Interval:
    count = int(clusters.max(initial=-1)) + 1
    deviation = float(np.sqrt(covariance_of_sums(parts, clusters)[0, 0]))
    if count < 2 or not np.isfinite(deviation):
        return Interval(value, float("-inf"), float("inf"))
    half = float(stats.t.ppf((1 + level) / 2, count - 1)) * deviation
    return Interval(value, value - half, value + half)
