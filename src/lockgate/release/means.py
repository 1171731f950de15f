"""The guards on means: the business metric, which may end a release, and shifted answers, which ask a person. Pure.

One process a stage, as the canary's weight is another one in the next; each with its part of alpha, so that all
of them together keep what was promised.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from lockgate.release.counts import Counts, StageCounts
from lockgate.release.guards import (
    SHIFT_ALPHA,
    SHIFT_MARGIN,
    TITLES,
    Action,
    GuardPlan,
)
from lockgate.release.outputs import Outputs
from lockgate.release.promise import BusinessPlan, ReleasePlan
from lockgate.release.verdict import Label, Verdict, weighed
from lockgate.release.words import percent
from lockgate.stats.means import Arms


def business_verdict(guard: GuardPlan, plan: ReleasePlan, counts: Counts) -> list[Verdict]:
    """What the business metric says: nothing before the first value of a canary's caller is known."""
    business = plan.business
    if business is None or not counts.business:
        return []
    stages = max(len(plan.stages), 1)
    log_es = {
        number: _worse(arms, business, guard.alpha / stages) - math.log(stages)
        for number, arms in counts.business.items()
    }
    worst = max(log_es, key=lambda number: log_es[number])
    arms, log_e = counts.business[worst], log_es[worst]
    n = (
        sum(a.canary.n for a in counts.business.values()),
        sum(a.baseline.n for a in counts.business.values()),
    )
    told = (
        f"{business.metric}: mean {arms.canary.mean:.4g} of {arms.canary.n:,} callers of the canary and "
        f"{arms.baseline.mean:.4g} of {arms.baseline.n:,} of live, stage {worst}"
    )
    label, said = weighed(TITLES[guard.name], log_e, guard.threshold, told)
    if not any(arms.enough for arms in counts.business.values()):
        said = f"{TITLES[guard.name]}: too few values so far ({told})"
    return [
        Verdict(
            guard=guard.name, label=label, sentence=said, action=guard.action, canary=n[0], baseline=n[1],
            log_e=log_e, alpha=guard.alpha,
        )
    ]  # fmt: skip


def shift_verdict(
    plan: ReleasePlan, stages: Mapping[int, StageCounts], outputs: Outputs | None
) -> list[Verdict]:
    """Whether the canary's answers differ more from live's than the shadow showed and a tenth of live's spread.

    A new version is meant to answer differently, so this never rolls back; it holds the release for a person.
    """
    if outputs is None or not outputs.parts or not stages:
        return []
    alpha = SHIFT_ALPHA / (outputs.parts * max(len(plan.stages), 1))
    found = [
        (log_e, number, name, arms, expected)
        for number, stage in stages.items()
        for name, arms, log_e, expected in _parts(stage, outputs, alpha)
    ]
    if not found:
        return []
    log_e, number, name, arms, expected = max(found, key=lambda one: one[0])
    log_e -= math.log(SHIFT_ALPHA / alpha)
    fired = log_e >= math.log(1.0 / SHIFT_ALPHA)
    show = (lambda value: f"{value:.4g}") if name == "mean score" else percent
    told = (
        f"{name} {show(arms.canary.mean)} in the canary, {show(arms.baseline.mean)} in live, stage {number}"
    )
    if expected:
        told += f"; a change of {show(expected)} was expected from the shadow"
    return [
        Verdict(
            guard="shift",
            label=Label.HELD if fired else Label.NOT_YET,
            sentence=f"answers: {'they shift more than the shadow showed' if fired else 'no unexpected shift'} ({told})",
            action=Action.HOLD,
            canary=arms.canary.n,
            baseline=arms.baseline.n,
            log_e=log_e,
            alpha=SHIFT_ALPHA,
        )
    ]


def _worse(arms: Arms, business: BusinessPlan, a: float) -> float:
    return arms.log_e_lower(a=a) if business.higher_is_better else arms.log_e_higher(a=a)


def _parts(stage: StageCounts, outputs: Outputs, a: float) -> list[tuple[str, Arms, float, float]]:
    """Every mean that is compared in a stage, with its log E and the change that was expected."""
    pairs = [("mean score", stage.outputs.score, outputs.score)] if outputs.score else []
    pairs += [
        (f"share of '{name}'", stage.outputs.shares[name], spread)
        for name, spread in outputs.shares.items()
        if name in stage.outputs.shares
    ]
    return [
        (name, arms, arms.log_e_apart(spread.expected, SHIFT_MARGIN * spread.sigma, a=a), spread.expected)
        for name, arms, spread in pairs
        if spread is not None and arms.canary.n and arms.baseline.n
    ]
