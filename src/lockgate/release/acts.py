"""What people do with a release: each act asks whether they may, is one transaction, carries a reason and is audited.

Nobody can edit evidence, raise alpha after the start, or promote another package than the approved one. Going past the
plan or past a guard takes two people and is marked on the release for ever.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.errors import Conflict, NotFound
from lockgate.governance.approvals import Decision as Said
from lockgate.governance.approvals import decide
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.release import gate, snapshots, store
from lockgate.release.desk import Desk, wait_until_obeyed
from lockgate.release.doing import TRIES, Ask, carry_or_vote, carry_out, check_reason, claim_for
from lockgate.release.moves import freeze, moved, past_guards, promoted_to
from lockgate.release.phases import BEFORE_TRAFFIC, Phase, Release
from lockgate.release.queue import Place, PlaceState, close_place, waiting
from lockgate.release.routes import route_of
from lockgate.release.votes import Vote, second_of, vote


def hold(desk: Desk, person: Person, model: str, reason: str) -> Release:
    """Stop a release where it is: its weight stays, its guards stay armed."""
    return carry_out(
        desk,
        Ask(person, Permission.RELEASE_HOLD, model, reason),
        lambda _tx, r: _to(desk, r, Phase.HELD, reason),
    )


def resume(desk: Desk, person: Person, model: str, reason: str) -> Release | Vote:
    """Let a held release go on from where it was held; its time limit begins anew.

    Past a guard that fired two people are needed: the first call returns their `Vote`, a second person's the release. Their
    word for shifted answers stands for the rest of the release, for these answers and so large a shift.
    """

    def change(tx: sa.Connection, before: Release) -> Release | Vote:
        if before.phase is not Phase.HELD or before.held_from is None:
            raise Conflict(f"release {before.id} of {model} is not held", got=before.phase)
        after = _to(desk, before, before.held_from, reason)
        if before.held_from is Phase.WARMING:
            after = msgspec.structs.replace(after, fields_confirmed=True)
        if before.advisory:
            given = vote(tx, before, "resume", person, reason, at_us=desk.clock.now_us())
            if second_of(tx, before, "resume", person) is None:
                return given
            after = past_guards(before, after, snapshots.counts_of(tx, before.id))
        return after

    return carry_or_vote(desk, Ask(person, Permission.RELEASE_RESUME, model, reason), change)


def promote(desk: Desk, person: Person, model: str, reason: str) -> Release | Vote:
    """Skip what is left of the canary (then it gets all traffic) or of the watch (then it is done).

    Two people and a reason: the first call returns their `Vote`, a second person's moves the release, which is marked
    as overridden. Only the approved package can be promoted. Where the tier's policy approves by itself, one person may
    end a watch: no traffic rises, and a lone builder need not wait before the next version.
    """

    def change(tx: sa.Connection, before: Release) -> Release | Vote:
        target = promoted_to(before)
        if target is None:
            raise Conflict(
                f"release {before.id} of {model} cannot be promoted from {before.phase}",
                allowed="canary, a held canary, or watch",
            )
        if target is Phase.WATCH:  # the end of a watch raises no traffic: the gate has no say in it
            gate.check_approved(tx, before, now_us=desk.clock.now_us())
        given = vote(tx, before, "promote", person, reason, at_us=desk.clock.now_us())
        alone = target is Phase.DONE and gate.asks_nobody(tx, model)
        if not alone and second_of(tx, before, "promote", person) is None:
            return given
        counts = snapshots.counts_of(tx, before.id)
        frozen = freeze(before, target, snapshots.traffic_of(tx, model), counts)
        after = _to(desk, before, target, reason, stage=len(before.plan.stages) + 1)
        return msgspec.structs.replace(after, overridden=True, frozen=frozen)

    return carry_or_vote(desk, Ask(person, Permission.RELEASE_PROMOTE, model, reason), change)


def rollback(desk: Desk, person: Person, model: str, reason: str, *, wait: bool = True) -> Release:
    """Take the new version out: of the gateways first, then in the database. Anyone on call may.

    Returns when every gateway worker with a current lease obeys, so that after the return no new request gets it. A
    release that is done is rolled back to the version before it, as long as nothing newer went live.
    """
    check_reason(reason)
    ask = Ask(person, Permission.RELEASE_ROLLBACK, model, reason)
    for _ in range(TRIES):
        with desk.db.read() as tx:
            require(tx, person, Permission.RELEASE_ROLLBACK, model)
            before = store.find_running(tx, model) or _last_done(tx, model)
        if before.phase is Phase.DRAFT:
            return cancel(desk, person, model, reason)
        after = _to(desk, before, Phase.ROLLED_BACK, reason)
        plan = desk.shelf.publish_route(route_of(after), killed=(before.id,))
        try:
            with desk.db.write() as tx:
                require(tx, person, Permission.RELEASE_ROLLBACK, model)
                done = claim_for(tx, desk, ask, before, after)
        except Conflict:
            continue  # the controller moved it in between; the canary is off already
        if plan.routes.get(model) != desk.shelf.latest().routes.get(model):
            plan = desk.shelf.publish_route(route_of(done))  # someone published the old route in between
        if wait:
            wait_until_obeyed(desk, plan.epoch)
        return done
    raise Conflict(f"the release of {model} keeps moving; its canary is off", fix=f"lockgate status {model}")


def cancel(desk: Desk, person: Person, model: str, reason: str) -> Release:
    """Take a release back before it has traffic."""

    def change(_tx: sa.Connection, before: Release) -> Release:
        if before.at not in BEFORE_TRAFFIC:
            raise Conflict(
                f"release {before.id} of {model} has traffic ({before.phase})",
                fix=f"lockgate rollback {model}",
            )
        return _to(desk, before, Phase.CANCELLED, reason)

    return carry_out(desk, Ask(person, Permission.RELEASE_HOLD, model, reason), change)


def leave_queue(desk: Desk, person: Person, model: str, version: int, reason: str) -> Place:
    """Take a version off the queue before its turn comes."""
    check_reason(reason)
    with desk.db.write() as tx:
        require(tx, person, Permission.RELEASE_HOLD, model)
        place = next((place for place in waiting(tx, model) if place.version == version), None)
        if place is None:
            raise NotFound(f"{model}/{version} does not wait", fix=f"lockgate release queue {model}")
        return close_place(
            tx, place, PlaceState.CANCELLED, actor=person.id, at_us=desk.clock.now_us(), words=reason.strip()
        )


def approve(desk: Desk, person: Person, model: str, reason: str) -> gate.Gate:
    """Say yes to the release's very package, data, findings and policy. The controller goes on from there."""
    return _decide(desk, person, model, Said.APPROVE, reason)


