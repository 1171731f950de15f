"""Versions that answer live's recorded requests in shadow, several at once, before anybody decides which one is released.

A contender is no release: nothing goes on by itself, and no caller ever gets its answers. It is scored until its days are
over, until somebody withdraws it, or while its own release or its being live makes that pointless.
"""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.clock import DAY_US, SECOND_US
from lockgate.errors import Conflict, NotFound
from lockgate.governance import audit
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model, get_version
from lockgate.release import gate, store
from lockgate.release.desk import Desk
from lockgate.release.promise import ReleasePlan
from lockgate.release.start import preview
from lockgate.release.tables import contenders

MOST = 10  # of a model at once: each is a loaded model that scores every request
HISTORY_DAYS = 30
HISTORY_FACTOR = 5  # recorded requests scored at the start, as a multiple of what a release's shadow asks for
HISTORY_REQUESTS = 5_000  # and at least so many: a quiet service's month is scored in minutes


class Contender(msgspec.Struct, frozen=True, kw_only=True):
    """A version in shadow without a release. Times are microseconds. `share`: of the requests that it takes, 0..1.

    `since_us`: requests from then on, recorded history too; `until_us`: its days are over then; `words`: why it ended.
    """

    id: int = 0
    model: str
    version: int
    digest: str
    share: float = 1.0
    since_us: int = 0
    until_us: int = 0
    author: str
    reason: str = ""
    began_us: int = 0
    ended_us: int | None = None
    words: str = ""

    @property
    def name(self) -> str:
        """The version's name, `churn/4`."""
        return f"{self.model}/{self.version}"

    @property
    def scored_for(self) -> int:
        """What its shadow records bear in the place of a release's number: no release has one below 0."""
        return -self.id


def back_us(plan: ReleasePlan, from_us: int) -> int:
    """From when on recorded requests are scored: a few times what the shadow asks for, at the measured traffic, in any case
    enough for a verdict, and at most a month.
    """
    if plan.per_s <= 0:
        return from_us - HISTORY_DAYS * DAY_US
    requests = max(HISTORY_FACTOR * plan.shadow_requests, HISTORY_REQUESTS) / plan.shadow_share
    return from_us - min(round(requests / plan.per_s * SECOND_US), HISTORY_DAYS * DAY_US)


def contend(desk: Desk, person: Person, name: str, reason: str = "") -> Contender:
    """Let a validated version answer in shadow beside others, for as long as a release of the model may last.

    Raises Forbidden without release:start, Conflict for a version that is not validated, is live or contends already, for a
    model whose calls change something, and where as many contend as may.
    """
    now_us = desk.clock.now_us()
    with desk.db.read() as tx:
        require(tx, person, Permission.RELEASE_START, get_version(tx, name).model)
        plan = preview(tx, name)  # raises for the live version; reads much, so outside of what writes
    with desk.db.write() as tx:
        wanted = get_version(tx, name)
        require(tx, person, Permission.RELEASE_START, wanted.model)
        gate.check_start(tx, wanted.model, wanted.number, now_us=now_us)
        if not get_model(tx, wanted.model).settings.pure:
            raise Conflict(f"{wanted.model} is not pure: its calls cost or change something, so nothing shadows it",
                           fix=f"lockgate release {wanted.name}: its canary is small")  # fmt: skip
        there = contending(tx, wanted.model, now_us=now_us)
        if len(there) >= MOST:
            raise Conflict(f"{len(there)} versions of {wanted.model} contend already", allowed=MOST,
                           fix=f"lockgate release withdraw {there[0].name} --reason ...")  # fmt: skip
        made = Contender(
            model=wanted.model, version=wanted.number, digest=wanted.digest, share=plan.shadow_share,
            since_us=back_us(plan, now_us), until_us=now_us + round(plan.max_s * SECOND_US), author=person.id,
            reason=reason.strip(), began_us=now_us,
        )  # fmt: skip
        return _record(tx, made)


