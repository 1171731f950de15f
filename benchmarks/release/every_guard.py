"""Every guard's delay: after how much a harm of the size that a plan names is found, beside the plan's number and other rules."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.delays import WITHIN, told
from benchmarks.release.guarded import (
    PAIR_WEIGHT,
    guard_path,
    threshold_rule,
    z_test,
    z_test_of_means,
)
from benchmarks.release.paths import bet_path, copies, event_path, mean_path
from benchmarks.release.scenarios import STAGES, Scenario, Simulated, simulate

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.foreseen import (
    LARGER_ERRORS,
    TYPICAL_DIFFER,
    TYPICAL_EFFECT,
    TYPICAL_INVALID,
    TYPICAL_SINGLE,
    TYPICAL_SLOW,
    TYPICAL_WRONG,
    foresee,
)
from lockgate.release.guards import GuardName, GuardPlan, label_alphas
from lockgate.release.label_means import LIMIT, SCALE_ROWS
from lockgate.release.outputs import Spread
from lockgate.release.plan import make_plan
from lockgate.release.promise import BusinessPlan, ReleasePlan
from lockgate.stats.intervals import wilson

SEED, RELEASES, W = 20261127, 1_000, 0.10
BESIDE = 200  # releases that other rules are asked about
SALES = BusinessPlan(metric="revenue", higher_is_better=True, spread=Spread(low=10.0, high=90.0, sigma=13.0))
ALL_SLOW = Traffic(
    requests=200_000, span_s=86_400.0, keys=50_000, t95_us=90_000, t99_us=200_000, latencies=100_000
)
LABELLED, TAIL = 0.2, 2.5  # of requests; degrees of freedom of errors with a heavy tail


@dataclass(frozen=True)
class Harm:
    """A guard, the plan that has it, and one simulated release in which it fires; `others`: what is usually done in its place."""

    name: str
    guard: GuardName
    plan: ReleasePlan
    fires: Callable[[GuardPlan, int, np.random.Generator], float]
    others: dict[str, Callable[[int, np.random.Generator], float]]


def figures() -> list[Figure]:
    """Delays of every guard that a plan names, then false rollbacks by labels of single numbers."""
    found = [_delay(harm) for harm in _harms()]
    return [*found, *_equal_numbers()]


def _harms() -> list[Harm]:
    settings = ReleaseConfig(canary=(W,))
    six = make_plan(settings, ALL_SLOW, labels=Observed.ALWAYS, business=SALES)
    alone = make_plan(settings, ALL_SLOW, labels=Observed.ALWAYS, pure=False)
    numbers = make_plan(settings, ALL_SLOW, labels=Observed.ALWAYS, numbers=True)
    single = make_plan(settings, ALL_SLOW, labels=Observed.ALWAYS, numbers=True, pure=False)
    costs = make_plan(settings, ALL_SLOW, labels=Observed.ALWAYS, costs={"1": {"0": 5.0}, "0": {"1": 5.0}})
    t99, t95 = (TYPICAL_SLOW[name] for name in (GuardName.SLOW_T99, GuardName.SLOW_T95))
    return [
        _events("slower than T99, 1 % -> 3 %", GuardName.SLOW_T99, six, slow=t99),
        _events("slower than T95, 5 % -> 10 %", GuardName.SLOW_T95, six, slow=t95),
        _events("invalid answers, 0.1 % -> 1 %", GuardName.INVALID, six, invalid=TYPICAL_INVALID),
        Harm(
            "business metric, worse by a tenth of its spread",
            GuardName.BUSINESS,
            six,
            _business,
            {"z test": _business_z},
        ),
        Harm("wrong answers in pairs, 60 % of the 10 % that differ", GuardName.LABELS, six, _pairs, {}),
        Harm(
            "costs in pairs, a fifth of the largest on the 10 % that differ",
            GuardName.LABELS,
            costs,
            _costs,
            {},
        ),
        Harm("distances in pairs, errors 20 % larger", GuardName.LABELS, numbers, _distances, {}),
        Harm("single answers, wrong 10 % -> 15 %", GuardName.LABELS, alone, _single, {"z test": _single_z}),
        Harm(
            "single numbers, errors 20 % larger", GuardName.LABELS, single, _numbers, {"z test": _numbers_z}
        ),
    ]


def _delay(harm: Harm) -> Figure:
    guard = next(guard for guard in harm.plan.guards if guard.name is harm.guard)
    planned = next(one for one in foresee(harm.plan, ALL_SLOW) if one.guard is harm.guard)
    n, rng = math.ceil(2.5 * planned.nine), np.random.default_rng(SEED)
    at = np.array([harm.fires(guard, n, rng) for _ in range(RELEASES)])
    print(
        f"  {harm.name}: {told(at)}; planned {planned.median:,.0f} and {planned.nine:,.0f} {planned.of}",
        flush=True,
    )
    for rule, asked in harm.others.items():
        print(
            f"    {rule}, every minute: {told(np.array([asked(n, rng) for _ in range(BESIDE)]))}",
            flush=True,
        )
    off = abs(planned.median / float(np.median(at)) - 1.0)
    return Figure(f"{harm.name}: the plan's number off the simulated median", off, WITHIN, "", at_least=False)


def _events(name: str, guard: GuardName, plan: ReleasePlan, **harm: tuple[float, float]) -> Harm:
    def made(n: int, rng: np.random.Generator) -> Simulated:
        return simulate(Scenario(error_share=0.0, stages=(W,), requests=n, **harm), rng)  # type: ignore[arg-type]

    def bad(release: Simulated) -> np.ndarray:
        if guard is GuardName.INVALID:
            return release.invalid
        return release.latency > (0.99 if guard is GuardName.SLOW_T99 else 0.95)

    def threshold(n: int, rng: np.random.Generator) -> float:
        release = made(n, rng)
        return threshold_rule(release, 2.0 * next(iter(harm.values()))[0], bad(release))

    def z(n: int, rng: np.random.Generator) -> float:
        release = made(n, rng)
        return z_test(release, bad(release))

    def fires(planned: GuardPlan, n: int, rng: np.random.Generator) -> float:
        return guard_path(made(n, rng), planned).fires(planned.threshold)

    return Harm(name, guard, plan, fires, {"twice live's share": threshold, "z test": z})


def _sales(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """What callers did not spend, and who is in the canary: normal, a tenth of the spread less there."""
    canary, spread = rng.random(n) < W, SALES.spread
    spent = rng.normal(50.0, spread.sigma, n) - TYPICAL_EFFECT * spread.sigma * canary
    return -np.clip(spent, spread.low, spread.high), canary


def _business(guard: GuardPlan, n: int, rng: np.random.Generator) -> float:
    harm, canary = _sales(n, rng)
    return mean_path(np.arange(n), harm, canary, a=guard.alpha).fires(guard.threshold)


def _business_z(n: int, rng: np.random.Generator) -> float:
    return z_test_of_means(*_sales(n, rng))


def _pairs(guard: GuardPlan, n: int, rng: np.random.Generator) -> float:
    places = np.flatnonzero(rng.random(n) < TYPICAL_DIFFER)
    wrong, weight = rng.random(len(places)) < TYPICAL_WRONG, np.full(len(places), PAIR_WEIGHT)
    return event_path(places, weight, wrong, copies(np.zeros(n, dtype=int))).fires(_before(guard))


def _costs(guard: GuardPlan, n: int, rng: np.random.Generator) -> float:
    places = np.flatnonzero(rng.random(n) < TYPICAL_DIFFER)
    dearer = np.where(rng.random(len(places)) < TYPICAL_WRONG, 1.0, -1.0)
    at = bet_path(dearer).fires(_before(guard))
    return float(places[int(at)]) if math.isfinite(at) else at


def _distances(guard: GuardPlan, n: int, rng: np.random.Generator) -> float:
    new, old = np.abs(rng.normal(0.0, LARGER_ERRORS, n)), np.abs(rng.normal(0.0, 1.0, n))
    return bet_path((new - old) / (new + old)).fires(_before(guard))


def _wrong(n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    canary = rng.random(n) < W
    usual, harmed = TYPICAL_SINGLE
    return rng.random(n) < np.where(canary, harmed, usual), canary


def _single(guard: GuardPlan, n: int, rng: np.random.Generator) -> float:
    wrong, canary = _wrong(n, rng)
    places = np.flatnonzero(wrong)
    path = event_path(places, np.full(len(places), W), canary[places], copies(np.zeros(n, dtype=int)))
    return path.fires(guard.threshold)


def _single_z(n: int, rng: np.random.Generator) -> float:
    wrong, canary = _wrong(n, rng)
    return z_test_of_means(wrong * 1.0, canary)


def _off(n: int, rng: np.random.Generator, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances of single answers with normal errors, as the guard counts them, and who is in the canary."""
    canary = rng.random(n) < W
    limit = np.quantile(np.abs(rng.normal(0.0, 1.0, SCALE_ROWS)), LIMIT, method="nearest")
    return np.minimum(np.abs(rng.normal(0.0, 1.0, n)) * np.where(canary, ratio, 1.0), limit), canary


