"""Live versions long after their release: false alarms of those that are well, and how soon one that goes bad is told.

Requests come by day and by night (four times as many at noon as at midnight), each fails by chance. The vital signs as shipped
count them step by step, beside a rule of the usual kind: 5 failures and 1 % of the requests of two hours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from benchmarks.gateway.figures import Figure

from lockgate.clock import DAY_US
from lockgate.release.vitals import STEP_US, Course

SEED, MONTH_DAYS = 20261127, 30
USUAL, LIMIT = (
    0.001,
    0.0054,
)  # fail of a version that is well; what is tolerated after 2,000 requests without a failure
PER_DAY = (100, 10_000, 1_000_000)
MONTHS = {100: 50, 10_000: 2, 1_000_000: 1}
BREAKS = (0.02, 0.10, 1.0)
RUNS = 10
STEPS_A_DAY = DAY_US // STEP_US
RULE_STEPS, RULE_FAILED, RULE_SHARE = 480, 5, 0.01
MOST_FALSE_A_YEAR = 1.0
SOON = {(100, 1.0): 12, (10_000, 0.10): 200, (1_000_000, 0.02): 5_000}  # requests, median


@dataclass(frozen=True)
class Told:
    """After how many requests and days it was told; infinity for never."""

    requests: float
    days: float


def figures() -> list[Figure]:
    """Months of versions that are well; versions that fail just as often as is tolerated; versions that go bad."""
    rng, found = np.random.default_rng(SEED), []
    for per_day in PER_DAY:
        alarms, rule = _well(per_day, USUAL, MONTHS[per_day], rng)
        print(
            f"  {per_day:,} requests a day, 0.1 % fail: {alarms} false alarms in {MONTHS[per_day]:,} months; "
            f"the rule of two hours: {rule}",
            flush=True,
        )
        found.append(Figure(f"well, {per_day:,} a day: false alarms", alarms, 0, "", at_least=False))
    worst, _ = _well(10_000, LIMIT, MONTHS[10_000], rng)
    a_year = worst / (MONTHS[10_000] * MONTH_DAYS / 365)
    print(
        f"  just as many fail as is tolerated, 10,000 a day: {a_year:.2g} alarms a year, promised 1 at the most",
        flush=True,
    )
    found.append(Figure("at the limit: alarms a year", a_year, MOST_FALSE_A_YEAR, "", at_least=False))
    for per_day in PER_DAY:
        for fails in BREAKS:
            found += _delay(per_day, fails, rng)
    return found


def _delay(per_day: int, fails: float, rng: np.random.Generator) -> list[Figure]:
    told = [_breaks(per_day, fails, rng) for _ in range(RUNS)]
    requests, days = (np.median([getattr(each[0], name) for each in told]) for name in ("requests", "days"))
    late = np.quantile([each[0].requests for each in told], 0.9, method="higher")
    rule = np.median([each[1].requests for each in told])
    print(
        f"  {per_day:,} a day, {fails:.0%} begin to fail: told after {requests:,.0f} requests (nine of ten {late:,.0f}), "
        f"{_span(float(days))}; the rule of two hours: {'never in 30 days' if np.isinf(rule) else f'{rule:,.0f}'}",
        flush=True,
    )
    goal = SOON.get((per_day, fails))
    name = f"{per_day:,} a day, {fails:.0%} fail: requests until told"
    return [] if goal is None else [Figure(name, float(requests), goal, "", at_least=False)]


def _steps(per_day: int, days: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Steps in which requests came, and how many."""
    at = np.arange(days * STEPS_A_DAY)
    rate = per_day / STEPS_A_DAY * (1 - 0.6 * np.cos(2 * np.pi * at / STEPS_A_DAY))
    asked = rng.poisson(rate)
    return np.flatnonzero(asked), asked[asked > 0]


def _well(per_day: int, fails: float, months: int, rng: np.random.Generator) -> tuple[int, int]:
    """False alarms of months in which nothing changes: ours, and the rule's."""
    ours = rule = 0
    for _ in range(months):
        at, asked = _steps(per_day, MONTH_DAYS, rng)
        bad = rng.binomial(asked, fails)
        course, alarm = Course(limit=LIMIT), False
        for n, k in zip(asked.tolist(), bad.tolist(), strict=True):
            _step(course, n, k)
            ours += course.alarm and not alarm
            alarm = course.alarm
        fired = _rule(at, asked, bad)
        rule += int(np.count_nonzero(fired[1:] & ~fired[:-1]) + fired[0])
    return ours, rule


def _breaks(per_day: int, fails: float, rng: np.random.Generator) -> tuple[Told, Told]:
    """Two days of a version that is well, then it begins to fail: told by us, and by the rule."""
    at, asked = _steps(per_day, 2 + MONTH_DAYS, rng)
    broken = int(np.searchsorted(at, 2 * STEPS_A_DAY))
    bad = rng.binomial(asked, np.where(np.arange(len(at)) >= broken, fails, USUAL))
    course = Course(limit=LIMIT)
    ours = None
    for place, (n, k) in enumerate(zip(asked.tolist(), bad.tolist(), strict=True)):
        _step(course, n, k)
        if course.alarm and place >= broken:
            ours = place
            break
    fired = np.flatnonzero(_rule(at, asked, bad)[broken:])
    places = (ours, broken + int(fired[0]) if fired.size else None)
    first, second = (
        Told(np.inf, np.inf)
        if place is None
        else Told(float(asked[broken : place + 1].sum()), float(at[place] - 2 * STEPS_A_DAY) / STEPS_A_DAY)
        for place in places
    )
    return first, second


def _step(course: Course, asked: int, bad: int) -> None:
    """One step of requests, each of a caller of its own."""
    course.asked, course.bad = asked, bad
    course.counted, course.counted_bad = course.counted + asked, course.counted_bad + bad
    course.close()


def _rule(at: np.ndarray, asked: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """Where 5 failures and 1 % of the requests of the last two hours had failed."""
    first = np.searchsorted(at, at - RULE_STEPS, side="right")
    requests, failed = (np.concatenate([[0], np.cumsum(each)]) for each in (asked, bad))
    here = np.arange(1, len(at) + 1)
    n, k = requests[here] - requests[first], failed[here] - failed[first]
    found: np.ndarray = (k >= RULE_FAILED) & (k >= RULE_SHARE * n)
    return found


def _span(days: float) -> str:
    if np.isinf(days):
        return "never in 30 days"
    return (
        f"{days:.1f} days"
        if days >= 1
        else f"{days * 24:.1f} h"
        if days * 24 >= 1
        else f"{days * 1440:.1f} min"
    )
