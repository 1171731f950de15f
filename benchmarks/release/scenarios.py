"""Simulated releases: requests with their callers, arms, faults, labels and business values, harmless or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STAGES = (0.01, 0.05, 0.10, 0.25, 0.50)


@dataclass(frozen=True)
class Scenario:
    """What happens. Shares are 0..1; `ratio` is how many times more often the canary's requests fail.

    `burst`: requests in a row of one caller, who fails on all of them or on none. `incident`: (from, to, factor): between these
    shares of the release both arms fail so many times more often.
    """

    error_share: float = 0.01
    ratio: float = 1.0
    stages: tuple[float, ...] = STAGES
    requests: int = 100_000
    burst: int = 1
    incident: tuple[float, float, float] | None = None
    slow: tuple[float, float] | None = (
        None  # of the canary: shares of answers above live's quantile of the first: (0.01, 0.03)
    )
    invalid: tuple[float, float] | None = (
        None  # shares of live's and of the canary's answers; None: half of `error_share`
    )


@dataclass(frozen=True)
class Simulated:
    """One release, a value per request: stage from 1, weight, caller, arm, what went wrong, what it brought in."""

    stage: np.ndarray
    w: np.ndarray
    caller: np.ndarray
    canary: np.ndarray
    error: np.ndarray
    invalid: np.ndarray
    latency: np.ndarray  # as a quantile of live's: above 0.99 is slower than T99
    value: np.ndarray  # business metric, higher is better


def simulate(scenario: Scenario, rng: np.random.Generator) -> Simulated:
    """One release. A caller keeps its arm as the weight grows, as in the gateway."""
    n = scenario.requests
    stage = np.minimum(np.arange(n) * len(scenario.stages) // n, len(scenario.stages) - 1)
    w = np.array(scenario.stages)[stage]
    caller = np.arange(n) // scenario.burst
    callers = int(caller[-1]) + 1
    canary = rng.random(callers)[caller] < w
    share = np.full(n, scenario.error_share)
    if scenario.incident is not None:
        begin, end, factor = scenario.incident
        share[int(begin * n) : int(end * n)] *= factor
    share = np.where(canary, share * scenario.ratio, share)
    error = rng.random(callers)[caller] < share
    usual, harmed = scenario.invalid or (scenario.error_share / 2,) * 2
    invalid = ~error & (rng.random(n) < np.where(canary, harmed, usual))
    latency = rng.random(n)
    if scenario.slow is not None:
        latency = np.where(canary, _slower(latency, *scenario.slow), latency)
    return Simulated(
        stage=stage + 1,
        w=w,
        caller=caller,
        canary=canary,
        error=error,
        invalid=invalid,
        latency=latency,
        value=np.where(rng.random(n) < 0.05, rng.exponential(40.0, n), 0.0),
    )


def _slower(latency: np.ndarray, usual: float, harmed: float) -> np.ndarray:
    """Quantiles of live's latencies, of which so many more lie above 1 - `usual`."""
    above = latency > 1.0 - harmed
    high = 1.0 - usual + (latency - (1.0 - harmed)) / harmed * usual
    return np.where(above, high, latency / (1.0 - harmed) * (1.0 - usual))
