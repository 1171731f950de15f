"""Training again, joined: a cause becomes a retraining on record, and whoever carries it takes one step after the other.

Each step is one claim, so that it may die anywhere: whoever takes it over finds the run, the version, the findings or the
release that are there already, and goes on from them. Nothing is made twice for one cause.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import msgspec
import sqlalchemy as sa

from lockgate.config_retraining import Trigger
from lockgate.errors import Conflict, LockgateError, Unavailable
from lockgate.governance.people import Person, enter_part, require
from lockgate.governance.permissions import Permission, RoleName
from lockgate.retraining.cause import Cause, Looked
from lockgate.retraining.fitness import unfit
from lockgate.retraining.limits import May, may_begin
from lockgate.retraining.retraining import PIPELINE, Retraining, State
from lockgate.retraining.store import claim, for_cause, get_retraining, let_go, record, take
from lockgate.retraining.triggers import by_hand, look
from lockgate.wiring.house import House
from lockgate.wiring.retrain_beat import beating
from lockgate.wiring.retrain_data import facts_of
from lockgate.wiring.retrain_seen import View, view_of
from lockgate.wiring.retrain_steps import STEPS, Left

WAITS = "waits: "  # how the outcome of one begins that cannot go on now
WAITING_REST_US = 5 * 60 * 1_000_000  # what waits is tried again that often
REFUSED_REST_US = 60 * 60 * 1_000_000  # what was refused is looked at again that often
Tell = Callable[..., None]
_log = logging.getLogger("lockgate.retraining")


class Considered(msgspec.Struct, frozen=True, kw_only=True):
    """What a look at a model came to. `looks`: by trigger; `may`: whether the first cause may be acted on; `refused`: why its
    data are not fit; `begun`: the retraining that was put on record."""

    looks: tuple[Looked, ...] = ()
    may: May | None = None
    refused: str = ""
    begun: Retraining | None = None

    @property
    def cause(self) -> Cause | None:
        """The gravest cause."""
        return next((each.cause for each in self.looks if each.cause is not None), None)


def considered(house: House, view: View) -> Considered:
    """Whether there is a cause now, and whether it may be acted on. Reads only."""
    now_us = house.clock.now_us()
    looks = tuple(look(view.config, view.seen, now_us))
    causes = [each.cause for each in looks if each.cause is not None]
    for cause in causes:
        may = _may(view, cause, now_us)
        if may.begins:
            return Considered(looks=looks, may=may, refused=unfit(view.config, facts_of(house, view)) or "")
    return Considered(looks=looks, may=_may(view, causes[0], now_us) if causes else None)


def consider(house: House, model: str) -> Considered:
    """Look for a cause and put a retraining on record where one may begin, or that it is refused. Raises NotFound."""
    view = view_of(house, model)
    if view is None or view.settings.retrain is None:
        return Considered()
    found = considered(house, view)
    if found.may is None or not found.may.begins:
        return found
    cause = next(each for each in _causes(found) if _may(view, each, house.clock.now_us()).begins)
    begun = _enter(house, view, cause, found.may, found.refused, asked_by=PIPELINE)
    return msgspec.structs.replace(found, begun=begun)


def ask_by_hand(house: House, person: Person, model: str, because: str) -> Retraining:
    """A person asks. Raises Forbidden, and Conflict that says why it cannot be now."""
    with house.db.read() as tx:
        require(tx, person, Permission.MODEL_SUBMIT, model)
    view, now_us = view_of(house, model), house.clock.now_us()
    if view is None:
        raise Conflict(
            f"no version of '{model}' is live, so there is nothing to train again",
            fix=f"lockgate train {model}",
        )
    cause = by_hand(person.id, because.strip() or "no reason was given", now_us)
    may = _may(view, cause, now_us)
    refused = unfit(view.config, facts_of(house, view)) if may.begins else may.why
    if refused:
        raise Conflict(
            f"'{model}' cannot be trained again now: {refused}", fix=f"lockgate retrain list {model}"
        )
    made = _enter(house, view, cause, may, "", asked_by=person.id)
    if made is None:
        raise Conflict(f"'{model}' is being retrained", fix=f"lockgate retrain list {model}")
    return made


def carry(house: House, number: int, owner: str, tell: Tell) -> Retraining:
    """Take a retraining and carry it as far as it goes now: to its end, or to where its release goes on by itself.

    Another process that carries it is left in peace. Raises Unavailable while the database is away.
    """
    with house.db.write() as tx:
        mine = take(tx, number, owner, house.clock.now_us())
    if mine is None:
        with house.db.read() as tx:
            return get_retraining(tx, number)
    try:
        with beating(house, number, owner):
            while mine.is_running:
                after = _step(house, mine, tell)
                if after is None:
                    break
                mine = after
    finally:
        with house.db.write() as tx:
            let_go(tx, number, owner)
    with house.db.read() as tx:
        return get_retraining(tx, number)


def _step(house: House, mine: Retraining, tell: Tell) -> Retraining | None:
    """One step and its claim; None where nothing is to be done now. What fails ends it, in words."""
    if _rests(mine, house.clock.now_us()):
        return None
    tell(str(mine.state), 0, 0, "")
    try:
        left = STEPS[mine.state](house, mine, tell)
    except Unavailable as error:  # tried again after a rest
        _move(house, mine, Left(mine.state, outcome=f"{WAITS}{error.what}"))
        return None
    except LockgateError as error:
        left = Left(State.FAILED, outcome=error.sentence())
    except Exception as error:  # noqa: BLE001  a defect in one model's pipeline or checks stops no other model
        _log.exception("retraining %d of %s failed", mine.id, mine.model)
        left = Left(State.FAILED, outcome=f"internal error: {type(error).__name__}: {error}")
    if left is None:
        return None
    return _move(house, mine, left)


def _rests(mine: Retraining, now_us: int) -> bool:
    """Whether what it waits for was not there a moment ago: each try may be a run on record."""
    if mine.state is State.RELEASING or not mine.outcome.startswith(WAITS):
        return False
    return mine.changed_us <= now_us < mine.changed_us + WAITING_REST_US


def _move(house: House, mine: Retraining, left: Left) -> Retraining:
    now_us = house.clock.now_us()
    before = "" if mine.outcome.startswith(WAITS) else mine.outcome  # what it waited for is there
    after = msgspec.structs.replace(
        mine,
        **{"changed_us": now_us, "state": left.to, "outcome": left.outcome or before, **left.known},
    )
    if not after.is_running:
        after = msgspec.structs.replace(after, ended_us=now_us)
    with house.db.write() as tx:
        return claim(tx, mine, after)


def _may(view: View, cause: Cause, now_us: int) -> May:
    """What people stopped, the limits, and that a release on its way may mend what is the case."""
    if view.stopped:
        return May(begins=False, why=view.stopped)
    may = may_begin(view.config, cause, view.past, now_us)
    if may.begins and view.release is not None:
        name = f"{view.release.model}/{view.release.version}"
        return May(begins=False, why=f"release {view.release.id} of {name} is on its way and may mend it")
    return may


def _causes(found: Considered) -> list[Cause]:
    return [each.cause for each in found.looks if each.cause is not None]


def _enter(
    house: House, view: View, cause: Cause, may: May, refused: str, *, asked_by: str
) -> Retraining | None:
    """Put it on record, once: where another process was first, that one's counts."""
    now_us = house.clock.now_us()
    made = Retraining(
        model=view.live.model, trigger=cause.trigger, cause=cause.key, attempt=may.attempt, words=cause.words, asked_by=asked_by,
        champion=view.live.number, state=State.REFUSED if refused else State.ASKED, asked_us=now_us, changed_us=now_us,
        ended_us=now_us if refused else None, outcome=refused,
    )  # fmt: skip
    try:
        with house.db.write() as tx:
            enter_part(tx, PIPELINE, RoleName.PIPELINE, made.model, at_us=now_us)
            return _record(tx, made, now_us)
    except Conflict as error:
        _log.info("%s: %s", made.model, error)
        return None


def _record(tx: sa.Connection, made: Retraining, now_us: int) -> Retraining | None:
    """A new row; or the one that was refused, now that its data are fit, or refused in other words; None: it stays as it is."""
    known = for_cause(tx, made.model, made.cause)
    if known is None or known.state is not State.REFUSED:
        return record(tx, made)
    changed = made.outcome != known.outcome
    if made.state is State.REFUSED and not changed:
        return None
    if (
        made.state is State.ASKED
        and now_us < known.changed_us + REFUSED_REST_US
        and made.trigger is not Trigger.HAND
    ):
        return None
    fresh = msgspec.structs.replace(made, id=known.id, attempt=known.attempt, owner=known.owner)
    return claim(tx, known, fresh)
