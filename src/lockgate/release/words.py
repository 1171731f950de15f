"""A plan in plain words: what will happen, and which harm it would not see."""

from __future__ import annotations

import math

from lockgate.release.baseline import Traffic
from lockgate.release.guards import TITLES, Action, GuardName, label_alphas
from lockgate.release.promise import DAY_S, FAST_MS, HOUR_S, MINUTE_S, BusinessPlan, ReleasePlan
from lockgate.stats.evalues import normal_margin
from lockgate.stats.means import FEWEST_VALUES
from lockgate.stats.planning import events_until, requests_until, smallest_ratio
from lockgate.traffic import Stick

FIRST_COPY = 0.5  # the weight of a guard's first copy: what it is planned with
TYPICAL_DIFFER, TYPICAL_WRONG = 0.10, 0.60  # an example of two versions that are not equally good
TYPICAL_ERROR_SHARE = 0.01  # planning numbers are given for this when fewer errors were measured
SMALL_TRAFFIC_PER_DAY = 1_000.0


def plan_sentences(plan: ReleasePlan, traffic: Traffic) -> tuple[str, ...]:
    """What the plan will do, one sentence a step."""
    said = [_traffic_sentence(plan, traffic)]
    if plan.missing_fields:
        fields = ", ".join(plan.missing_fields)
        said.append(
            f"The new version needs {fields}, which callers do not send yet: it is held until they do."
        )
    if plan.first:
        said.append(
            "There is no live version to compare with, to shadow or to fall back to: after it is loaded (and approved, "
            "if the tier asks) this version gets all requests, under declared limits: at most "
            f"{percent(plan.error_limit)} failed or invalid answers"
            + (f", and 99 % of answers within {plan.p99_limit_ms:g} ms." if plan.p99_limit_ms else ".")
        )
    elif plan.shadow:
        said.append(
            f"Shadow: the new version scores at least {plan.shadow_requests} requests, for at least "
            f"{span(plan.shadow_min_s)}, and no caller sees its answers."
            + (f" It takes {percent(plan.shadow_share)} of the requests." if plan.shadow_share < 1.0 else "")
        )
    else:
        said.append(
            "The model is not pure (a call costs or changes something): no shadow and no second answer in one request."
        )
    said += _canary_sentences(plan)
    said.append(
        f"Watch: {span(plan.watch_s)} with all traffic"
        + (" while the previous version stays loaded." if not plan.first else ".")
    )
    said.append(_guard_sentence(plan))
    said.append(
        f"False rollbacks: at most {percent(plan.alpha)} of harmless releases, at any number of looks."
    )
    return tuple(said)


def _canary_sentences(plan: ReleasePlan) -> list[str]:
    if not plan.stages:
        return []
    steps = ", ".join(percent(w) for w in plan.stages)
    unit = "caller by caller (by key)" if plan.stick is Stick.KEY else "request by request (too few keys)"
    least = plan.p99_limit_ms or FAST_MS
    return [
        f"Canary: {steps} of traffic, {unit}; each step lasts at least {span(min(plan.stage_min_s))} "
        f"and {min(plan.stage_requests)} requests of the canary, the last at least {span(plan.stage_min_s[-1])}.",
        f"Slow means slower than {least:g} ms and than the live version usually is; goal.p99_ms sets the limit.",
    ]


def unseen_sentences(plan: ReleasePlan, traffic: Traffic, *, metric: str | None = None) -> tuple[str, ...]:
    """Which harm this plan would not see, with planning numbers. `metric`: the business metric that was declared."""
    said = []
    share = max(traffic.error_share, TYPICAL_ERROR_SHARE)
    if plan.stages:
        said.extend(_event_sentences(plan, share))
    if plan.first:
        said.append("Whether it is better or worse than what was there before: nothing was.")
        said.append("Wrong answers: labels are held against a live version beside it, and there is none.")
    elif all(guard.name is not GuardName.LABELS for guard in plan.guards):
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
        said.append(
            f"What happens to {len(traffic.heavy)} keys with more than 1 % of traffic each: {_some(traffic.heavy)}."
        )
    return tuple(said)