def withdraw(desk: Desk, person: Person, name: str, reason: str) -> Contender:
    """Take a contender out of the shadow. Raises NotFound for a version that does not contend, Forbidden."""
    now_us = desk.clock.now_us()
    with desk.db.write() as tx:
        wanted = get_version(tx, name)
        require(tx, person, Permission.RELEASE_HOLD, wanted.model)
        there = contending(tx, wanted.model, now_us=now_us)
        found = next((one for one in there if one.version == wanted.number), None)
        if found is None:
            raise NotFound(
                f"{wanted.name} does not contend", fix=f"lockgate release contenders {wanted.model}"
            )
        return _end(tx, found, reason.strip() or "withdrawn", actor=person.id, at_us=now_us)


def contending(tx: sa.Connection, model: str | None = None, *, now_us: int) -> list[Contender]:
    """Who contends now, of a model or of all, in the order of their beginning."""
    c = contenders.c
    query = sa.select(contenders).where(c.contending.is_not(None), c.until_us > now_us).order_by(c.id)
    return [_read(row) for row in tx.execute(query if model is None else query.where(c.model == model))]


def scored(tx: sa.Connection, *, now_us: int) -> list[Contender]:
    """Those that are scored: who is live by now, or in a release of its own, is scored there or not at all."""
    busy = {(one.model, one.version) for one in store.running_releases(tx)}
    return [one for one in contending(tx, now_us=now_us)
            if (one.model, one.version) not in busy and store.live_version(tx, one.model) != one.version]  # fmt: skip


def contenders_of(tx: sa.Connection, model: str, *, limit: int = 20) -> list[Contender]:
    """The model's contenders with those of before, the newest first."""
    query = (
        sa.select(contenders).where(contenders.c.model == model).order_by(contenders.c.id.desc()).limit(limit)
    )
    return [_read(row) for row in tx.execute(query)]


def get_contender(tx: sa.Connection, number: int) -> Contender:
    """A contender by its number. Raises NotFound."""
    row = tx.execute(sa.select(contenders).where(contenders.c.id == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no contender {number}", fix="lockgate release contenders MODEL")
    return _read(row)


def _record(tx: sa.Connection, made: Contender) -> Contender:
    c = contenders.c
    over = tx.execute(
        sa.select(contenders).where(c.contending == made.name, c.until_us <= made.began_us)
    ).one_or_none()
    if over is not None:
        _end(tx, _read(over), "its days were over", actor="lockgate", at_us=made.began_us)
    row = {**msgspec.structs.asdict(made), "contending": made.name}
    row.pop("id")
    try:
        with tx.begin_nested():
            number = tx.execute(sa.insert(contenders).values(**row).returning(c.id)).scalar_one()
    except sa.exc.IntegrityError as error:
        raise Conflict(
            f"{made.name} contends already", fix=f"lockgate release contenders {made.model}"
        ) from error
    done = msgspec.structs.replace(made, id=number)
    _note(tx, done, "begun", actor=made.author, at_us=made.began_us, words=made.reason)
    return done


def _end(tx: sa.Connection, one: Contender, words: str, *, actor: str, at_us: int) -> Contender:
    c = contenders.c
    claim = sa.update(contenders).where(c.id == one.id, c.contending.is_not(None))
    if tx.execute(claim.values(contending=None, ended_us=at_us, words=words)).rowcount != 1:
        raise Conflict(
            f"{one.name} does not contend any more", fix=f"lockgate release contenders {one.model}"
        )
    _note(tx, one, "ended", actor=actor, at_us=at_us, words=words)
    return msgspec.structs.replace(one, ended_us=at_us, words=words)


def _note(tx: sa.Connection, one: Contender, what: str, *, actor: str, at_us: int, words: str) -> None:
    audit.append(tx, at_us=at_us, actor=actor, action=f"release:contender:{what}", subject=one.name,
                 details={"contender": one.id, "digest": one.digest, "words": words})  # fmt: skip


def _read(row: sa.Row[tuple[object, ...]]) -> Contender:
    return Contender(**{name: getattr(row, name) for name in Contender.__struct_fields__})
