"""The loop that carries releases through their phases: read, advance, claim, apply. It may die anywhere and repeat.

Order by direction of risk. Less traffic for the new version: the gateways first (with the kill bit, which sticks), then
the database. More traffic: the database first, then the gateways. So a crash in between leaves the safer of the two,
and the next round finishes what was begun: a kill bit without a rollback becomes a rollback, a plan that is older than
the database is published again, an effect that nobody finished is done again.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import sqlalchemy as sa

from lockgate.clock import Clock
from lockgate.db import Database
from lockgate.errors import Conflict, LockgateError, NotFound, SealBroken, Unavailable
from lockgate.membership import Member, members
from lockgate.predictions.log import LogReader
from lockgate.release import gate, snapshots, store
from lockgate.release.advance import Decision, advance, emergency
from lockgate.release.evidence import Evidence
from lockgate.release.judge import judge
from lockgate.release.label_evidence import LabelEvidence, take
from lockgate.release.lease import LEASE_S, check_lease, drop_lease, take_lease
from lockgate.release.moves import freeze, lowers_risk, moved
from lockgate.release.phases import Phase, Release
from lockgate.release.routes import route_of
from lockgate.release.seen import Seen
from lockgate.release.turns import Admit, admit_all, take_turns
from lockgate.traffic import Plan, PlanShelf

LEASE = "controller"
ROUND_S = 0.5
_log = logging.getLogger(__name__)

EffectHandler = Callable[[store.Effect], None]
LabelsOf = Callable[[int], LabelEvidence | None]


def log_effect(effect: store.Effect) -> None:
    """The effect handler when nobody is to be told: one line in the log."""
    _log.info("release %d, move %d: %s", effect.release, effect.seq, effect.body)


def no_labels(_release: int) -> None:
    """What labels say where nobody reads them."""


class Controller:
    """One controller. Several may run; the lease lets one act, and claims fence the others."""

    def __init__(
        self,
        db: Database,
        shelf: PlanShelf,
        members_folder: Path,
        reader: LogReader,
        clock: Clock,
        *,
        handlers: Mapping[str, EffectHandler] | None = None,
        labels: LabelsOf = no_labels,
        admit: Admit = admit_all,
        owner: str | None = None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._db, self._shelf, self._members_folder, self._clock = db, shelf, members_folder, clock
        self._handlers = {"notify": log_effect, **(handlers or {})}
        self.owner = owner or f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._reader, self._lease_s, self._labels = reader, lease_s, labels
        self._admit = admit
        self._evidence: Evidence | None = None  # read when the lease is ours, from the last snapshot
        self._running: tuple[Release, ...] = ()  # as the last round that had a database saw them
        self._gaps: dict[int, tuple[int, int]] = {}  # release -> (seq, log gap of all members when it began)
        self._status: dict[int, snapshots.Status] = {}

    def tick(self) -> bool:
        """One round over all running releases; false while another controller holds the lease.

        Raises Unavailable without a database; guards that fire then act on the gateways all the same.
        """
        try:
            return self._round()
        except Unavailable:
            self._guard_alone()
            raise

    def _round(self) -> bool:
        now_us = self._clock.now_us()
        with self._db.write() as tx:
            mine = take_lease(tx, LEASE, self.owner, now_us=now_us, lease_s=self._lease_s)
        if not mine:
            self._evidence = None  # another one reads on; ours would be stale
            return False
        if self._evidence is None:
            self._evidence = Evidence(self._db, self._reader, now_us=now_us)
        take_turns(self._db, self._fence, self._admit, members_folder=self._members_folder, now_us=now_us)
        with self._db.read() as tx:
            running = store.running_releases(tx)
        self._evidence.poll(running, now_us)
        self._running = tuple(running)
        self.publish()
        for release in running:
            try:
                self._step(release)
            except Conflict as error:
                # a person or another controller was first
                _log.info("release %d: %s", release.id, error)
            except Unavailable:
                raise
            except Exception:  # noqa: BLE001  what is wrong with one release ends no guard of another
                _log.exception(
                    "release %d of %s cannot be judged; it is tried again", release.id, release.model
                )
        self._run_effects()
        if self._evidence.save(self._clock.now_us(), self._fence):
            self._evidence.forget(running)
        return True

    def publish(self) -> Plan:
        """Bring the published plan to what the database says; repairs a crash between the two."""
        with self._db.read() as tx:
            wanted = store.all_routes(tx)
        plan = self._shelf.latest()
        for model, route in wanted.items():
            dead = route.release in plan.killed  # its rollback is about to be committed
            if plan.routes.get(model) != route and not dead:
                plan = self._shelf.publish_route(route)
        return plan

    def run(self, stop: threading.Event, *, round_s: float = ROUND_S) -> None:
        """Round after round until told to stop. What fails is logged and tried again, ever more slowly."""
        failures = 0
        while not stop.is_set():
            try:
                self.tick()
                failures = 0
            except LockgateError:
                failures += 1
                _log.exception("a round of the release controller failed; it is tried again")
            stop.wait(round_s * 2 ** min(failures, 6))
        self.close()

    def close(self) -> None:
        """Save the evidence and give the lease back."""
        if self._evidence is not None:
            try:
                self._evidence.save(self._clock.now_us(), self._fence, force=True)
            except Conflict:
                return  # another one reads on, from its own snapshot
        with self._db.write() as tx:
            drop_lease(tx, LEASE, self.owner)

    def _guard_alone(self) -> None:
        """While the database is away the guards stay armed: what fires takes the new version out of the gateways.

        The kill bit sticks, so the round that finds the database again puts the rollback on record. Nothing else moves, and
        only what is still published as this controller knows it is touched.
        """
        if self._evidence is None:
            return
        self._evidence.poll(self._running, self._clock.now_us())
        for release in self._running:
            plan = self._shelf.latest()
            if release.id in plan.killed or plan.routes.get(release.model) != route_of(release):
                continue
            found = emergency(release, self._seen(release, gate.Gate()))
            if found is not None:
                after = moved(release, Phase.ROLLED_BACK, now_us=self._clock.now_us(), reason=found.reason)
                self._shelf.publish_route(route_of(after), killed=(release.id,))
                _log.error("release %d is out while the database is away: %s", release.id, found.reason)

    def _fence(self, tx: sa.Connection) -> None:
        check_lease(tx, LEASE, self.owner)

    def _step(self, release: Release) -> None:
        seen = self._seen(release, self._gate(release, self._clock.now_us()))
        decision = advance(release, seen, self._clock.now_us())
        self._say(release, seen, decision)
        if decision.to is None:
            return
        self._move(release, seen, decision, decision.to)

    def _move(self, release: Release, seen: Seen, decision: Decision, to: Phase) -> None:
        assert self._evidence is not None  # noqa: S101 - set by tick before any step
        now_us = self._clock.now_us()
        frozen = freeze(release, to, self._evidence.traffic(release.model), seen.counts)
        after = moved(release, to, now_us=now_us, stage=decision.stage, reason=decision.reason)
        by_guard = to is Phase.HELD and decision.reason in {verdict.sentence for verdict in seen.verdicts}
        after = msgspec.structs.replace(after, frozen=frozen, advisory=by_guard)
        if lowers_risk(release, after):
            self._shelf.publish_route(route_of(after), killed=(release.id,))
        with self._db.write() as tx:
            self._fence(tx)
            store.claim(tx, release, after, actor="controller", at_us=now_us, verdicts=seen.verdicts)
        self._running = tuple(after if known.id == after.id else known for known in self._running)
        self._evidence.save(now_us, self._fence, force=True)  # the counts that the move was made on
        self.publish()

    def _seen(self, release: Release, stands: gate.Gate) -> Seen:
        assert self._evidence is not None  # noqa: S101 - set by tick before any step
        now_us = self._clock.now_us()
        counts = self._evidence.counts(release)
        labels = self._labels(release.id)
        if labels is not None and labels.void_seq == release.void_seq:  # else seen before people let it go on
            take(counts, labels)
        there = members(self._members_folder, now_us)
        plan = self._shelf.latest()
        return Seen(
            counts=counts,
            verdicts=tuple(judge(release.plan, counts, release.frozen)),
            members=tuple(there),
            published=plan.epoch,
            prepared=plan.routes.get(release.model) == route_of(release),
            killed=release.id in plan.killed,
            blind=self._blind(release, there),
            blocked=stands.blocked if release.phase is not Phase.DRAFT else None,
            approval=stands.approval,
            approval_words=stands.words,
        )

    def _gate(self, release: Release, now_us: int) -> gate.Gate:
        """The gate; where people are asked, or a changed seal needs a new approval, the question is put."""
        try:
            with self._db.read() as tx:
                stands = gate.look(tx, release.model, release.version, now_us=now_us)
            if stands.unasked and release.at in (Phase.APPROVAL, Phase.CANARY):
                with self._db.write() as tx:
                    stands = gate.ask(tx, release, at_us=now_us)
        except (SealBroken, NotFound) as error:  # a broken record stops traffic from rising, not the guards
            return gate.Gate(blocked=error.sentence())
        except (Conflict, Unavailable):
            raise
        except Exception:  # noqa: BLE001  nor does one that cannot even be read
            _log.exception("what lets release %d pass cannot be read", release.id)
            return gate.Gate(
                blocked="The records about this version cannot be read: the controller's log says why."
            )
        return stands

    def _blind(self, release: Release, there: list[Member]) -> int:
        """Requests answered without a record since the release made its last move."""
        gap = sum(member.log_gap for member in there)
        seq, before = self._gaps.setdefault(release.id, (release.seq, gap))
        if seq != release.seq:
            self._gaps[release.id] = (release.seq, gap)
            return 0
        return max(gap - before, 0)

    def _say(self, release: Release, seen: Seen, decision: Decision) -> None:
        now_us = self._clock.now_us()
        status = snapshots.Status(
            at_us=now_us,
            reason=decision.reason,
            verdicts=seen.verdicts,
            requests=seen.counts.requests,
            pairs=seen.counts.pairs,
            fallbacks=seen.counts.fallbacks,
            blocked=seen.blocked,
        )
        old = self._status.get(release.id)
        if old is not None and msgspec.structs.replace(old, at_us=now_us) == status:
            return
        self._status[release.id] = status
        with self._db.write() as tx:
            snapshots.save(tx, f"status:{release.id}", status, at_us=now_us)

    def _run_effects(self) -> None:
        with self._db.read() as tx:
            waiting = store.open_effects(tx)
        for effect in waiting:
            try:
                self._handlers[effect.effect](effect)
            except LockgateError:
                _log.exception(
                    "effect %s of release %d failed; it is tried again", effect.effect, effect.release
                )
                continue
            with self._db.write() as tx:
                store.close_effect(tx, effect, at_us=self._clock.now_us())
