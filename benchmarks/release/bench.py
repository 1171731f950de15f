"""How often harmless releases are rolled back, how soon harmful ones are, and what the evidence costs.

`python -m benchmarks.release.bench`: simulated releases through the real counting and judging code, looked at after every
event, beside a fixed threshold and a z test looked at every minute. Ends with `figures: N of M reached`.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lockgate.config import ReleaseConfig
from lockgate.predictions.record import Record
from lockgate.release.baseline import Baseline, Traffic
from lockgate.release.counts import Counts, Frozen, fold
from lockgate.release.judge import judge
from lockgate.release.plan import make_plan
from lockgate.stats.evalues import THETAS, event_arm_terms
from lockgate.traffic import Role

SEED, ALPHA, PER_MINUTE = 20261122, 0.05, 600
HARMLESS, HARMFUL, MOST = 1_000, 200, 180_000


@dataclass(frozen=True)
class Outcome:
    """When a rule fired: request number, or infinity."""

    at: np.ndarray

    @property
    def share(self) -> float:
        """Of releases in which it fired at all."""
        return float(np.isfinite(self.at).mean())

    @property
    def median(self) -> float:
        """Requests until it fired."""
        return float(np.median(self.at))


def simulate(
    base: float, ratio: float, w: float, releases: int, rule: Callable[[np.ndarray, np.ndarray, float], float]
) -> Outcome:
    """Fire times of a rule over releases with a base error rate and a risk ratio of the canary."""
    rng = np.random.default_rng(SEED)
    found = []
    for _ in range(releases):
        canary = rng.random(MOST) < w
        bad = rng.random(MOST) < np.where(canary, base * ratio, base)
        found.append(rule(canary, bad, w))
    return Outcome(np.array(found))


def e_value(canary: np.ndarray, bad: np.ndarray, w: float) -> float:
    """lockgate's guard on events, looked at after every event."""
    places = np.flatnonzero(bad)
    hit, miss = (np.array(event_arm_terms([cell], 1.0, THETAS)) for cell in ((w, 1, 0), (w, 0, 1)))
    log_e = np.cumsum(np.where(canary[places, None], hit, miss), axis=0)
    top = log_e.max(axis=1, initial=-np.inf)
    total = top + np.log(np.exp(log_e - top[:, None]).mean(axis=1))
    over = np.flatnonzero(total >= math.log(1 / ALPHA))
    return float(places[over[0]]) if over.size else math.inf


def threshold(canary: np.ndarray, bad: np.ndarray, _w: float) -> float:
    """Roll back when the canary's error share of the last minute is above 2 %, looked at every minute."""
    n = canary.reshape(-1, PER_MINUTE).sum(axis=1)
    k = (canary & bad).reshape(-1, PER_MINUTE).sum(axis=1)
    over = np.flatnonzero(k > 0.02 * np.maximum(n, 1))
    return float((over[0] + 1) * PER_MINUTE) if over.size else math.inf


def z_test(canary: np.ndarray, bad: np.ndarray, _w: float) -> float:
    """A one-sided z test at 5 % on the totals so far, looked at every minute."""
    n, k, m, j = (
        part.reshape(-1, PER_MINUTE).sum(axis=1).cumsum()
        for part in (canary, canary & bad, ~canary, ~canary & bad)
    )
    pooled = (k + j) / (n + m)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)), 1e-12))
    over = np.flatnonzero((k / np.maximum(n, 1) - j / np.maximum(m, 1)) / spread > 1.645)
    return float((over[0] + 1) * PER_MINUTE) if over.size else math.inf


def whole_guards(releases: int, requests: int) -> float:
    """Share of harmless releases that any guard fires on, through the real fold and judge, looked at 40 times."""
    plan = make_plan(ReleaseConfig(canary=("10%",)), Traffic())
    frozen, rng, fired = Frozen(t99_us=990, t95_us=950), np.random.default_rng(SEED), 0
    for number in range(releases):
        counts = Counts(release=number)
        for part in range(40):
            fold(counts, _records(rng, number, part, requests // 40), plan, frozen)
            if any(
                v.alpha and v.guard != "split" and v.log_e >= v.threshold for v in judge(plan, counts, frozen)
            ):
                fired += 1
                break
    return fired / releases


def _records(rng: np.random.Generator, number: int, part: int, count: int) -> list[Record]:
    canary, bad = rng.random(count) < 0.1, rng.random(count) < 0.02
    keys, slow = rng.integers(0, 10**9, count), rng.integers(0, 1000, count)
    return [
        Record(
            id=f"{part}-{i}", at_us=part * count + i, model="m", digest="d", release=number, stage=1, weight=0.1,
            assigned=Role.CANARY if canary[i] else Role.LIVE, key=str(keys[i]), latency_us=int(slow[i]),
            status=500 if bad[i] else 200, error="invalid answer" if bad[i] and i % 2 else None,
        )
        for i in range(count)
    ]  # fmt: skip


def cost_us() -> tuple[float, float]:
    """Microseconds a record to count it for a release and for the traffic; to judge once, in milliseconds."""
    plan = make_plan(ReleaseConfig(canary=("10%",)), Traffic())
    frozen, counts, baseline = Frozen(t99_us=990, t95_us=950), Counts(release=1), Baseline()
    records = _records(np.random.default_rng(SEED), 1, 0, 50_000)
    judge(plan, counts, frozen)
    begun = time.perf_counter()
    fold(counts, records, plan, frozen)
    for record in records:
        baseline.add(record)
    folded = time.perf_counter()
    for _ in range(20):
        judge(plan, counts, frozen)
    return (folded - begun) / len(records) * 1e6, (time.perf_counter() - folded) / 20 * 1e3


def main() -> int:
    """Print the table and the figures; 0 when all are reached."""
    print("rolled back | e-value, every event | threshold 2 %, every minute | z test, every minute")
    rules = (e_value, threshold, z_test)
    results = {}
    for base, ratio, w in ((0.01, 1.0, 0.1), (0.001, 10.0, 0.1), (0.01, 2.0, 0.1)):
        releases = HARMLESS if ratio == 1.0 else HARMFUL
        row = [simulate(base, ratio, w, releases, rule) for rule in rules]
        results[base, ratio] = row
        cells = [f"{o.share:6.1%}" + (f" after {o.median:,.0f}" if ratio > 1 else "") for o in row]
        print(f"{base:.1%} -> {base * ratio:.1%}, w = {w:.0%}: " + " | ".join(cells))
    guards = whole_guards(200, 8_000)
    per_record, per_look = cost_us()
    print(
        f"all guards together, harmless: {guards:.1%} of 200; {per_record:.1f} us a record, {per_look:.2f} ms a look"
    )
    figures = {
        "at most 5 % of harmless releases (one guard)": results[0.01, 1.0][0].share <= ALPHA,
        "at most 5 % of harmless releases (all guards)": guards <= ALPHA,
        "0.1 -> 1 % within 5,000 requests (median)": results[0.001, 10.0][0].median <= 5_000,
        "1 -> 2 % within 14,195 requests (median)": results[0.01, 2.0][0].median <= 14_195,
        "counting takes at most 50 us a record": per_record <= 50,
    }
    for name, reached in figures.items():
        print(f"{'yes' if reached else 'NO '}  {name}")
    print(f"figures: {sum(figures.values())} of {len(figures)} reached")
    return 0 if all(figures.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
