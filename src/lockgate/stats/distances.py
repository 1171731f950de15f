"""How far two samples lie apart: statistics that say how much (effect) beside p-values that say how sure.

With enough rows every p-value becomes small, so decisions are made on the effect, and p only guards against noise.
Numbers: arrays without missing values. Categories: counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from lockgate.late import late

if TYPE_CHECKING:
    from scipy import special, stats
else:
    special, stats = late("scipy.special"), late("scipy.stats")


@dataclass(frozen=True)
class Distance:
    """A distance (0: alike) and the probability of one as large if nothing differs."""

    value: float
    p: float


def ks(left: ArrayLike, right: ArrayLike, worth: tuple[float, float] | None = None) -> Distance:
    """The largest gap between two cumulative distributions, 0..1. `worth`: how many rows of strangers each sample is worth,
    where that is not its size.

    Source: Smirnov (1939); p from Kolmogorov's limit (1933), which is cautious in small samples.
    """
    first, second = _numbers(left), _numbers(right)
    if first.size == 0 or second.size == 0:
        return Distance(float("nan"), 1.0)
    first, second = np.sort(first), np.sort(second)
    places = np.concatenate([first, second])
    gaps = [np.searchsorted(values, places, side="right") / values.size for values in (first, second)]
    gap = float(np.abs(gaps[0] - gaps[1]).max())
    ours, theirs = worth or (first.size, second.size)
    rows = ours * theirs / (ours + theirs)
    return Distance(gap, float(special.kolmogorov(np.sqrt(rows) * gap)))


def wasserstein(left: ArrayLike, right: ArrayLike) -> float:
    """The mean way that values must travel, in standard deviations of `left` (its range if that is 0).

    Source: the first Wasserstein distance; scaled so that columns of different units compare.
    """
    first, second = _numbers(left), _numbers(right)
    if first.size == 0 or second.size == 0:
        return float("nan")
    scale = float(first.std()) or float(np.ptp(np.concatenate([first, second])))
    return float(stats.wasserstein_distance(first, second)) / scale if scale else 0.0


def chi_square_of_counts(counts: np.ndarray) -> Distance:
    """Counts of two samples, shape (2, categories): Cramer's V (0..1) as the distance, Pearson's chi-square for p.

    Categories that are expected fewer than five times are pooled. Sources: Pearson (1900); Cramer (1946), ch. 21.
    """
    counts = counts[:, counts.sum(axis=0) > 0]
    expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / max(counts.sum(), 1)
    rare = expected.min(axis=0, initial=np.inf) < 5
    if rare.any():
        counts = np.column_stack([counts[:, ~rare], counts[:, rare].sum(axis=1)])
        counts = counts[:, counts.sum(axis=0) > 0]
    if counts.shape[1] < 2 or (counts.sum(axis=1) == 0).any():
        return Distance(0.0, 1.0)
    found = stats.chi2_contingency(counts, correction=False)
    return Distance(float(np.sqrt(found.statistic / counts.sum())), float(found.pvalue))


def _numbers(values: ArrayLike) -> np.ndarray:
    return np.asarray(values, dtype=float).ravel()
