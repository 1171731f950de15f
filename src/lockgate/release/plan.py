"""The plan of a release: fixed before it starts, from the model's measured traffic and its settings.

Everything that decides how long, how much and how strictly is in `ReleasePlan`, also in words: what will happen, and
what this plan cannot see. Nothing here reads a clock, a file or a database.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.metadata import version

import msgspec

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.errors import InvalidInput
from lockgate.release.baseline import Traffic
from lockgate.release.counts import WATCH_BATCH
from lockgate.release.fit import Fit
from lockgate.release.foreseen import seen_sentences, unseen_sentences
from lockgate.release.guards import GROUPS, Action, GuardName, GuardPlan, guard_names, split_alpha
from lockgate.release.promise import (
    DAY_S,
    FAST_MS,
    HOUR_S,
    MINUTE_S,
    NO_DATA_S,
    SHADOW_MIN_S,
    SHADOW_REQUESTS,
    STAGES,
    BusinessPlan,
    ReleasePlan,
)
from lockgate.release.words import plan_sentences
from lockgate.traffic import Stick

STAGE_REQUESTS = 1_000  # of the canary, in each stage
STAGE_MIN_S = 10 * MINUTE_S
CYCLE_S = DAY_S  # traffic's own rhythm: the last stage sees one
UNKNOWN_NO_DATA_S = HOUR_S  # nobody knows yet how often requests come
GAP_RATE = 14.0  # exp(-14): a silence of 14 mean gaps happens once in a million
CANARY_TIME_SHARE = 0.6  # of max_days; the rest is shadow, people and watch
FEWEST_REQUESTS = 20
FEW_KEYS = 2_000  # fewer: assign by request, or a few customers decide
REPEATS = 5  # requests per key from which on their number is known: in young traffic most keys are new
FEWEST_BATCHES = 100  # that the false alarms of the watch are reckoned with


def make_plan(
    settings: ReleaseConfig,
    traffic: Traffic,
    *,
    first: bool = False,
    pure: bool = True,
    requests_per_day: float | None = None,
    p99_ms: float | None = None,
    proof: bool = False,
    key_field: str | None = None,
    strict: bool = False,
    personal: tuple[str, ...] = (),
    python: str | None = None,
    replicas: int | None = None,
    memory_mb: int | None = None,
    missing_fields: tuple[str, ...] = (),
    labels: Observed | None = None,
    label_delay_s: float = 0.0,
    costs: Mapping[str, Mapping[str, float]] | None = None,
    quantile: float | None = None,
    numbers: bool = False,
    business: BusinessPlan | None = None,
    fit: Fit | None = None,
) -> ReleasePlan:
    """The plan for one release. `requests_per_day` (the stated goal) stands in until traffic was measured.

    `p99_ms`: the stated goal; it is the limit of slow answers unless the release settings name another.

    `labels`: how labels come; None: none are known of. Where the decision decides whether a label exists, wrong answers
    count for the arm that a request was assigned to, never in pairs (an equally good model would lose them every time),
    and they hold a release instead of rolling it back. `label_delay_s`: how long labels usually take; the watch waits
    for the first of them. `costs`: what decisions cost by truth; labels in pairs are then judged by that. `quantile`: which
    one of the labels the model answers. `numbers`: the model answers numbers. `business`: the metric that guards it, where enough
    values of it are known. `fit`: whether two versions fit into the memory.

    Raises InvalidInput for stages, guards or an alpha that cannot be.
    """
    per_s = traffic.per_s if traffic.requests >= FEWEST_REQUESTS else (requests_per_day or 0.0) / DAY_S
    plan = ReleasePlan(
        code=version("lockgate"),
        first=first,
        shadow=pure and not first,
        fallback=pure,
        stick=_stick(traffic),
        watch_s=_watch_s(settings, label_delay_s if labels and not first else 0.0, first=first),
        max_s=settings.max_days * DAY_S,
        no_data_s=_no_data_s(traffic, per_s),
        alpha=settings.alpha,
        guards=_guards(settings, traffic, settings.p99_limit_ms or p99_ms, labels=labels, business=business),
        paired_labels=pure and labels is not Observed.WHEN_ACCEPTED,
        business=business,
        costs={truth: dict(row) for truth, row in (costs or {}).items()},
        quantile=quantile,
        numbers=numbers,
        error_limit=_limit(settings.error_limit),
        p99_limit_ms=settings.p99_limit_ms or p99_ms,
        deadline_ms=settings.deadline_ms,
        canary_deadline_ms=_canary_deadline_ms(settings.deadline_ms, traffic),
        proof=proof,
        key_field=key_field,
        strict=strict,
        personal=personal,
        python=python,
        replicas=replicas,
        memory_mb=memory_mb,
        missing_fields=missing_fields,
        per_s=per_s,
    )
    plan = _with_steps(plan, settings)
    return msgspec.structs.replace(
        plan,
        sentences=plan_sentences(plan, traffic, fit=fit.words if fit else None),
        fits=fit is None or fit.fits,
        will_see=seen_sentences(plan, traffic),
        cannot_see=unseen_sentences(plan, traffic, metric=_metric(settings, first=first)),
    )


def parse_share(text: str | float, *, whole: bool = False) -> float:
    """A share as written in settings: `5%` or 0.05. `whole`: it may be all.

    >>> parse_share("5%"), parse_share(0.25), parse_share("100%", whole=True)
    (0.05, 0.25, 1.0)
    """
    try:
        value = float(text[:-1]) / 100 if isinstance(text, str) and text.endswith("%") else float(text)
    except ValueError:
        value = math.nan
    if not (0.0 < value < 1.0 or (whole and value == 1.0)):
        what = (
            "the shadow's share lies above 0 and is at most 1"
            if whole
            else "a canary stage is a share between 0 and 1"
        )
        raise InvalidInput(what, got=text, allowed="5% or 0.05")
    return value


def _stick(traffic: Traffic) -> Stick:
    # where most keys have more than 1 % of the traffic, nearly nobody would be left for the guards
    known = traffic.requests > REPEATS * traffic.keys or 2 * len(traffic.heavy) >= max(traffic.keys, 1)
    few = traffic.keys < FEW_KEYS and known
    return Stick.REQUEST if few else Stick.KEY


def _watch_s(settings: ReleaseConfig, label_delay_s: float, *, first: bool) -> float:
    if settings.watch_s is not None:
        return settings.watch_s
    usual = HOUR_S if first else min(DAY_S, settings.max_days * DAY_S / 4)
    return max(usual, min(label_delay_s, settings.max_days * DAY_S / 2))


def _with_steps(plan: ReleasePlan, settings: ReleaseConfig) -> ReleasePlan:
    """The plan with its shadow, its canary stages and its watch, as long and as large as traffic and settings say."""
    stages = () if plan.first else _stages(settings, plan.per_s, plan.max_s)
    shadowed = 1.0 if settings.shadow_share is None else parse_share(settings.shadow_share, whole=True)
    return msgspec.structs.replace(
        plan,
        stages=stages,
        stage_min_s=tuple(_stage_min_s(settings, plan.max_s, last=w == stages[-1]) for w in stages),
        stage_requests=tuple(
            _stage_requests(settings, w, plan.per_s, plan.max_s, len(stages)) for w in stages
        ),
        watch_batches=max(math.ceil(plan.per_s * plan.watch_s / WATCH_BATCH), FEWEST_BATCHES),
        shadow_requests=_shadow_requests(settings, plan.per_s * shadowed, plan.max_s),
        shadow_min_s=SHADOW_MIN_S if settings.shadow_min_s is None else settings.shadow_min_s,
        shadow_share=shadowed,
    )


def _stages(settings: ReleaseConfig, per_s: float, max_s: float) -> tuple[float, ...]:
    """The stages that were asked for; else those of the default that fit the time at this traffic."""
    if settings.canary is not None:
        stages = tuple(parse_share(stage) for stage in settings.canary)
        if not stages or list(stages) != sorted(set(stages)):
            raise InvalidInput("canary stages grow from one to the next", got=settings.canary)
        return stages
    stages = STAGES
    wanted = settings.stage_requests or STAGE_REQUESTS
    while (
        per_s > 0
        and len(stages) > 1
        and sum(wanted / (w * per_s) for w in stages) > max_s * CANARY_TIME_SHARE
    ):
        stages = stages[1:]
    return stages


def _stage_requests(settings: ReleaseConfig, w: float, per_s: float, max_s: float, count: int) -> int:
    if settings.stage_requests is not None:
        return settings.stage_requests
    if per_s <= 0:
        return STAGE_REQUESTS
    fits = per_s * w * max_s * CANARY_TIME_SHARE / count
    return int(min(STAGE_REQUESTS, max(fits, FEWEST_REQUESTS)))


def _stage_min_s(settings: ReleaseConfig, max_s: float, *, last: bool) -> float:
    if settings.stage_min_s is not None:
        return settings.stage_min_s
    return min(CYCLE_S, max_s * CANARY_TIME_SHARE / 2) if last else STAGE_MIN_S


def _shadow_requests(settings: ReleaseConfig, per_s: float, max_s: float) -> int:
    if settings.shadow_requests is not None:
        return settings.shadow_requests
    if per_s <= 0:
        return SHADOW_REQUESTS
    return int(min(SHADOW_REQUESTS, max(per_s * max_s * 0.2, FEWEST_REQUESTS)))


def _no_data_s(traffic: Traffic, per_s: float) -> float:
    if per_s <= 0:
        return UNKNOWN_NO_DATA_S
    return max(NO_DATA_S, GAP_RATE / per_s, 1.5 * traffic.longest_gap_s)


def _guards(
    settings: ReleaseConfig,
    traffic: Traffic,
    limit_ms: float | None,
    *,
    labels: Observed | None,
    business: BusinessPlan | None,
) -> tuple[GuardPlan, ...]:
    """The guards, with alpha split among those that get evidence; the plan says which do not."""
    silent = {name for name, told in (("labels", labels), ("business", business)) if not told}
    named = [name for name in settings.guards or GROUPS if name not in silent]
    if settings.guards and not named:
        raise InvalidInput(
            "a release cannot be guarded by what comes late alone",
            got=", ".join(settings.guards),
            allowed="errors, latency beside it",
        )
    names = guard_names(named)
    fast_us = (FAST_MS if limit_ms is None else limit_ms) * 1000
    if traffic.t95_us is not None and traffic.t95_us <= fast_us and len(names) > 1:
        # what is slower than T95 is still fast enough: T99 alone, with the share of both
        names = [name for name in names if name is not GuardName.SLOW_T95]
    guards = split_alpha(names, settings.alpha)
    if labels is not Observed.WHEN_ACCEPTED:
        return guards
    return tuple(
        msgspec.structs.replace(guard, action=Action.HOLD) if guard.name is GuardName.LABELS else guard
        for guard in guards
    )


def _metric(settings: ReleaseConfig, *, first: bool) -> str | None:
    """The business metric that is meant to guard; none where there is no live version, or the guards are named without it."""
    if settings.business is None or first or "business" not in (settings.guards or GROUPS):
        return None
    return settings.business.metric


def _canary_deadline_ms(deadline_ms: float, traffic: Traffic) -> float:
    """The canary's part of the deadline: what is left to live is at least live's 99th percentile, as far as known."""
    slowest_us = traffic.t99_us or traffic.t95_us or traffic.p50_us or 0
    return max(min(deadline_ms / 2, deadline_ms - slowest_us / 1000), deadline_ms / 10)


def _limit(error_limit: float) -> float:
    if not 0.0 < error_limit < 1.0:
        raise InvalidInput("error_limit is a share between 0 and 1", got=error_limit)
    return error_limit
