"""The area under the ROC curve with its interval, and the difference of two areas on the same rows.

Source: DeLong, DeLong and Clarke-Pearson (1988), Biometrics 44; computed in n log n as in Sun and Xu (2014), Fast
implementation of DeLong's algorithm, IEEE Signal Processing Letters 21; rows in clusters: Obuchowski (1997), Nonparametric
analysis of clustered ROC curve data, Biometrics 53. `clusters`: numbers 0, 1, ... of shape (n,); None: every row alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.stats.clusters import covariance_of_sums
from lockgate.stats.intervals import LEVEL, Interval

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")


def auc(truth: ArrayLike, score: ArrayLike) -> float:
    """The share of (positive, negative) pairs in the right order, ties counted half; NaN when a class is absent.

    >>> auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    positive = np.asarray(truth, dtype=bool)
    ups, downs = int(positive.sum()), int((~positive).sum())
    if ups == 0 or downs == 0:
        return float("nan")
    ranks = stats.rankdata(np.asarray(score, dtype=float))
    return float((ranks[positive].sum() - ups * (ups + 1) / 2) / (ups * downs))


def auc_interval(
    truth: ArrayLike, score: ArrayLike, level: float = LEVEL, *, clusters: np.ndarray | None = None
) -> Interval:
    """The area with DeLong's variance, on the logit scale so that bounds stay in [0, 1].

    A perfect order has no variance to speak of: then the bound is the exact one for as many wins as the smaller
    class has rows (clusters). Classes with fewer than two of them give [0, 1].
    """
    positive = np.asarray(truth, dtype=bool)
    value, smaller = auc(positive, score), _smaller(positive, clusters)
    if smaller < 2:
        return Interval(value, 0.0, 1.0)
    if value in (0.0, 1.0):
        bound = ((1 - level) / 2) ** (1 / smaller)
        return Interval(value, bound, 1.0) if value == 1.0 else Interval(value, 0.0, 1 - bound)
    parts = _placements(positive, np.asarray(score, dtype=float))
    variance = _covariance([parts], positive, clusters)[0, 0]
    half = stats.norm.ppf((1 + level) / 2) * np.sqrt(variance) / (value * (1 - value))
    centre = np.log(value / (1 - value))
    low, high = 1 / (1 + np.exp(-(centre - half))), 1 / (1 + np.exp(-(centre + half)))
    return Interval(value, float(low), float(high))


def auc_difference(
    truth: ArrayLike,
    new: ArrayLike,
    old: ArrayLike,
    level: float = LEVEL,
    *,
    clusters: np.ndarray | None = None,
) -> Interval:
    """`auc(new) - auc(old)` on the same rows; equal orders give an interval of no width."""
    positive = np.asarray(truth, dtype=bool)
    first, second = np.asarray(new, dtype=float), np.asarray(old, dtype=float)
    if not positive.shape == first.shape == second.shape:
        raise InvalidInput("paired scores come in equal numbers", got=f"{first.shape} and {second.shape}")
    value = auc(positive, first) - auc(positive, second)
    if _smaller(positive, clusters) < 2:
        return Interval(value, -1.0, 1.0)
    covariance = _covariance(
        [_placements(positive, first), _placements(positive, second)], positive, clusters
    )
    variance = max(0.0, covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    half = float(stats.norm.ppf((1 + level) / 2) * np.sqrt(variance))
    return Interval(value, max(-1.0, value - half), min(1.0, value + half))


def _placements(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per positive: the share of negatives below it. Per negative: the share of positives above it."""
    ups, downs = score[positive], score[~positive]
    joint = stats.rankdata(score)
    from_ups = (joint[positive] - stats.rankdata(ups)) / len(downs)
    from_downs = 1 - (joint[~positive] - stats.rankdata(downs)) / len(ups)
    return from_ups, from_downs


def _smaller(positive: np.ndarray, clusters: np.ndarray | None) -> int:
    """How many rows, or clusters, the class that has fewer of them stands in."""
    if clusters is None:
        return int(min(positive.sum(), (~positive).sum()))
    return min(np.unique(clusters[side]).size for side in (positive, ~positive))


def _covariance(
    parts: list[tuple[np.ndarray, np.ndarray]], positive: np.ndarray, clusters: np.ndarray | None
) -> np.ndarray:
    """The covariance matrix of the areas, models x models: DeLong's, of clusters Obuchowski's."""
    ups, downs = np.vstack([up for up, _ in parts]), np.vstack([down for _, down in parts])
    if clusters is None:
        total: np.ndarray = (
            np.atleast_2d(np.cov(ups)) / ups.shape[1] + np.atleast_2d(np.cov(downs)) / downs.shape[1]
        )
        return total
    influence = np.zeros((len(parts), positive.size))
    influence[:, positive] = (ups - ups.mean(axis=1, keepdims=True)) / ups.shape[1]
    influence[:, ~positive] = (downs - downs.mean(axis=1, keepdims=True)) / downs.shape[1]
    return covariance_of_sums(influence, clusters)
