"""How a person's act becomes a move: one transaction, tried again if the controller was faster, gateways and database in order.

What an act does to a release is a function of the release as it stands; who may is asked in the same transaction.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa

from lockgate.errors import Conflict, InvalidInput
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.release import snapshots, store
from lockgate.release.desk import Desk
from lockgate.release.judge import judge
from lockgate.release.moves import lowers_risk, lowers_weight
from lockgate.release.phases import Release
from lockgate.release.routes import route_of
from lockgate.release.votes import Vote

TRIES = (
    8  # the controller may move a release between reading and claiming; a person's act is then tried again
)


@dataclass(frozen=True)
class Ask:
    """Who wants to do what with a model's running release, and why."""

    person: Person
    permission: Permission
    model: str
    reason: str


def carry_out(desk: Desk, ask: Ask, change: Callable[[sa.Connection, Release], Release]) -> Release:
    """Do what `change` makes of the running release, in one transaction.

    Raises Forbidden without the permission, InvalidInput without a reason, NotFound when no release runs, and what `change`
    raises.
    """
    done = carry_or_vote(desk, ask, change)
    assert isinstance(done, Release)  # noqa: S101 - `change` gave a release
    return done


def carry_or_vote(
    desk: Desk, ask: Ask, change: Callable[[sa.Connection, Release], Release | Vote]
) -> Release | Vote:
    """As `carry_out`, for acts that may leave it at a person's word until a second one says the same."""
    check_reason(ask.reason)
    for left in reversed(range(TRIES)):
        try:
            with desk.db.write() as tx:
                require(tx, ask.person, ask.permission, ask.model)
                before = store.get_running(tx, ask.model)
                after = change(tx, before)
                if isinstance(after, Vote):
                    return after
                if lowers_risk(before, after):  # the gateways first: a crash here ends in a rollback
                    desk.shelf.publish_route(route_of(after), killed=(before.id,))
                elif lowers_weight(before, after):
                    desk.shelf.publish_route(route_of(after))
                done = claim_for(tx, desk, ask, before, after)
        except Conflict:
            with desk.db.read() as tx:
                still = store.find_running(tx, ask.model)
            if not left or still is None or still.seq == before.seq:
                raise  # nobody moved it: the act itself cannot be
            continue
        if desk.shelf.latest().routes.get(done.model) != route_of(done):
            desk.shelf.publish_route(route_of(done))
        return done
    raise AssertionError("the loop returns or raises")


def claim_for(tx: sa.Connection, desk: Desk, ask: Ask, before: Release, after: Release) -> Release:
    """Put a person's move on record with the verdicts of the moment, and what it accepts or changes besides the phase."""
    counts = snapshots.counts_of(tx, before.id)
    details: dict[str, object] = {"overridden": after.overridden}
    if after.frozen.accepted != before.frozen.accepted:
        details["accepted"] = after.frozen.accepted
    if after.extra_s != before.extra_s or after.limit_us != before.limit_us:
        details["extra_s"] = after.extra_s
    if after.lowered != before.lowered:
        details["planned"] = after.planned
    return store.claim(
        tx,
        before,
        after,
        actor=ask.person.id,
        at_us=desk.clock.now_us(),
        verdicts=judge(before.plan, counts, before.frozen),
        details=details,
    )


def check_reason(reason: str) -> None:
    """Raise InvalidInput for an act without a reason."""
    if not reason.strip():
        raise InvalidInput("this needs a reason", fix="say why in a sentence: --reason '...'")
