"""What people see of training again: what happens next and why, what happened, what was approved beforehand."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from lockgate.clock import iso
from lockgate.config_retraining import RetrainConfig, Trigger
from lockgate.governance.standing import StandingApproval, standings_of
from lockgate.registry.policies import policy_of
from lockgate.registry.store import get_model
from lockgate.retraining.retraining import IN_VAIN, Retraining, State
from lockgate.retraining.store import retrainings_of
from lockgate.wiring.house import House
from lockgate.wiring.retrain import Considered, considered
from lockgate.wiring.retrain_seen import view_of

SHOWN = 20
_DOES = {
    State.ASKED: "gathers its data",
    State.TRAINING: "is being trained",
    State.VALIDATING: "is being checked, and held against the live version",
    State.RELEASING: "is on its way through the gates",
}


class StandingShown(msgspec.Struct, frozen=True, kw_only=True):
    """A standing approval, and whether it still says anything: `over` says why not."""

    standing: StandingApproval
    over: str = ""


class RetrainShown(msgspec.Struct, frozen=True, kw_only=True):
    """Training again of one model. `next`: what happens next, in a sentence or two; `notes`: what each trigger sees;
    `retrainings`: the newest of them; `more`: there are older ones."""

    model: str
    live: int | None
    next: str
    notes: tuple[str, ...]
    config: RetrainConfig | None
    retrainings: tuple[Retraining, ...]
    standings: tuple[StandingShown, ...]
    standing_allowed: bool
    more: bool = False


def retrain_shown(house: House, model: str) -> RetrainShown:
    """What there is to say. Raises NotFound."""
    now_us = house.clock.now_us()
    with house.db.read() as tx:
        settings, policy = get_model(tx, model).settings, policy_of(tx, model)
        newest = tuple(retrainings_of(tx, model, limit=SHOWN + 1))
        standings = standings_of(tx, model)
    view = view_of(house, model)
    found = considered(house, view) if view is not None and settings.retrain is not None else Considered()
    return RetrainShown(
        model=model, live=view.live.number if view is not None else None, config=settings.retrain,
        retrainings=newest[:SHOWN], more=len(newest) > SHOWN,
        next=next_words(model, settings.retrain, found, view.past if view is not None else newest, live=view is not None),
        notes=tuple(each.words for each in found.looks if each.words and each.cause is None),
        standings=tuple(StandingShown(standing=each, over=_over(each, policy.digest, now_us)) for each in standings[::-1]),
        standing_allowed=policy.policy.standing,
    )  # fmt: skip


def next_words(
    model: str, config: RetrainConfig | None, found: Considered, past: Sequence[Retraining], *, live: bool
) -> str:
    """What happens next. Pure."""
    running = next((each for each in past if each.is_running), None)
    if running is not None:
        version = (
            f"{model}/{running.version}" if running.version is not None else f"The next version of {model}"
        )
        return f"{version} {_DOES[running.state]}: {running.words}{_waits(running)}"
    if not live:
        return "Nothing is live, so there is nothing to train again."
    if config is None:
        return f"It is trained again only when a person asks: lockgate retrain {model} --because WHY."
    return _cause_words(found) or "Nothing asks for it." + _last(past)


def _cause_words(found: Considered) -> str:
    """What becomes of the cause that there is; empty without one."""
    cause, may = found.cause, found.may
    if cause is None or may is None:
        return ""
    if not may.begins:
        return f"There is a cause ({cause.words.rstrip('.')}), and it waits: {may.why}."
    if found.refused:
        return f"There is a cause ({cause.words.rstrip('.')}), and its data are not fit to learn from: {found.refused}."
    return f"It begins within a minute: {cause.words}"


def _waits(running: Retraining) -> str:
    return f" {running.outcome[:1].upper()}{running.outcome[1:]}." if running.outcome else ""


def _last(past: Sequence[Retraining]) -> str:
    """What came of the last one, where that was in vain."""
    last = next((each for each in past if each.state is not State.REFUSED), None)
    if last is None or last.state not in IN_VAIN or last.trigger is Trigger.SCHEDULE:
        return ""
    return f" The last retraining was in vain ({str(last.state).replace('_', ' ')}, {iso(last.changed_us)[:10]})."


def _over(standing: StandingApproval, policy: str, now_us: int) -> str:
    """Why it says nothing any more, whatever comes."""
    if standing.revoked_us is not None:
        return f"revoked by {standing.revoked_by}"
    if now_us >= standing.terms.expires_us:
        return "lapsed"
    if len(standing.used) >= standing.terms.releases:
        return "used up"
    return "" if policy == standing.policy else "the policy changed"
