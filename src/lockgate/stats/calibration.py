"""Do predicted probabilities come true: Brier score, expected calibration error, and how much of it is noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from lockgate.late import late
from lockgate.stats.intervals import LEVEL, Interval

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

BINS = 10
_EDGE = 1e-6  # probabilities are kept that far from 0 and 1, where log odds have no end
_FAR = 500.0  # log odds beyond which the exponential overflows
_STEPS = 50


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


@dataclass(frozen=True)
class Recalibration:
    """How log odds would have to be bent: `slope` below 1 means too extreme, above 1 too timid; `shift` what to add."""

    slope: Interval
    shift: Interval


def recalibration(truth: ArrayLike, probability: ArrayLike, level: float = LEVEL) -> Recalibration | None:
    """Logistic regression of what came on the log odds of what was said, with Wald intervals.

    `shift` is estimated with the slope held at 1 (calibration in the large). None where it has no finite answer: one class
    only, one probability only, or classes that the probability parts without an error.
    Source: Cox (1958), Two further applications of a model for binary regression, Biometrika 45.

    >>> from numpy.random import default_rng
    >>> said = default_rng(0).uniform(0.05, 0.95, 4000)
    >>> found = recalibration(default_rng(1).random(4000) < said, said)
    >>> found.slope.holds(1.0), found.shift.holds(0.0)
    (True, True)
    """
    came, given = np.asarray(truth, dtype=float), np.asarray(probability, dtype=float).clip(_EDGE, 1 - _EDGE)
    odds = np.log(given / (1 - given))
    if came.min() == came.max() or not np.ptp(odds):
        return None
    ones = np.ones_like(odds)
    slope = _newton(np.column_stack([ones, odds]), came, np.zeros_like(odds), level)
    shift = _newton(ones[:, None], came, odds, level)
    return None if slope is None or shift is None else Recalibration(slope[1], shift[0])


def _newton(columns: np.ndarray, came: np.ndarray, offset: np.ndarray, level: float) -> list[Interval] | None:
    """Maximum likelihood of a logistic regression; None where it does not settle."""
    at = np.zeros(columns.shape[1])
    for _ in range(_STEPS):
        expected = 1 / (1 + np.exp(-np.clip(columns @ at + offset, -_FAR, _FAR)))
        information = (columns * (expected * (1 - expected))[:, None]).T @ columns
        if np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, columns.T @ (came - expected))
        at = at + step
        if np.abs(step).max() < 1e-8:
            half = stats.norm.ppf((1 + level) / 2) * np.sqrt(np.diag(np.linalg.inv(information)))
            return [Interval(float(v), float(v - h), float(v + h)) for v, h in zip(at, half, strict=True)]
    return None
