"""What the evidence says: one verdict per guard, in plain words, ordered; the worst wins.

Pure: counts in, verdicts out. The statistics are in `lockgate.stats`, the actions in `phases.py`.
"""

from __future__ import annotations

import math

from lockgate.release.counts import Counts, Frozen, StageCounts, Watched
from lockgate.release.guards import (
    LATE,
    SLOW,
    SPLIT_ALPHA,
    SUSPICIOUS_E,
    TITLES,
    Action,
    GuardName,
    GuardPlan,
)
from lockgate.release.label_verdict import label_verdicts
from lockgate.release.means import business_verdict, shift_verdict
from lockgate.release.promise import ReleasePlan
from lockgate.release.verdict import Label, Verdict, weighed
from lockgate.release.words import callers, percent
from lockgate.stats.eprocess import EventProcess
from lockgate.stats.evalues import beta_arm, event_arm_safe

FLOOR_REQUESTS = 20  # hard floor: of at least so many canary requests in a stage ...
FLOOR_SHARE = 0.5  # ... half failed: no statistics are needed
PROOF_ALPHA = 0.05
REFUSED_REQUESTS = 5  # that do not fit the signature ...
REFUSED_SHARE = 0.01  # ... and at least this share: a person is asked
_Z99 = 2.326
LEAST_LIMIT = 0.005  # a live version without a single error does not make one error an alarm
WATCH_SLOWNESS = 3.0  # with all traffic on one version, answers are a little slower without any harm


def judge(plan: ReleasePlan, counts: Counts, frozen: Frozen) -> list[Verdict]:
    """Every guard's verdict, the worst first.

    A broken split voids the other statistics of the stage: they are then left out, absolute rules stay.
    """
    verdicts = [_floor(stage) for _, stage in sorted(counts.stages.items())[-1:]]
    split = [_split(number, stage) for number, stage in sorted(counts.stages.items())[-1:]]
    verdicts += split
    verdicts += _inputs(counts) + _recorded(plan, counts)
    # A first version is held to limits alone: there is no live version beside it.
    if not plan.first and all(verdict.label is not Label.BROKEN for verdict in split):
        for guard in plan.guards:
            if guard.name is GuardName.BUSINESS:
                verdicts += business_verdict(guard, plan, counts)
            elif guard.name is GuardName.LABELS:
                verdicts += label_verdicts(guard, plan, counts)
            elif guard.name in counts.guards:
                verdicts.append(_events(guard, counts, frozen))
        verdicts += shift_verdict(plan, counts.stages, frozen)
    for name, limit in frozen.limits.items():
        watching = next((g for g in plan.guards if g.name is name), None)
        if watching is not None and name in counts.watched:
            verdicts.append(_limit(watching, counts.watched[name], limit, plan))
    return sorted(verdicts, key=lambda verdict: -verdict.label)


def worst(verdicts: list[Verdict]) -> Verdict | None:
    """The verdict that decides: the highest label, among equals one that rolls back."""
    return max(verdicts, key=lambda v: (v.label, v.action is Action.ROLLBACK), default=None)


def unproven_guards(plan: ReleasePlan, counts: Counts) -> list[str]:
    """The guards without proof that the odds of their event are not doubled: E >= 20 each, no correction, as all must pass."""
    short = math.log(1.0 / PROOF_ALPHA)
    found = []
    for guard in plan.guards:
        if guard.name in LATE:
            continue  # labels come when they come: they can end a release, not hold it up
        process = counts.guards.get(guard.name, EventProcess())
        if event_arm_safe(process.valid_cells()) < short:
            found.append(TITLES[guard.name])
    return found


def _events(guard: GuardPlan, counts: Counts, frozen: Frozen) -> Verdict:
    process = counts.guards[guard.name]
    log_e = process.log_e(guard.theta0)
    canary, baseline = process.totals()
    title = TITLES[guard.name]
    slower_us = {GuardName.SLOW_T99: frozen.t99_us, GuardName.SLOW_T95: frozen.t95_us}.get(guard.name)
    waited = f" waited longer than {slower_us / 1000:.3g} ms" if slower_us else ""
    counted = f"{callers(canary)} of the canary and {baseline} of live{waited}, {_looked(guard.name, counts)}"
    label, said = weighed(title, log_e, guard.threshold, counted)
    if label is Label.WORSE and slower_us:
        said += "; if that is fast enough, state what is: goal.p99_ms"
    if label is Label.NOT_YET and process.log_e_better(1.0) >= guard.threshold:
        label, said = Label.BETTER, f"{title}: the canary is better ({counted})"
    return Verdict(
        guard=guard.name,
        label=label,
        sentence=said,
        action=guard.action,
        canary=canary,
        baseline=baseline,
        log_e=log_e,
        alpha=guard.alpha,
    )


def _split(number: int, stage: StageCounts) -> Verdict:
    log_e = beta_arm(stage.units_canary, stage.units_baseline, stage.weight)
    total = stage.units_canary + stage.units_baseline
    got = stage.units_canary / total if total else 0.0
    broken = log_e >= math.log(1.0 / SPLIT_ALPHA)
    said = f"split: {percent(got)} of {total:,} callers went to the canary, planned {percent(stage.weight)}"
    if broken:
        said += "; that is no chance: routing is broken or an arm loses records, so stage evidence is void"
    return Verdict(
        guard="split",
        label=Label.BROKEN if broken else Label.NOT_YET,
        sentence=f"{said} (stage {number})",
        action=Action.HOLD,
        canary=stage.units_canary,
        baseline=stage.units_baseline,
        log_e=log_e,
        alpha=SPLIT_ALPHA,
    )


