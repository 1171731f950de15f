"""What a plan's guards will see, after how many requests and how long, and which harm goes unseen: numbers in plain words.

For each guard one harm of a usual size stands for all. Harm that would take longer than a release may last is told as unseen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lockgate.release.baseline import Traffic
from lockgate.release.guards import FIRST_COPY, GuardName, GuardPlan, label_alphas
from lockgate.release.label_evidence import largest_difference
from lockgate.release.label_means import LIMIT
from lockgate.release.promise import BusinessPlan, ReleasePlan
from lockgate.release.words import about, percent, span
from lockgate.stats.evalues import normal_margin
from lockgate.stats.means import FEWEST_VALUES
from lockgate.stats.planning import (
    effect_of_errors,
    events_until,
    pairs_until,
    relative_differences,
    requests_until,
    smallest_ratio,
    values_until,
)

TYPICAL_ERROR_SHARE = 0.01  # planning numbers are given for this when fewer errors were measured
TYPICAL_INVALID = (0.001, 0.01)  # live hardly ever answers so; harm is one of a hundred
TYPICAL_SLOW = {GuardName.SLOW_T99: (0.01, 0.03), GuardName.SLOW_T95: (0.05, 0.10)}  # shares of slow answers
TYPICAL_DIFFER, TYPICAL_WRONG = 0.10, 0.60  # an example of two versions that are not equally good
TYPICAL_SINGLE = (0.10, 0.15)  # shares of wrong answers, where each counts for its own arm
LARGER_ERRORS = 1.2  # how much larger errors are, in the example of regression
TYPICAL_EFFECT = 0.1  # of a business metric, in its standard deviations
_NINE = 0.9

Until = Callable[[float], float]  # a quantile -> how many it takes


@dataclass(frozen=True)
class Foreseen:
    """One harm and how many requests (or labelled rows, or callers) it takes to see it: the median, and nine of ten.

    `weight`: the canary's, 0..1, at which it is so; None where both versions answer every request (pairs).
    """

    guard: GuardName
    harm: str
    median: float
    nine: float
    of: str = "requests"
    weight: float | None = None

    def words(self, plan: ReleasePlan) -> tuple[bool, str]:
        """Whether it is seen within the time that the release may last, and the sentence that says so."""
        if math.isinf(self.median):
            return False, f"{self.harm} goes unseen: this guard tolerates as much."
        count = f"about {about(self.median)} {self.of}" + (
            f" at {percent(self.weight)}" if self.weight else ""
        )
        took_s = self.median / plan.per_s if plan.per_s > 0 else 0.0
        if took_s > plan.max_s:
            return False, (
                f"{self.harm} goes unseen: it would take {count}, at your traffic {span(took_s)}, "
                f"and this release may last {span(plan.max_s)}."
            )
        when = ""
        if plan.per_s > 0:
            labelled = "" if self.of == "requests" else " if each of your requests has one"
            when = f", at your traffic in {span(took_s)}{labelled}"
        return True, (
            f"{self.harm} is seen after {count}{when} (in nine of ten releases within {about(self.nine)})."
        )


def foresee(plan: ReleasePlan, traffic: Traffic) -> list[Foreseen]:
    """One harm for each of the plan's guards. Empty for a first version, which is held to limits and compared with nothing."""
    if not plan.stages:
        return []
    guards = {guard.name: guard for guard in plan.guards}
    found = [_event(plan, traffic, guard) for name, guard in guards.items() if name in _EVENTS]
    if GuardName.LABELS in guards:
        found.append(_labels(plan, guards[GuardName.LABELS]))
    if GuardName.BUSINESS in guards and plan.business is not None:
        found.append(_business(plan, plan.business, guards[GuardName.BUSINESS]))
    return found


def seen_sentences(plan: ReleasePlan, traffic: Traffic) -> tuple[str, ...]:
    """Which harm the guards see within the time that the release may last, and after how much."""
    told = [one.words(plan) for one in foresee(plan, traffic)]
    return tuple(words for seen, words in told if seen)