def _numbers(guard: GuardPlan, n: int, rng: np.random.Generator) -> float:
    off, canary = _off(n, rng, LARGER_ERRORS)
    return mean_path(np.arange(n), off, canary, a=guard.alpha).fires(guard.threshold)


def _numbers_z(n: int, rng: np.random.Generator) -> float:
    return z_test_of_means(*_off(n, rng, LARGER_ERRORS))


def _before(guard: GuardPlan) -> float:
    return math.log(1.0 / label_alphas(guard.alpha, paired=True)[0])


def _equal_numbers() -> list[Figure]:
    """Two equally good models of numbers, their errors with a heavy tail, a fifth of 100,000 requests labelled, all stages."""
    plan = make_plan(ReleaseConfig(canary=STAGES), ALL_SLOW, labels=Observed.ALWAYS, numbers=True, pure=False)
    guard = next(guard for guard in plan.guards if guard.name is GuardName.LABELS)
    whole = msgspec.structs.replace(guard, alpha=plan.alpha)  # were it the only guard, with all of alpha
    rng = np.random.default_rng(SEED)
    fired, loose, looked = 0, 0, 0
    for _ in range(RELEASES):
        rows = [_stage_of(w, rng) for w in STAGES]
        fired += any(_fires(off, canary, guard) for off, canary in rows)
        loose += any(_fires(off, canary, whole) for off, canary in rows)
        looked += any(math.isfinite(z_test_of_means(off, canary)) for off, canary in rows)
    shares = [wilson(count, RELEASES) for count in (fired, loose, looked)]
    rules = ("as shipped", "with all of alpha", "by a z test every minute")
    words = [
        f"{s.value:.1%} ({s.low:.1%} to {s.high:.1%}) {rule}" for s, rule in zip(shares, rules, strict=True)
    ]
    print(f"  equally good models of numbers, single answers: rolled back {', '.join(words)}", flush=True)
    return [
        Figure("equally good, single numbers: rolled back", 100 * shares[1].value, 5.0, "%", at_least=False)
    ]


def _stage_of(w: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    count = round(Scenario().requests * LABELLED / len(STAGES))
    limit = np.quantile(np.abs(rng.standard_t(TAIL, SCALE_ROWS)), LIMIT, method="nearest")
    return np.minimum(np.abs(rng.standard_t(TAIL, count)), limit), rng.random(count) < w


def _fires(off: np.ndarray, canary: np.ndarray, guard: GuardPlan) -> bool:
    path = mean_path(np.arange(len(off)), off, canary, a=guard.alpha / len(STAGES))
    return math.isfinite(path.fires(guard.threshold + math.log(len(STAGES))))
