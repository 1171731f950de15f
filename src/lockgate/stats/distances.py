"""How far two samples lie apart: statistics that say how much (effect) beside p-values that say how sure.

With enough rows every p-value becomes small, so decisions are made on the effect, and p only guards against noise.
Numbers: arrays without missing values. Categories: arrays of any hashable values, or counts.
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

PSI_BINS = 10
_FLOOR = 1e-4  # an empty bin counts as this share, else one absent value makes PSI infinite


@dataclass(frozen=True)
class Distance:
    """A distance (0: alike) and the probability of one as large if nothing differs."""

    value: float
    p: float


def ks(left: ArrayLike, right: ArrayLike) -> Distance:
    """The largest gap between two cumulative distributions, 0..1.

    Source: Smirnov (1939); p from Kolmogorov's limit (1933), which is cautious in small samples.
    """
    first, second = _numbers(left), _numbers(right)
    if first.size == 0 or second.size == 0:
        return Distance(float("nan"), 1.0)
    first, second = np.sort(first), np.sort(second)
    places = np.concatenate([first, second])
    gaps = [np.searchsorted(values, places, side="right") / values.size for values in (first, second)]
    gap = float(np.abs(gaps[0] - gaps[1]).max())
    rows = first.size * second.size / (first.size + second.size)
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


def psi(left: ArrayLike, right: ArrayLike, bins: int = PSI_BINS) -> float:
    """Population stability index over quantile bins of `left`. Source: Siddiqi (2006), Credit Risk Scorecards.

    Custom: below 0.1 stable, above 0.25 shifted. It grows with noise in small samples; see the sample sizes beside it.
    """
    first, second = _numbers(left), _numbers(right)
    if first.size == 0 or second.size == 0:
        return float("nan")
    edges = np.unique(np.quantile(first, np.linspace(0, 1, bins + 1)[1:-1]))
    # "left" puts a value equal to an edge below it, so a column of few values keeps one bin for each
    shares = [
        np.bincount(np.searchsorted(edges, values, side="left"), minlength=edges.size + 1) / values.size
        for values in (first, second)
    ]
    return psi_of_shares(*shares)


def psi_of_shares(left: ArrayLike, right: ArrayLike) -> float:
    """PSI of two lists of shares over the same bins or categories."""
    first = np.maximum(np.asarray(left, dtype=float), _FLOOR)
    second = np.maximum(np.asarray(right, dtype=float), _FLOOR)
    return float(np.sum((second - first) * np.log(second / first)))


def jensen_shannon(left: ArrayLike, right: ArrayLike) -> float:
    """Distance of two lists of shares, 0 (equal) .. 1 (nothing in common): the root of the divergence in bits.

    Source: Lin (1991), IEEE Trans. Information Theory 37; Endres and Schindelin (2003) for the root.
    """
    first, second = np.asarray(left, dtype=float), np.asarray(right, dtype=float)
    first, second = first / first.sum(), second / second.sum()
    middle = (first + second) / 2
    total = 0.0
    for shares in (first, second):
        there = shares > 0
        total += float(np.sum(shares[there] * np.log2(shares[there] / middle[there]))) / 2
    return float(np.sqrt(max(0.0, total)))


def chi_square(left: ArrayLike, right: ArrayLike) -> Distance:
    """Two samples of categories: Cramer's V (0..1) as the distance, Pearson's chi-square for p.

    Categories that are expected fewer than five times are pooled. Sources: Pearson (1900); Cramer (1946), ch. 21.
    """
    return chi_square_of_counts(category_counts(left, right)[1])


def chi_square_of_counts(counts: np.ndarray) -> Distance:
    """The same of counts, shape (2, categories)."""
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


def category_counts(left: ArrayLike, right: ArrayLike) -> tuple[list[str], np.ndarray]:
    """The categories of two samples, sorted, and their counts as an array of shape (2, categories)."""
    first = np.asarray(left, dtype=object).ravel().astype(str)
    second = np.asarray(right, dtype=object).ravel().astype(str)
    names, places = np.unique(np.concatenate([first, second]), return_inverse=True)
    counts = [
        np.bincount(part, minlength=names.size) for part in (places[: first.size], places[first.size :])
    ]
    return names.tolist(), np.vstack(counts)


def _numbers(values: ArrayLike) -> np.ndarray:
    return np.asarray(values, dtype=float).ravel()
