"""What labels say of a release, in words: of requests before the watch by an e-process, of those in it by an e-detector. Pure.

Labels of either kind of request may come at any time, often long after promotion. Both processes have a part of the guard's
alpha, so all of it together keeps what was promised.
"""

from __future__ import annotations

import math

from lockgate.release.counts import Counts, WatchedLabels
from lockgate.release.guards import TITLES, GuardPlan, label_alphas
from lockgate.release.means import in_both, staged_verdict
from lockgate.release.promise import ReleasePlan
from lockgate.release.verdict import Label, Verdict, weighed
from lockgate.release.words import callers
from lockgate.stats.eprocess import BetState, EventProcess


def label_verdicts(guard: GuardPlan, plan: ReleasePlan, counts: Counts) -> list[Verdict]:
    """The guard on wrong answers: nothing before labels were looked at."""
    alpha, watch_alpha = label_alphas(guard.alpha, paired=plan.paired_labels)
    found = []
    if plan.numbers and not plan.paired_labels:
        found += _distances(guard, plan, counts)
    elif counts.losses is not None:
        found.append(_losses(guard, alpha, counts.labelled, counts.losses, _worse(plan)))
    elif guard.name in counts.guards:
        found.append(
            _wrong(guard, alpha, counts.labelled, counts.guards[guard.name], paired=plan.paired_labels)
        )
    if counts.watched_labels is not None:
        lost = _worse(plan) if counts.losses is not None else "the new version is wrong more often"
        found.append(_watched(guard, watch_alpha, plan, counts.watched_labels, lost))
    return found


def _distances(guard: GuardPlan, plan: ReleasePlan, counts: Counts) -> list[Verdict]:
    """Arm by arm: whose answers lie farther off on average, one process a stage, as its weight is another one in the next."""
    if not counts.labelled:
        return []
    if not counts.label_means:
        said = f"{TITLES[guard.name]}: too few labels so far ({counts.labelled:,} rows)"
        return [
            Verdict(
                guard=guard.name, label=Label.NOT_YET, sentence=said, action=guard.action, alpha=guard.alpha
            )
        ]
    a = guard.alpha / max(len(plan.stages), 1)
    return [
        staged_verdict(
            guard, plan, counts.label_means, lambda arms: arms.log_e_higher(a=a),
            lambda stage, arms: f"mean error {in_both(stage, arms)}", worse="the canary is farther from the truth",
        )
    ]  # fmt: skip


def _worse(plan: ReleasePlan) -> str:
    return "its wrong answers cost more" if plan.costs else "the new version is farther from the truth"


def _wrong(guard: GuardPlan, alpha: float, labelled: int, process: EventProcess, *, paired: bool) -> Verdict:
    """Caller by caller: which version alone was wrong, or without pairs how many got a wrong answer from which."""
    log_e, threshold = process.log_e(guard.theta0), math.log(1.0 / alpha)
    canary, baseline = process.totals()
    told = (
        f"the canary alone was wrong for {callers(canary)}, live alone for {baseline}"
        if paired
        else f"{callers(canary)} of the canary and {baseline} of live got wrong ones"
    )
    counted = f"{told}, of {labelled:,} rows with a label"
    label, said = weighed(TITLES[guard.name], log_e, threshold, counted)
    if label is Label.NOT_YET and process.log_e_better(1.0) >= threshold:
        label, said = Label.BETTER, f"{TITLES[guard.name]}: the canary is better ({counted})"
    return Verdict(
        guard=guard.name, label=label, sentence=said, action=guard.action, canary=canary, baseline=baseline,
        log_e=log_e, alpha=alpha,
    )  # fmt: skip


def _losses(guard: GuardPlan, alpha: float, labelled: int, losses: BetState, worse: str) -> Verdict:
    """Pair by pair: on which side the truth lay nearer, or whose answer cost less."""
    looked = f"{losses.pairs:,} callers with a label of {labelled:,} rows"
    log_e = losses.log_e()
    label, said = weighed(TITLES[guard.name], log_e, math.log(1.0 / alpha), looked, worse=worse)
    return Verdict(
        guard=guard.name, label=label, sentence=said, action=guard.action, log_e=log_e, alpha=alpha
    )


def _watched(
    guard: GuardPlan, alpha: float, plan: ReleasePlan, watched: WatchedLabels, worse: str
) -> Verdict:
    """An alarm at R >= planned batches / alpha: at most alpha of harmless watches that are as long as planned."""
    log_e = watched.detector.log_r_mean() - math.log(plan.watch_batches)  # on the scale of the other guards
    title = f"{TITLES[guard.name]} in the watch"
    counted = (
        f"the new version did worse for {callers(watched.canary)} and the previous one for "
        f"{watched.baseline}, of {watched.labelled:,} rows with a label"
    )
    label, said = weighed(title, log_e, math.log(1.0 / alpha), counted, worse=worse)
    return Verdict(
        guard=guard.name, label=label, sentence=said, action=guard.action, canary=watched.canary,
        baseline=watched.baseline, log_e=log_e, alpha=alpha,
    )  # fmt: skip
