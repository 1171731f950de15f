"""All guards of a plan over one simulated release, and what is usually done in their place."""

from __future__ import annotations

import math

import numpy as np
from benchmarks.release.paths import Path, copies, event_path, mean_path, split_path
from benchmarks.release.scenarios import Simulated

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.guards import SLOW, SPLIT_ALPHA, GuardName, GuardPlan, label_alphas
from lockgate.release.outputs import Spread
from lockgate.release.plan import make_plan
from lockgate.release.promise import BusinessPlan, ReleasePlan

PER_MINUTE = 600  # requests, for rules that look every minute
FEW = 30  # of each arm, before a rule of thumb on means is asked
PAIR_WEIGHT = 0.5
LABELLED, DIFFER = 0.2, 0.06  # of requests whose label comes, of these where exactly one version is wrong
REVENUE = BusinessPlan(
    metric="revenue", higher_is_better=True, spread=Spread(low=0.0, high=250.0, sigma=13.0)
)


def plan_of(stages: tuple[float, ...], *, late: bool) -> ReleasePlan:
    """The plan as shipped for these stages. `late`: with labels and a business metric, so all six guards."""
    settings = ReleaseConfig(canary=stages)
    if not late:
        return make_plan(settings, Traffic())
    return make_plan(settings, Traffic(), labels=Observed.ALWAYS, business=REVENUE)


def bad_requests(release: Simulated, name: GuardName) -> np.ndarray:
    """The requests that are an event for a guard, each caller's first alone."""
    bad = {
        GuardName.ERRORS: release.error,
        # a failure of live that does not say why makes both guards more careful, as in `bad_kinds`
        GuardName.INVALID: release.invalid | (release.error & ~release.canary),
        GuardName.SLOW_T99: release.error | release.invalid | (release.latency > 0.99),
        GuardName.SLOW_T95: release.error | release.invalid | (release.latency > 0.95),
    }[name]
    places = np.flatnonzero(bad)
    _, first = np.unique(release.caller[places], return_index=True)
    return places[np.sort(first)]


def guard_path(release: Simulated, guard: GuardPlan) -> Path:
    """A guard on events over the whole release."""
    places = bad_requests(release, guard.name)
    return event_path(places, release.w[places], release.canary[places], copies(release.stage), guard.theta0)


def label_path(release: Simulated, rng: np.random.Generator, *, worse: float = 0.5) -> Path:
    """The guard on labels in pairs: of pairs in which exactly one version is wrong, the new one is in a share `worse`."""
    labelled = np.flatnonzero(rng.random(len(release.stage)) < LABELLED)
    differ = np.flatnonzero(rng.random(len(labelled)) < DIFFER)
    weight = np.full(len(differ), PAIR_WEIGHT)
    path = event_path(differ, weight, rng.random(len(differ)) < worse, copies(release.stage[labelled]))
    return Path(labelled[path.at], path.log_e)


def business_fires(release: Simulated, guard: GuardPlan, business: BusinessPlan) -> float:
    """When the guard on the business metric fires: one process a stage, each caller's value of a stage once."""
    stages = np.unique(release.stage)
    spread, found = business.spread, math.inf
    for stage in stages:
        inside = np.flatnonzero(release.stage == stage)
        _, first = np.unique(release.caller[inside], return_index=True)
        places = inside[np.sort(first)]
        harm = -np.clip(release.value[places], spread.low, spread.high)
        path = mean_path(places, harm, release.canary[places], a=guard.alpha / len(stages))
        found = min(found, path.fires(guard.threshold + math.log(len(stages))))
    return found


def split_fires(release: Simulated) -> float:
    """When the guard on the split fires, which it should not."""
    found = math.inf
    for stage in np.unique(release.stage):
        inside = np.flatnonzero(release.stage == stage)
        _, first = np.unique(release.caller[inside], return_index=True)
        places = inside[np.sort(first)]
        path = split_path(places, release.canary[places], float(release.w[places[0]]))
        found = min(found, path.fires(math.log(1.0 / SPLIT_ALPHA)))
    return found


def guarded(release: Simulated, plan: ReleasePlan, rng: np.random.Generator) -> dict[GuardName, float]:
    """The request at which each guard of a plan fires; infinity for never."""
    found = {}
    for guard in plan.guards:
        if guard.name is GuardName.LABELS:
            alpha, _ = label_alphas(guard.alpha, paired=True)
            found[guard.name] = label_path(release, rng).fires(math.log(1.0 / alpha))
        elif guard.name is GuardName.BUSINESS and plan.business is not None:
            found[guard.name] = business_fires(release, guard, plan.business)
        elif guard.name is GuardName.ERRORS or guard.name is GuardName.INVALID or guard.name in SLOW:
            found[guard.name] = guard_path(release, guard).fires(guard.threshold)
    return found


def every_error(release: Simulated, guard: GuardPlan) -> float:
    """The same bets, but every error counts, not each caller's first: what lockgate does not do."""
    places = np.flatnonzero(release.error)
    path = event_path(places, release.w[places], release.canary[places], copies(release.stage))
    return path.fires(guard.threshold)


def threshold_rule(release: Simulated, share: float = 0.02, bad: np.ndarray | None = None) -> float:
    """Roll back when the canary's share of bad requests in the last minute is above a limit, looked at every minute.

    `bad`: errors, unless other events are named.
    """
    n, k, _, _ = _minutes(release, bad)
    return _minute(k > share * np.maximum(n, 1))


def z_test(release: Simulated, bad: np.ndarray | None = None) -> float:
    """A one-sided z test at 5 % on the totals so far, looked at every minute."""
    n, k, m, j = (part.cumsum() for part in _minutes(release, bad))
    pooled = (k + j) / (n + m)
    spread = np.sqrt(np.maximum(pooled * (1 - pooled) * (1 / np.maximum(n, 1) + 1 / np.maximum(m, 1)), 1e-12))
    return _minute((k / np.maximum(n, 1) - j / np.maximum(m, 1)) / spread > 1.645)


def z_test_of_means(values: np.ndarray, canary: np.ndarray, *, z: float = 1.645) -> float:
    """A z test on both arms' means so far, looked at every minute: one-sided, higher is harm."""
    whole = len(values) // PER_MINUTE * PER_MINUTE
    sums = []
    for arm in (canary[:whole], ~canary[:whole]):
        parts = (arm * 1.0, values[:whole] * arm, values[:whole] ** 2 * arm)
        sums.append(tuple(part.reshape(-1, PER_MINUTE).sum(axis=1).cumsum() for part in parts))
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = sum((q / n - (t / n) ** 2) / n for n, t, q in sums)
        found = (sums[0][1] / sums[0][0] - sums[1][1] / sums[1][0]) / np.sqrt(variance)
    return _minute((found > z) & (np.minimum(sums[0][0], sums[1][0]) >= FEW))


def _minutes(release: Simulated, bad: np.ndarray | None) -> tuple[np.ndarray, ...]:
    """Requests and bad ones of the canary, then of live, minute by minute."""
    whole = len(release.canary) // PER_MINUTE * PER_MINUTE
    canary, error = release.canary[:whole], (release.error if bad is None else bad)[:whole]
    parts = (canary, canary & error, ~canary, ~canary & error)
    return tuple(part.reshape(-1, PER_MINUTE).sum(axis=1) for part in parts)


def _minute(over: np.ndarray) -> float:
    found = np.flatnonzero(over)
    return float((found[0] + 1) * PER_MINUTE) if found.size else math.inf
