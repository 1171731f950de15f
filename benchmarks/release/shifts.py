"""Shifted answers: how often equal releases are held for them, and how soon a real shift holds one."""

from __future__ import annotations

import math

import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.delays import told
from benchmarks.release.guarded import z_test_of_means
from benchmarks.release.paths import outside_path
from benchmarks.release.scenarios import STAGES, Scenario

from lockgate.release.guards import SHIFT_ALPHA, SHIFT_MARGIN
from lockgate.stats.intervals import wilson

SEED, RELEASES = 20261128, 1_000
CUT, PARTS = (
    0.6,
    2,
)  # a class is positive above it; the mean score and the share of the positive class are compared
SHIFTS = (0.2, 0.3, 0.5)  # standard deviations of live's score
EXPECTED = 0.1  # change of the mean score that the shadow showed and people approved
MOST_HELD = 1.0  # percent, as promised


def figures() -> list[Figure]:
    """1,000 releases that answer as the shadow showed, then those whose answers move further from the first request on."""
    rng = np.random.default_rng(SEED)
    counts = {"held": 0, "z test": 0}
    for _ in range(RELEASES):
        stages = [_stage(w, 0.0, Scenario().requests // len(STAGES), rng) for w in STAGES]
        counts["held"] += any(math.isfinite(_held(*stage, len(STAGES))) for stage in stages)
        counts["z test"] += any(math.isfinite(_z(*stage)) for stage in stages)
    held, naive = (wilson(count, RELEASES) for count in counts.values())
    print(
        f"  {RELEASES:,} releases that answer as in shadow: held {held.value:.1%} ({held.low:.1%} to {held.high:.1%}), "
        f"a z test every minute {naive.value:.0%}",
        flush=True,
    )
    for shift in SHIFTS:
        at = np.array([_held(*_stage(0.10, shift, 20_000, rng), len(STAGES)) for _ in range(RELEASES)])
        other = np.array([_z(*_stage(0.10, shift, 20_000, rng)) for _ in range(RELEASES // 5)])
        print(
            f"  {shift:g} standard deviations more than in shadow, w = 10 %: {told(at)}; z test: {told(other)}",
            flush=True,
        )
    return [
        Figure("releases that answer as in shadow: held", 100 * held.value, MOST_HELD, "%", at_least=False)
    ]


def _stage(w: float, shift: float, requests: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Scores and who is in the canary: normal, moved by what was expected and by `shift`."""
    canary = rng.random(requests) < w
    return rng.normal(0.5, 1.0, requests) + (EXPECTED + shift) * canary, canary


def _held(score: np.ndarray, canary: np.ndarray, stages: int) -> float:
    """The request at which the guard holds the release, by either mean."""
    expected, processes = _means(), PARTS * stages
    found = math.inf
    for values, (change, sigma) in zip((score, (score > CUT) * 1.0), expected, strict=True):
        margin = SHIFT_MARGIN * sigma
        path = outside_path(
            np.arange(len(values)),
            values,
            canary,
            low=change - margin,
            high=change + margin,
            a=SHIFT_ALPHA / processes,
        )
        found = min(found, path.fires(math.log(processes / SHIFT_ALPHA)))
    return found


def _means() -> tuple[tuple[float, float], tuple[float, float]]:
    """Of the score and of the positive class: the change that the shadow showed, and live's standard deviation."""
    below, above = (0.5 * math.erfc((CUT - 0.5 - moved) / math.sqrt(2)) for moved in (0.0, EXPECTED))
    return (EXPECTED, 1.0), (above - below, math.sqrt(below * (1 - below)))


def _z(score: np.ndarray, canary: np.ndarray) -> float:
    """A two-sided z test at 5 % on the mean score, the expected change known, looked at every minute."""
    off = score - EXPECTED * canary
    return min(z_test_of_means(off, canary, z=1.96), z_test_of_means(-off, canary, z=1.96))