def _floor(stage: StageCounts) -> Verdict:
    fell = stage.canary >= FLOOR_REQUESTS and stage.canary_bad >= FLOOR_SHARE * stage.canary
    # an incident that hits both arms alike is no reason to go back
    fell = fell and stage.baseline_bad < FLOOR_SHARE * max(stage.baseline, 1)
    return Verdict(
        guard="floor",
        label=Label.WORSE if fell else Label.NOT_YET,
        sentence=f"hard floor: {stage.canary_bad} of {stage.canary} canary requests failed in this stage",
        canary=stage.canary_bad,
        baseline=stage.baseline_bad,
    )


def _inputs(counts: Counts) -> list[Verdict]:
    """Requests that live takes and the new version's signature does not: a person is asked, nothing is rolled back."""
    newest = counts.stages[max(counts.stages)] if counts.stages else None
    refused, total = (newest.refused, newest.canary) if newest else (counts.pair_refused, counts.pairs)
    if not refused:
        return []
    many = refused >= REFUSED_REQUESTS and refused >= REFUSED_SHARE * total
    return [
        Verdict(
            guard="inputs",
            label=Label.HELD if many else Label.NOT_YET,
            sentence=f"inputs: {refused} of {total} requests do not fit the new version's signature",
            action=Action.HOLD,
            canary=refused,
            baseline=total,
        )
    ]


def _recorded(plan: ReleasePlan, counts: Counts) -> list[Verdict]:
    """Recorded requests on which the new version fails, before it has traffic: half of them end it, many ask a person.

    Of recorded history it is not known here how live fared, so this is an absolute rule and no statistics.
    """
    failed, total = counts.pair_errors, counts.pairs
    if counts.stages or not failed:
        return []
    label = Label.NOT_YET
    if total >= FLOOR_REQUESTS and failed >= FLOOR_SHARE * total:
        label = Label.WORSE
    elif failed >= REFUSED_REQUESTS and failed > plan.error_limit * total:
        label = Label.HELD
    return [
        Verdict(
            guard="shadow",
            label=label,
            sentence=f"shadow: the new version fails on {failed} of {total} recorded requests",
            action=Action.ROLLBACK if label is Label.WORSE else Action.HOLD,
            canary=failed,
            baseline=total,
        )
    ]


def _limit(guard: GuardPlan, watched: Watched, limit: float, plan: ReleasePlan) -> Verdict:
    """A limit in the watch: at most `planned batches / A` = alpha of harmless watches alarm."""
    threshold = math.log(plan.watch_batches / guard.alpha)
    log_r = watched.detector.log_r_mean() if watched.detector.batches else 0.0
    bad = f"{watched.total_bad} of {watched.total:,} requests" + (" too slow" if guard.name in SLOW else "")
    said = f"{TITLES[guard.name]} in the watch: {bad}, limit {percent(limit)}"
    label = Label.NOT_YET
    if log_r >= threshold:
        label, said = Label.WORSE, f"{said}; the limit is broken"
    elif log_r >= threshold - math.log(1 / guard.alpha) + math.log(SUSPICIOUS_E):
        label, said = Label.SUSPICIOUS, f"{said}; suspicious, not proven"
    return Verdict(
        guard=guard.name,
        label=label,
        sentence=said,
        action=Action.HOLD if plan.first and guard.name in SLOW else guard.action,
        canary=watched.total_bad,
        baseline=watched.total,
        # shown on the scale of the other guards: fires at log(1/alpha)
        log_e=log_r - math.log(plan.watch_batches),
        alpha=guard.alpha,
    )


def _looked(guard: GuardName, counts: Counts) -> str:
    """How many requests a guard has looked at, so that none bad of many is not taken for none seen."""
    stages = counts.stages.values()
    said = f"in {sum(s.canary for s in stages):,} and {sum(s.baseline for s in stages):,} requests"
    if guard is not GuardName.ERRORS or not counts.pairs:
        return said
    pairs = f"{counts.pairs:,} shadow pairs"
    return f"{said} and {pairs}" if counts.stages else f"in {pairs}"


def watch_limits(
    plan: ReleasePlan, baseline_bad: int, baseline: int, has_thresholds: set[GuardName]
) -> dict[GuardName, float]:
    """The shares of bad requests allowed in the watch, fixed before it starts.

    A first version has its declared limits. Later ones: twice what the live version can have had at most (Wilson's
    upper bound at 99 %) by the canary's baseline, never above the declared limit; slow ones 3 times what the threshold
    means.
    """
    errors = plan.error_limit
    if not plan.first and baseline:
        errors = min(errors, max(2.0 * _wilson_upper(baseline_bad, baseline), LEAST_LIMIT))
    limits = {GuardName.ERRORS: errors, GuardName.INVALID: errors}
    for name, share in ((GuardName.SLOW_T99, 0.01), (GuardName.SLOW_T95, 0.05)):
        if name in has_thresholds:
            limits[name] = share if plan.first else share * WATCH_SLOWNESS
    return limits


def _wilson_upper(bad: int, total: int) -> float:
    share, z2 = bad / total, _Z99 * _Z99
    spread = _Z99 * math.sqrt(share * (1 - share) / total + z2 / (4 * total * total))
    return (share + z2 / (2 * total) + spread) / (1 + z2 / total)
