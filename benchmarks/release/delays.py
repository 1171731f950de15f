"""Harmful releases: after how many requests they are found, beside other rules and beside what the plan says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.guarded import guard_path, plan_of, threshold_rule, z_test
from benchmarks.release.scenarios import Scenario, Simulated, simulate

from lockgate.release.guards import FIRST_COPY, GuardName
from lockgate.stats.planning import requests_until

SEED, RELEASES = 20261123, 1_000
PROMISED = {(0.001, 10.0): 6_000, (0.01, 2.0): 17_000}  # base share, risk ratio -> requests at 10 %
GRID = (
    (0.001, 10.0, 0.10),
    (0.01, 2.0, 0.10),
    (0.01, 2.0, 0.50),
    (0.01, 3.0, 0.05),
    (0.02, 1.5, 0.50),
    (0.005, 5.0, 0.25),
)
WITHIN = 0.20  # of the simulated median


def figures() -> list[Figure]:
    """Delays at 10 % for plans with and without late guards, then planned against simulated."""
    found = []
    for (base, ratio), most in PROMISED.items():
        scenario = Scenario(error_share=base, ratio=ratio, stages=(0.10,), requests=150_000)
        for late in (False, True):
            guards = "six guards" if late else "errors and latency"
            at = _guard_delays(scenario, late=late)
            print(f"  {base:.1%} -> {base * ratio:.1%}, w = 10 %, {guards}: {told(at)}", flush=True)
            name = f"{base:.1%} -> {base * ratio:.1%} found, {guards} (median requests)"
            found.append(Figure(name, float(np.median(at)), most, "", at_least=False))
        for name, rule in (("threshold 2 %", threshold_rule), ("z test", z_test)):
            print(f"    {name}, every minute: {told(_delays(scenario, rule))}", flush=True)
    off = [abs(_off(base, ratio, w)) for base, ratio, w in GRID]
    return [
        *found,
        Figure("the plan's number, farthest from the simulated median", max(off), WITHIN, "", at_least=False),
    ]


def _off(base: float, ratio: float, w: float) -> float:
    """How far the planned number lies from the simulated median, as a share of it."""
    plan = plan_of((w,), late=False)
    alpha = next(guard.alpha for guard in plan.guards if guard.name is GuardName.ERRORS)
    harmed = base * ratio
    odds = harmed / (1 - harmed) / (base / (1 - base))
    planned, nine = (requests_until(base, odds, w, alpha * FIRST_COPY, quantile=q) for q in (0.5, 0.9))
    requests = int(min(4 * nine, 400_000))
    at = _guard_delays(Scenario(error_share=base, ratio=ratio, stages=(w,), requests=requests), late=False)
    median = float(np.median(at))
    print(
        f"  planned {planned:,.0f} ({nine:,.0f} in nine of ten), simulated {told(at)}: {base:.1%} x {ratio:g}, w = {w:.0%}",
        flush=True,
    )
    return planned / median - 1.0


def _guard_delays(scenario: Scenario, *, late: bool) -> np.ndarray:
    guard = next(
        guard for guard in plan_of(scenario.stages, late=late).guards if guard.name is GuardName.ERRORS
    )
    return _delays(scenario, lambda release: guard_path(release, guard).fires(guard.threshold))


def _delays(scenario: Scenario, rule: Callable[[Simulated], float]) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    return np.array([rule(simulate(scenario, rng)) for _ in range(RELEASES)])


def told(at: np.ndarray) -> str:
    """Median with a 95 % interval from the order statistics, the 90th percentile, and how many were found."""
    ordered, n = np.sort(at), len(at)
    spread = 0.98 * math.sqrt(n)
    low, high = (ordered[min(max(round(n / 2 + sign * spread), 0), n - 1)] for sign in (-1, 1))
    nine = np.quantile(ordered, 0.9, method="higher")
    return (
        f"median {np.median(at):,.0f} ({low:,.0f} to {high:,.0f}), nine of ten within {nine:,.0f}, "
        f"found in {np.isfinite(at).mean():.1%}"
    )
