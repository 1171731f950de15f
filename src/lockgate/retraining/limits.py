"""No storm: may a cause be acted on now? One at a time, a cool-down that doubles after each in vain, a budget. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.clock import DAY_US, iso
from lockgate.config_retraining import RetrainConfig, Trigger
from lockgate.retraining.cause import Cause
from lockgate.retraining.retraining import IN_VAIN, WELL, Retraining, State

MONTH_US = 30 * DAY_US
LONGEST_US = 180 * DAY_US  # however often it was in vain
HOUR_S = 3600


class May(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it may begin. `why`: why not, in words; `until_us`: when that is over, where a time ends it."""

    begins: bool
    attempt: int = 1
    why: str = ""
    until_us: int | None = None


def may_begin(config: RetrainConfig, cause: Cause, past: Sequence[Retraining], now_us: int) -> May:
    """Whether a cause may be acted on. `past`: every retraining of the model, the newest first.

    A person who asks passes the cool-down, not the rest. A cause is asked for once; in vain, again after its wait.
    """
    running = next((each for each in past if each.is_running), None)
    if running is not None:
        return May(
            begins=False, why=f"retraining {running.id} is {running.state}; one model has one at a time"
        )
    mine = [each for each in past if each.cause == cause.key and each.state is not State.REFUSED]
    if any(each.state in WELL for each in mine):
        return May(begins=False, why=f"retraining {mine[0].id} was for this very cause")
    spent = _budget(config, past, now_us)
    if spent is not None:
        return spent
    attempt = 1 + max((each.attempt for each in mine), default=0)
    waits = _cool_down(config, past, now_us) if cause.trigger is not Trigger.HAND else None
    return waits or May(begins=True, attempt=attempt)


def cool_down_us(config: RetrainConfig, past: Sequence[Retraining]) -> int:
    """How long to wait after the last one: twice as long for each in vain since the last that went well."""
    in_vain = 0
    for each in past:
        if each.state in WELL:
            break
        in_vain += each.state in IN_VAIN
    doubled: int = _days(config) * 2 ** min(in_vain, 16)
    return min(doubled, max(LONGEST_US, _days(config)))


def _days(config: RetrainConfig) -> int:
    return round(config.cool_down_days * DAY_US)


def _cool_down(config: RetrainConfig, past: Sequence[Retraining], now_us: int) -> May | None:
    last = next(
        (each for each in past if each.ended_us is not None and each.state is not State.REFUSED), None
    )
    if last is None or last.ended_us is None:
        return None
    until_us = last.ended_us + cool_down_us(config, past)
    if now_us >= until_us:
        return None
    longer = "" if last.state in WELL else ", longer as that was in vain"
    ended = str(last.state).replace("_", " ")
    why = f"retraining {last.id} ended {iso(last.ended_us)[:10]} ({ended}); the next waits until {iso(until_us)[:10]}{longer}"
    return May(begins=False, why=why, until_us=until_us)


def _budget(config: RetrainConfig, past: Sequence[Retraining], now_us: int) -> May | None:
    """The last thirty days against what a month may cost."""
    month = [each for each in past if each.asked_us > now_us - MONTH_US and each.state is not State.REFUSED]
    hours = sum(each.compute_s for each in month) / HOUR_S
    if len(month) < config.runs_a_month and hours < config.compute_hours_a_month:
        return None
    until_us = min(each.asked_us for each in month) + MONTH_US
    if len(month) >= config.runs_a_month:
        why = f"{len(month)} retrainings in thirty days, of {config.runs_a_month} that a month may have"
    else:
        why = f"{hours:.3g} hours computed in thirty days, of {config.compute_hours_a_month:g} that a month may have"
    return May(begins=False, why=f"{why}; see `retrain` in lockgate.yaml", until_us=until_us)
