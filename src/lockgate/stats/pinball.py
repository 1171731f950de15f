"""How far an answer is from what came, for models of a mean or median and for models of a quantile.

Source: Koenker and Bassett (1978), Regression quantiles, Econometrica 46: the quantile q minimises the mean of
q (truth - answer) above the answer and (1 - q) (answer - truth) below it.
"""

from __future__ import annotations

import numpy as np


def distance(truth: np.ndarray, answer: np.ndarray, quantile: float | None = None) -> np.ndarray:
    """Per row (n,): the absolute error, or the pinball loss of a model of this quantile (0..1).

    >>> distance(np.array([10.0, 10.0]), np.array([8.0, 12.0]), 0.9).round(3).tolist()
    [1.8, 0.2]
    """
    short = np.asarray(truth, dtype=float) - np.asarray(answer, dtype=float)
    if quantile is None:
        return np.asarray(np.abs(short))
    return np.asarray(np.maximum(quantile * short, (quantile - 1) * short))


def best_constant(truth: np.ndarray, quantile: float | None = None) -> float:
    """The one answer with the smallest mean distance: the median, or the quantile. Missing labels are left out."""
    return float(np.nanquantile(np.asarray(truth, dtype=float), 0.5 if quantile is None else quantile))
