"""A plan in plain words: what will happen; and how numbers are told."""

from __future__ import annotations

from lockgate.release.baseline import Traffic
from lockgate.release.guards import TITLES, Action
from lockgate.release.promise import DAY_S, FAST_MS, HOUR_S, MINUTE_S, ReleasePlan
from lockgate.traffic import Stick

SMALL_TRAFFIC_PER_DAY = 1_000.0


def plan_sentences(plan: ReleasePlan, traffic: Traffic, *, fit: str | None = None) -> tuple[str, ...]:
    """What the plan will do, one sentence a step. `fit`: whether two versions fit into the memory."""
    said = [_traffic_sentence(plan, traffic), *([fit] if fit else [])]
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
