"""Do predicted probabilities come true: Brier score, expected calibration error, and how much of it is noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

BINS = 10


@dataclass(frozen=True)
class Reliability:
    """Per bin of equal numbers of rows: mean probability, share that came true, rows."""

    predicted: tuple[float, ...]
    observed: tuple[float, ...]
    rows: tuple[int, ...]

    @property
    def error(self) -> float:
        """Expected calibration error: the mean gap, weighted by rows."""
        gaps = np.abs(np.array(self.predicted) - np.array(self.observed))
        return float(np.average(gaps, weights=self.rows)) if self.rows else float("nan")


def brier(truth: ArrayLike, probability: ArrayLike) -> float:
    """Mean squared gap between probability and what came. Source: Brier (1950), Monthly Weather Review 78."""
    return float(np.mean((np.asarray(probability, dtype=float) - np.asarray(truth, dtype=float)) ** 2))


def reliability(truth: ArrayLike, probability: ArrayLike, bins: int = BINS) -> Reliability:
    """Rows in bins of (nearly) equal numbers by probability. Source: Naeini et al. (2015), AAAI."""
    came, given = np.asarray(truth, dtype=float), np.asarray(probability, dtype=float)
    order = np.argsort(given, kind="stable")
    parts = [part for part in np.array_split(order, bins) if part.size]
    return Reliability(
        tuple(float(given[part].mean()) for part in parts),
        tuple(float(came[part].mean()) for part in parts),
        tuple(int(part.size) for part in parts),
    )


def noise_floor(probability: ArrayLike, *, bins: int = BINS, times: int = 200, seed: int = 0) -> np.ndarray:
    """Calibration errors, sorted, that a perfectly calibrated model with these probabilities would show by chance.

    Outcomes are drawn from the probabilities themselves, so a small test set raises no alarm. Source: Broecker and
    Smith (2007), Increasing the reliability of reliability diagrams, Weather and Forecasting 22.
    """
    given = np.sort(np.asarray(probability, dtype=float))
    generator = np.random.default_rng(seed)
    edges = np.cumsum([0] + [part.size for part in np.array_split(given, bins)])
    sizes = np.diff(edges)
    keep = sizes > 0
    means = np.add.reduceat(given, edges[:-1][keep]) / sizes[keep]
    found = []
    for _ in range(times):
        came = generator.random(given.size) < given
        observed = np.add.reduceat(came.astype(float), edges[:-1][keep]) / sizes[keep]
        found.append(float(np.average(np.abs(means - observed), weights=sizes[keep])))
    return np.sort(np.array(found))