def unseen_sentences(plan: ReleasePlan, traffic: Traffic, *, metric: str | None = None) -> tuple[str, ...]:
    """Which harm this plan would not see. `metric`: the business metric that was declared."""
    said = [words for seen, words in (one.words(plan) for one in foresee(plan, traffic)) if not seen]
    guards = {guard.name: guard for guard in plan.guards}
    if plan.stages and GuardName.ERRORS in guards:
        said.append(_smallest(plan, error_share(traffic), guards[GuardName.ERRORS]))
    if plan.stages and GuardName.BUSINESS in guards and plan.business is not None:
        said.append(_smallest_change(plan, plan.business, guards[GuardName.BUSINESS]))
    if plan.first:
        said.append("Whether it is better or worse than what was there before: nothing was.")
        said.append("Wrong answers: labels are held against a live version beside it, and there is none.")
    elif GuardName.LABELS not in guards:
        said.append(
            "Wrong answers: no labels guard this release. A version that answers plausibly and wrongly is seen "
            "by the shadow verdict and by people. Hand labels in (lockgate labels), or say when they come "
            "(goal.label_delay_days)."
        )
    if metric is not None and plan.business is None:
        said.append(
            f"Business metric {metric}: fewer than {FEWEST_VALUES} values of it are known, or all are alike, so it does not "
            f"guard this release. Hand them in: lockgate labels import --metric {metric}."
        )
    said.append("Harm to a group of callers too small to move the total.")
    if traffic.heavy:
        keys = f"{len(traffic.heavy)} keys with more than 1 % of traffic each"
        said.append(f"What happens to {keys}: {_some(traffic.heavy)}.")
    return tuple(said)


def error_share(traffic: Traffic) -> float:
    """Live's share of errors, or the usual one where fewer were measured.

    >>> error_share(Traffic(error_share=0.04)), error_share(Traffic())
    (0.04, 0.01)
    """
    return max(traffic.error_share, TYPICAL_ERROR_SHARE)


def odds_ratio(base: float, harmed: float) -> float:
    """The odds ratio of two shares.

    >>> round(odds_ratio(0.01, 0.03), 3)
    3.062
    """
    return harmed / (1.0 - harmed) / (base / (1.0 - base))


_EVENTS = frozenset({GuardName.ERRORS, GuardName.INVALID, GuardName.SLOW_T99, GuardName.SLOW_T95})


def _event(plan: ReleasePlan, traffic: Traffic, guard: GuardPlan) -> Foreseen:
    share = error_share(traffic)
    if guard.name is GuardName.ERRORS:
        return _arms(
            plan, guard, f"A doubling of a {percent(share)} error rate", (share, 2.0 * share / (1.0 + share))
        )
    if guard.name is GuardName.INVALID:
        base, harmed = TYPICAL_INVALID
        harm = f"{percent(harmed)} of invalid answers, where live has {percent(base)},"
    else:
        base, harmed = TYPICAL_SLOW[guard.name]
        than = "T99" if guard.name is GuardName.SLOW_T99 else "T95"
        harm = f"A rise of answers slower than {than} from {percent(base)} to {percent(harmed)}"
    return _arms(plan, guard, harm, (base, harmed))


def _arms(
    plan: ReleasePlan, guard: GuardPlan, harm: str, shares: tuple[float, float], of: str = "requests"
) -> Foreseen:
    base, ratio = shares[0], odds_ratio(*shares)

    def until(quantile: float) -> float:
        return requests_until(
            base, ratio, plan.stages[-1], guard.alpha * FIRST_COPY, theta0=guard.theta0, quantile=quantile
        )

    return Foreseen(guard.name, harm, until(0.5), until(_NINE), of, plan.stages[-1])


