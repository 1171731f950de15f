"""Part of the label check: which share of labels is wrong, apart from rows that are simply hard.

A hard row is one where models are unsure; where they are sure, honest labels agree. Wrong labels do not care how sure the
models are. So the share of labels that contradict is fitted over sureness as a curve that falls to a floor,

    contradict(z) = floor + (1 - floor) * 2 * unsure / (1 + exp(slope * z)),

z the normal quantile of the row's rank of sureness (0: the least sure, 2: among the surest), `unsure` how often the least
sure rows contradict: half of them where two classes are likely, up to 1 - 1/k where all k are, as where inputs say nothing.
Without that freedom labels of many classes that nothing explains would count as wrong. The floor is the share of wrong
labels; its interval is that of the profile likelihood. Psychometrics calls it the lapse rate: Wichmann and Hill (2001), The
psychometric function I, Perception & Psychophysics 63. That noise is what is left where classes are sure: Menon et al.
(2015), Learning from corrupted binary labels, ICML. Ranking and thresholds of each class: Northcutt, Jiang and Chuang
(2021), Confident learning, JAIR 70.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.late import late
from lockgate.stats.intervals import Interval

if TYPE_CHECKING:
    from scipy import special
else:
    special = late("scipy.special")

_FLOORS = np.concatenate([np.arange(0, 0.05, 0.0025), np.arange(0.05, 0.5, 0.01)])
_SLOPES = np.concatenate([[0.0], np.geomspace(0.1, 200, 60)])
_BINS = 200
_TOPS = 5  # shares of `unsure` that are tried
_DROP = 1.92  # half the 95 % quantile of chi-square with one degree


def share_of_wrong(probabilities: np.ndarray, codes: np.ndarray) -> Interval:
    """The share of labels that contradict sure models, with its interval. Rare classes count as much as frequent ones when
    it is asked whether there is any at all: without that, predicting the largest class would look like knowledge."""
    plain = _floor(probabilities, codes, np.ones(codes.size))
    shares = np.bincount(codes, minlength=probabilities.shape[1]) / codes.size
    weights = 1 / shares[codes]
    even = _floor(probabilities / shares, codes, weights / weights.mean())
    return plain if even.low > 0 else Interval(plain.value if plain.low == 0 else 0.0, 0.0, plain.high)


def ranked(probabilities: np.ndarray, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose label is contradicted, the surest first, and the class that they rather are.

    Probabilities are held against what rows of a class have themselves on the mean (the class's own threshold), so that
    classes of which models are never sure are not accused the more.
    """
    rows = np.arange(codes.size)
    own = np.array([probabilities[codes == code, code].mean() for code in range(probabilities.shape[1])])
    relative = probabilities / own
    rather = relative.argmax(axis=1)
    margin = relative[rows, rather] - relative[rows, codes]
    suspects = np.flatnonzero((rather != codes) & (probabilities[rows, rather] > probabilities[rows, codes]))
    order = suspects[np.argsort(-margin[suspects], kind="stable")]
    return order, rather[order]


def _floor(scores: np.ndarray, codes: np.ndarray, weights: np.ndarray) -> Interval:
    """Fit on a grid; rows of one rank are binned. Weights count as the rows that they are worth."""
    best = scores.argmax(axis=1)
    parted = np.partition(scores, -2, axis=1)
    order = np.argsort(np.log(parted[:, -1]) - np.log(np.maximum(parted[:, -2], 1e-12)), kind="stable")
    weights = (
        weights * weights.sum() / np.square(weights).sum()
    )  # so that they add up to the effective number
    wrong = (best != codes)[order]
    bins = np.minimum(np.arange(codes.size) * _BINS // codes.size, _BINS - 1)
    miss = np.bincount(bins, weights[order] * wrong, _BINS)
    agree = np.bincount(bins, weights[order] * ~wrong, _BINS)
    z = special.ndtri(0.5 + (np.arange(_BINS) + 0.5) / _BINS / 2)
    curve = 2 * special.expit(-_SLOPES[:, None] * z)
    likelihood = np.full(_FLOORS.size, -np.inf)
    for unsure in np.unique(np.linspace(0.5, 1 - 1 / scores.shape[1], _TOPS)):
        chance = np.clip(
            _FLOORS[:, None, None] + (1 - _FLOORS[:, None, None]) * unsure * curve, 1e-9, 1 - 1e-9
        )
        fit = (np.log(chance) @ miss + np.log(1 - chance) @ agree).max(axis=1)
        likelihood = np.maximum(likelihood, fit)
    within = _FLOORS[likelihood >= likelihood.max() - _DROP]
    return Interval(float(_FLOORS[likelihood.argmax()]), float(within.min()), float(within.max()))
