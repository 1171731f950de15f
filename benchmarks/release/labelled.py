"""Labels: how many it takes to see a worse version, and what they must not do where decisions make their own labels."""

from __future__ import annotations

import math

import numpy as np
from benchmarks.gateway.figures import Figure
from benchmarks.release.guarded import PAIR_WEIGHT, plan_of
from benchmarks.release.paths import copies, event_path
from benchmarks.release.scenarios import STAGES

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.guards import Action, GuardName, GuardPlan, label_alphas
from lockgate.release.plan import make_plan
from lockgate.stats.intervals import wilson

SEED, RUNS, PAIRS = 20261124, 1_000, 40_000
WORSE, MOST_LABELS = 0.02, 2_500  # two points more wrong answers ...
DIFFER = (0.04, 0.06)  # ... of versions that differ in so many rows
REQUESTS, ACCEPTED, BAD = 20_000, 0.7, -0.8  # most are good, most are accepted, as in lending


def figures() -> list[Figure]:
    """Paired labels, and labels that exist only when accepted."""
    found = []
    guard = _guard(Observed.ALWAYS)
    for differ in DIFFER:
        at = np.array([_paired(differ, guard, np.random.default_rng(SEED + run)) for run in range(RUNS // 2)])
        print(
            f"  2 points worse, {differ:.0%} of rows differ: median {np.median(at):,.0f} labels, "
            f"nine of ten within {np.quantile(at, 0.9, method='higher'):,.0f}",
            flush=True,
        )
        name = f"2 points worse, {differ:.0%} of rows differ (median labels)"
        found.append(Figure(name, float(np.median(at)), MOST_LABELS, "", at_least=False))
    return [*found, *_when_accepted()]


def _when_accepted() -> list[Figure]:
    """Two equally good models, and a label only for whom the assigned one accepted."""
    guard = _guard(Observed.WHEN_ACCEPTED)
    rng = np.random.default_rng(SEED)
    runs = [_accepted(guard, rng) for _ in range(RUNS)]
    held, naive = (wilson(sum(column), RUNS) for column in zip(*runs, strict=True))
    print(
        f"  labels only when accepted, equally good: the guard fires in {held.value:.1%} ({held.low:.1%} to {held.high:.1%}) "
        f"and {'holds' if guard.action is Action.HOLD else 'rolls back'}; in pairs it would fire in {naive.value:.1%}",
        flush=True,
    )
    rolled_back = held.value * RUNS if guard.action is Action.ROLLBACK else 0.0
    return [
        Figure("labels only when accepted: rolled back of 1,000", rolled_back, 0.0, "", at_least=False),
        Figure("labels only when accepted: held", 100 * held.value, 5.0, "%", at_least=False),
    ]


def _guard(observed: Observed) -> GuardPlan:
    plan = (
        plan_of(STAGES, late=True)
        if observed is Observed.ALWAYS
        else make_plan(ReleaseConfig(canary=STAGES), Traffic(), labels=observed)
    )
    return next(guard for guard in plan.guards if guard.name is GuardName.LABELS)


def _paired(differ: float, guard: GuardPlan, rng: np.random.Generator) -> float:
    """Labelled pairs until the guard fires."""
    places = np.flatnonzero(rng.random(PAIRS) < differ)
    new_wrong = rng.random(len(places)) < (differ + WORSE) / 2 / differ
    weight = np.full(len(places), PAIR_WEIGHT)
    threshold = math.log(1.0 / label_alphas(guard.alpha, paired=True)[0])
    return event_path(places, weight, new_wrong, copies(np.zeros(PAIRS, dtype=int))).fires(threshold)


def _accepted(guard: GuardPlan, rng: np.random.Generator) -> tuple[bool, bool]:
    """Whether the guard fires as shipped (by arm), and whether it would in pairs.

    Both models see the truth through noise of their own, as much of it. Accepted are the best of each model's
    scores; the label of the others never comes. Wrong is an accepted case that turns out bad.
    """
    truth = rng.normal(size=REQUESTS)
    old, new = (truth + rng.normal(size=REQUESTS) for _ in range(2))
    cut = np.quantile(old, 1 - ACCEPTED)
    stage = np.arange(REQUESTS) * len(STAGES) // REQUESTS
    w = np.array(STAGES)[stage]
    canary = rng.random(REQUESTS) < w
    bad = truth < BAD
    wrong = np.where(canary, new > cut, old > cut) & bad
    places = np.flatnonzero(wrong)
    shipped = event_path(places, w[places], canary[places], copies(stage)).fires(guard.threshold)
    # in pairs: live decides who is accepted, so its own refusals never turn out to have been wrong
    labelled = (old > cut) & ~canary
    new_wrong, old_wrong = (new > cut) != ~bad, (old > cut) != ~bad
    differ = np.flatnonzero(labelled & (new_wrong != old_wrong))
    pairs = event_path(differ, np.full(len(differ), PAIR_WEIGHT), new_wrong[differ], copies(stage))
    return math.isfinite(shipped), math.isfinite(pairs.fires(guard.threshold))