def _labels(plan: ReleasePlan, guard: GuardPlan) -> Foreseen:
    """Wrong answers: in pairs by number, by cost or by distance; else each for its arm."""
    before, _ = label_alphas(guard.alpha, paired=plan.paired_labels)
    rows = "labelled rows"
    if not plan.paired_labels:
        if plan.numbers:
            return _larger_errors(plan, guard)
        base, harmed = TYPICAL_SINGLE
        harm = f"A rise of wrong answers from {percent(base)} to {percent(harmed)}"
        return _arms(plan, guard, harm, TYPICAL_SINGLE, rows)
    if plan.numbers:
        differences = relative_differences(LARGER_ERRORS)
        harm = f"A new version whose errors are {percent(LARGER_ERRORS - 1)} larger"
        return _foreseen(guard, harm, lambda q: pairs_until(differences, before, quantile=q), rows)
    alike = f"Where the versions differ on {percent(TYPICAL_DIFFER)} of rows"
    if plan.costs:
        largest = largest_difference(plan.costs)
        worse = 2.0 * TYPICAL_WRONG - 1.0
        differences = [1.0] * round(100 * TYPICAL_WRONG) + [-1.0] * round(100 * (1 - TYPICAL_WRONG))
        harm = (
            f"{alike} and the new one's decisions on these cost {worse * largest:.3g} more on average, that"
        )
        return _foreseen(
            guard, harm, lambda q: pairs_until(differences, before, quantile=q) / TYPICAL_DIFFER, rows
        )
    harm = f"{alike} and the new one is wrong on {percent(TYPICAL_WRONG)} of these, that"
    part = before * FIRST_COPY
    return _foreseen(
        guard, harm, lambda q: events_until(TYPICAL_WRONG, 0.5, part, quantile=q) / TYPICAL_DIFFER, rows
    )


def _larger_errors(plan: ReleasePlan, guard: GuardPlan) -> Foreseen:
    """Regression without pairs: the mean size of errors in both arms."""
    harm = f"Errors that are {percent(LARGER_ERRORS - 1)} larger"
    stages, w = len(plan.stages), plan.stages[-1]
    effect = effect_of_errors(LARGER_ERRORS, w, LIMIT)
    return _foreseen(
        guard,
        harm,
        lambda q: values_until(effect, w, guard.alpha, stages=stages, quantile=q),
        "labelled callers",
        w,
    )


def _business(plan: ReleasePlan, business: BusinessPlan, guard: GuardPlan) -> Foreseen:
    stages, w = len(plan.stages), plan.stages[-1]
    least = TYPICAL_EFFECT * business.spread.sigma
    harm = f"A mean of {business.metric} that is worse by {least:.3g} (a tenth of its standard deviation)"
    return _foreseen(
        guard, harm, lambda q: values_until(TYPICAL_EFFECT, w, guard.alpha, stages=stages, quantile=q),
        "callers with a value", w,
    )  # fmt: skip


def _foreseen(guard: GuardPlan, harm: str, until: Until, of: str, weight: float | None = None) -> Foreseen:
    return Foreseen(guard.name, harm, until(0.5), until(_NINE), of, weight)


def _smallest(plan: ReleasePlan, share: float, guard: GuardPlan) -> str:
    """The smallest rise of errors that the shortest canary shows."""
    total = sum(n / stage for n, stage in zip(plan.stage_requests, plan.stages, strict=True))
    if plan.per_s > 0:
        total = max(total, sum(plan.stage_min_s) * plan.per_s)
    ratio = smallest_ratio(share, total, plan.stages[-1], guard.alpha * FIRST_COPY)
    seen = (
        "no rise of the error rate at all"
        if math.isinf(ratio)
        else f"a rise of a {percent(share)} error rate to {percent(share * ratio / (1 - share + share * ratio))} or more"
    )
    return f"Within the shortest canary (about {about(total)} requests) this plan sees {seen}; smaller harm goes unseen."


def _smallest_change(plan: ReleasePlan, business: BusinessPlan, guard: GuardPlan) -> str:
    """What a change of the mean must be, so that the last stage shows it."""
    w, sigma = plan.stages[-1], business.spread.sigma
    callers = max(plan.stage_requests[-1] / w, plan.stage_min_s[-1] * plan.per_s)
    variance = sigma * sigma * (1 / (callers * w) + 1 / (callers * (1 - w)))
    least = normal_margin(variance, round(callers), a=guard.alpha / len(plan.stages))
    return (
        f"Business metric {business.metric}: with values of {about(callers)} callers at {percent(w)} a change of its mean by "
        f"{least:.3g} is seen (its standard deviation is {sigma:.3g}); a smaller one goes unseen."
    )


def _some(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
