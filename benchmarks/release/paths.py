"""The guards' evidence over a whole simulated release at once: the same numbers as the shipped states give one by one.

`tests/release/test_simulation.py` holds every path against `fold` and `judge`, record by record.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from lockgate.stats.eprocess import RESTART_REQUESTS
from lockgate.stats.evalues import BETS, PLANNED_N, THETAS, event_arm_terms
from lockgate.stats.means import FEWEST_VALUES


@dataclass(frozen=True)
class Path:
    """Log E of one guard, `at` some requests (counted from 0, rising)."""

    at: np.ndarray
    log_e: np.ndarray

    def fires(self, threshold: float) -> float:
        """The request at which it fires; infinity for never."""
        over = np.flatnonzero(self.log_e >= threshold)
        return float(self.at[over[0]]) if over.size else math.inf


def event_path(
    at: np.ndarray, w: np.ndarray, canary: np.ndarray, starts: np.ndarray, theta0: float = 1.0
) -> Path:
    """A guard on events with restarts, after every event and at every new copy.

    `at` (n,): the requests that were bad, rising; `w`, `canary` (n,): their weight and arm; `starts`: first request of each
    copy, see `copies`.
    """
    steps = _steps(w, canary, theta0)
    moments = np.unique(np.concatenate([at, starts]))
    grown = np.concatenate([np.zeros((1, len(THETAS))), np.cumsum(steps, axis=0)])
    until = grown[np.searchsorted(at, moments, side="right")]
    before = grown[np.searchsorted(at, starts, side="left")]
    copies_log = special.logsumexp(until[:, None, :] - before[None, :, :], axis=2) - math.log(len(THETAS))
    j = np.arange(len(starts))
    weighted = copies_log - np.log((j + 1) * (j + 2))
    weighted[moments[:, None] < starts[None, :]] = -np.inf
    return Path(moments, special.logsumexp(weighted, axis=1))


def copies(stage: np.ndarray) -> np.ndarray:
    """First request of each copy: of every stage, and every so many requests within one. `stage` (n,) never falls."""
    begins = np.flatnonzero(np.diff(stage, prepend=stage[0] - 1))
    ends = np.append(begins[1:], len(stage))
    return np.concatenate(
        [np.arange(begin, end, RESTART_REQUESTS) for begin, end in zip(begins, ends, strict=True)]
    )


def mean_path(at: np.ndarray, values: np.ndarray, canary: np.ndarray, *, a: float) -> Path:
    """One stage of a guard on means, one-sided (higher is harm), after every value. `values`, `canary` (n,), in order."""
    n, diff, variance, ready = _means(values, canary)
    return Path(at, np.where(ready, _normal(diff, n, variance, a), 0.0))


def outside_path(
    at: np.ndarray, values: np.ndarray, canary: np.ndarray, *, low: float, high: float, a: float
) -> Path:
    """One stage of the guard on shifted answers: the difference of means above `high` or below `low`, after every value."""
    n, diff, variance, ready = _means(values, canary)
    with np.errstate(invalid="ignore"):  # before both arms have a value
        both = np.logaddexp(_normal(diff - high, n, variance, a), _normal(low - diff, n, variance, a))
    return Path(at, np.where(ready, both - math.log(2.0), 0.0))


def bet_path(differences: np.ndarray) -> Path:
    """`bet_diff` after every pair. `differences` (n,), in [-1, 1]."""
    steps = np.log1p(np.array(BETS) * differences[:, None])
    log_e = special.logsumexp(np.cumsum(steps, axis=0), axis=1) - math.log(len(BETS))
    return Path(np.arange(len(differences)), log_e)


def _means(values: np.ndarray, canary: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """After every value: how many there are, the difference of the arms' means, its variance, whether that is evidence."""
    n_c, n_b = np.cumsum(canary), np.cumsum(~canary)
    sums = [(np.cumsum(values * arm), np.cumsum(values * values * arm)) for arm in (canary, ~canary)]
    n = n_c + n_b
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = _variance(n, sums[0][0] + sums[1][0], sums[0][1] + sums[1][1])
        variance = sum(
            np.maximum(_variance(k, *held), whole) / k for k, held in zip((n_c, n_b), sums, strict=True)
        )
        diff = sums[0][0] / n_c - sums[1][0] / n_b
    return n, diff, variance, (np.minimum(n_c, n_b) >= FEWEST_VALUES) & (variance > 0)


def _normal(diff: np.ndarray, n: np.ndarray, variance: np.ndarray, a: float) -> np.ndarray:
    """`normal_e` of many looks at once."""
    top = -2.0 * math.log(2.0 * a)
    rate = (top + math.log1p(top)) / PLANNED_N
    with np.errstate(divide="ignore", invalid="ignore"):
        k = n * rate + 1.0
        y = diff * np.sqrt(rate * n / (variance * k))
        return math.log(2.0) - np.log(k) / 2 + y * y / 2 + special.log_ndtr(y)


def detector_paths(canary: np.ndarray, baseline: np.ndarray, w: float) -> np.ndarray:
    """Log R of the e-detector after every batch of many watches at once, (runs, batches). `canary`, `baseline` (runs, batches):
    events of the batch in each arm."""
    terms = [np.array(event_arm_terms([cell], 1.0, THETAS)) for cell in ((w, 1, 0), (w, 0, 1))]
    held = np.full((len(canary), len(THETAS)), -np.inf)
    found = np.empty(canary.shape)
    for batch in range(canary.shape[1]):
        steps = canary[:, batch, None] * terms[0] + baseline[:, batch, None] * terms[1]
        held = np.logaddexp(0.0, held) + steps
        found[:, batch] = special.logsumexp(held, axis=1) - math.log(len(THETAS))
    return found


def split_path(at: np.ndarray, canary: np.ndarray, w: float, c: float = 1000.0) -> Path:
    """The guard on the split in one stage, after every unit."""
    n_c, n_b = np.cumsum(canary), np.cumsum(~canary)
    a, b = c * w, c * (1.0 - w)
    log_e = special.betaln(a + n_c, b + n_b) - special.betaln(a, b) - n_c * math.log(w) - n_b * math.log1p(-w)
    return Path(at, log_e)


def _variance(n: np.ndarray, total: np.ndarray, squares: np.ndarray) -> np.ndarray:
    return np.where(n < 2, 0.0, np.maximum(squares - total * total / n, 0.0) / np.maximum(n - 1, 1))


def _steps(w: np.ndarray, canary: np.ndarray, theta0: float) -> np.ndarray:
    """What each event adds to each bet, (n, bets)."""
    steps = np.zeros((len(w), len(THETAS)))
    for weight in np.unique(w):
        for arm in (True, False):
            cell = (float(weight), int(arm), int(not arm))
            steps[(w == weight) & (canary == arm)] = event_arm_terms([cell], theta0, THETAS)
    return steps