def span(seconds: float) -> str:
    """A length of time for people.

    >>> span(90), span(7200), span(200000)
    ('90 seconds', '2 hours', '2.3 days')
    """
    for unit, name in ((DAY_S, "days"), (HOUR_S, "hours"), (MINUTE_S, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.2g} {name}"
    return f"{seconds:.3g} seconds"


def pace(per_s: float) -> str:
    """How often requests come, in the shortest unit of time in which there is at least one.

    >>> pace(98.4), pace(0.5), pace(0.001)
    ('98 requests per second', '30 requests per minute', '3.6 requests per hour')
    """
    units = ((1.0, "second"), (MINUTE_S, "minute"), (HOUR_S, "hour"))
    unit_s, name = next((unit for unit in units if per_s * unit[0] >= 1), units[-1])
    count = per_s * unit_s
    return f"{count:,.0f} requests per {name}" if count >= 10 else f"{count:.2g} requests per {name}"


def about(count: float) -> str:
    """A count as exactly as it is known.

    >>> about(6834.2), about(113_560), about(42)
    ('6,800', '110,000', '42')
    """
    return f"{float(f'{count:.2g}'):,.0f}"


def percent(share: float) -> str:
    """A share for people.

    >>> percent(0.05), percent(0.125)
    ('5 %', '12.5 %')
    """
    return f"{share * 100:.3g} %"


def callers(count: int) -> str:
    """A number of callers for people.

    >>> callers(1), callers(0)
    ('1 caller', '0 callers')
    """
    return f"{count} caller{'' if count == 1 else 's'}"


def _traffic_sentence(plan: ReleasePlan, traffic: Traffic) -> str:
    if plan.per_s <= 0:
        return "No traffic was measured yet: steps are counted in requests, and times are the usual ones."
    day = plan.per_s * DAY_S
    if not traffic.requests:
        return f"No traffic was measured yet; the stated goal of {day:,.0f} requests a day stands in."
    small = " This is small traffic: fewer steps, smaller counts." if day < SMALL_TRAFFIC_PER_DAY else ""
    keys = f" of about {traffic.keys:,} keys" if traffic.keys else " without a key"
    if traffic.span_s < HOUR_S:  # nobody knows yet whether the rest of the day is like it
        return f"Measured over {span(traffic.span_s)}: about {pace(traffic.per_s)}{keys}.{small}"
    return f"Measured: {day:,.0f} requests a day{keys}.{small}"


def _guard_sentence(plan: ReleasePlan) -> str:
    """Who may end the release, and who may only ask a person."""
    ends = [TITLES[guard.name] for guard in plan.guards if guard.action is Action.ROLLBACK]
    asks = [TITLES[guard.name] for guard in plan.guards if guard.action is Action.HOLD]
    asks += ["answers that shift more than the shadow showed"] if plan.stages else []
    said = f"Guards that may end it: {', '.join(ends)}."
    return f"{said} Guards that hold it for a person: {', '.join(asks)}." if asks else said


def _event_sentences(plan: ReleasePlan, share: float) -> list[str]:
    guards = {guard.name: guard.alpha * FIRST_COPY for guard in plan.guards}
    said = []
    if GuardName.ERRORS in guards:
        said += _error_sentences(plan, share, guards[GuardName.ERRORS])
    if GuardName.LABELS in guards and plan.paired_labels and not plan.costs:
        before, _ = label_alphas(guards[GuardName.LABELS], paired=True)
        rows = events_until(TYPICAL_WRONG, 0.5, before) / TYPICAL_DIFFER
        said.append(
            f"Where the versions differ on {percent(TYPICAL_DIFFER)} of rows and the new one is wrong on "
            f"{percent(TYPICAL_WRONG)} of these, that is seen after about {about(rows)} labelled rows."
        )
    if GuardName.BUSINESS in guards and plan.business is not None:
        said.append(_business_sentence(plan, plan.business))
    return said


def _business_sentence(plan: ReleasePlan, business: BusinessPlan) -> str:
    """What a change of the mean must be, so that the last stage shows it."""
    w, sigma = plan.stages[-1], business.spread.sigma
    callers = max(plan.stage_requests[-1] / w, plan.stage_min_s[-1] * plan.per_s)
    alpha = next(guard.alpha for guard in plan.guards if guard.name is GuardName.BUSINESS) / len(plan.stages)
    variance = sigma * sigma * (1 / (callers * w) + 1 / (callers * (1 - w)))
    least = normal_margin(variance, round(callers), a=alpha)
    return (
        f"Business metric {business.metric}: with values of {about(callers)} callers at {percent(w)} a change of its mean by "
        f"{least:.3g} is seen (its standard deviation is {sigma:.3g})."
    )


def _error_sentences(plan: ReleasePlan, share: float, alpha: float) -> list[str]:
    w = plan.stages[-1]
    needed, nine = (requests_until(share, 2.0, w, alpha, quantile=part) for part in (0.5, 0.9))
    when = f", at your traffic in {span(needed / plan.per_s)}" if plan.per_s > 0 else ""
    total = sum(n / stage for n, stage in zip(plan.stage_requests, plan.stages, strict=True))
    if plan.per_s > 0:
        total = max(total, sum(plan.stage_min_s) * plan.per_s)
    ratio = smallest_ratio(share, total, w, alpha)
    seen = (
        "no rise of the error rate at all"
        if math.isinf(ratio)
        else f"a rise of a {percent(share)} error rate to {percent(share * ratio / (1 - share + share * ratio))} or more"
    )
    return [
        f"A doubling of a {percent(share)} error rate is seen after about {about(needed)} requests at {percent(w)}{when} "
        f"(in nine of ten releases within {about(nine)}).",
        f"Within the shortest canary (about {about(total)} requests) this plan sees {seen}; smaller harm goes unseen.",
    ]


def _some(keys: tuple[str, ...]) -> str:
    return ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