def reject(desk: Desk, person: Person, model: str, reason: str) -> gate.Gate:
    """Say no: the release ends at the controller's next round."""
    return _decide(desk, person, model, Said.REJECT, reason)


def supersede(tx: sa.Connection, person: Person, model: str, *, at_us: int) -> Release | None:
    """End the model's running release in the caller's transaction, because another takes its place."""
    before = store.find_running(tx, model)
    if before is None:
        return None
    if before.at is Phase.WATCH:
        raise Conflict(
            f"release {before.id} of {model} has all traffic already; it cannot be superseded",
            fix=f"wait for the end of its watch, or lockgate rollback {model}",
        )
    require(tx, person, Permission.RELEASE_ROLLBACK, model)
    after = moved(before, Phase.SUPERSEDED, now_us=at_us, reason=f"superseded by {person.id}")
    return store.claim(tx, before, after, actor=person.id, at_us=at_us)


def _to(desk: Desk, before: Release, to: Phase, reason: str, *, stage: int | None = None) -> Release:
    return moved(
        before,
        to,
        now_us=desk.clock.now_us(),
        stage=before.stage if stage is None else stage,
        reason=reason.strip(),
    )


def _decide(desk: Desk, person: Person, model: str, said: Said, reason: str) -> gate.Gate:
    now_us = desk.clock.now_us()
    with desk.db.write() as tx:
        require(tx, person, Permission.RELEASE_APPROVE, model)
        release = store.get_running(tx, model)
        stands = gate.ask(tx, release, at_us=now_us)
        if stands.request is None:
            raise Conflict(f"{model}/{release.version} cannot be decided on yet: {stands.blocked}")
        decide(tx, stands.request.id, person, said, reason, at_us=now_us)
        return gate.look(tx, model, release.version, now_us=now_us)


def _last_done(tx: sa.Connection, model: str) -> Release:
    last = next((r for r in store.releases_of(tx, model) if r.phase in (Phase.DONE, Phase.ROLLED_BACK)), None)
    live = store.live_version(tx, model)
    if last is None or last.phase is not Phase.DONE or last.version != live:
        raise Conflict(
            f"no release of {model} is running, and there is none to go back from",
            fix=f"lockgate status {model}",
        )
    if last.previous is None:
        raise Conflict(f"{model}/{last.version} was the first version: there is nothing to go back to")
    return last
