"""Releases in the database. Every move is one transaction: the claim, the route, the move, its effects, the audit row.

A claim changes a row only where `seq` still is what the claimer saw; no row changed means that someone else was first.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from lockgate.errors import Conflict, NotFound
from lockgate.governance import audit
from lockgate.release.phases import ENDS, Phase, Release
from lockgate.release.routes import route_of
from lockgate.release.tables import release_effects, release_moves, releases, routes
from lockgate.release.verdict import Verdict
from lockgate.traffic import Role, Route

_JSON = ("plan", "frozen")
EFFECTS = ("notify",)  # what every move causes outside the database, once


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One move as recorded, with the verdicts that were before the eyes of whoever made it."""

    release: int
    seq: int
    at_us: int
    actor: str
    phase: Phase
    stage: int
    weight: float
    reason: str
    verdicts: tuple[Verdict, ...] = ()


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """Something to do outside the database after a move; doing it twice must do no harm."""

    release: int
    seq: int
    effect: str
    body: dict[str, object] = {}


def record_release(tx: sa.Connection, draft: Release, *, actor: str, at_us: int) -> Release:
    """Enter a new release and give it its number. Raises Conflict while another one of the model runs."""
    row = {**_columns(draft), "running": draft.model}
    row.pop("id")
    try:
        with tx.begin_nested():
            number = tx.execute(sa.insert(releases).values(**row).returning(releases.c.id)).scalar_one()
    except sa.exc.IntegrityError as error:
        running = find_running(tx, draft.model)
        what = f"release {running.id} of {draft.model}/{running.version}" if running else "another release"
        raise Conflict(
            f"{what} is running; one model has one release at a time",
            fix=f"start it again: it takes its place in the queue (lockgate release queue {draft.model})",
        ) from error
    made = msgspec.structs.replace(draft, id=number)
    _record_move(tx, made, actor=actor, at_us=at_us, verdicts=())
    audit.append(
        tx,
        at_us=at_us,
        actor=actor,
        action="release:draft:started",
        subject=f"{made.model}/{made.version}",
        details={"release": number, "digest": made.digest, "previous": made.previous, "plan": made.plan},
    )
    return made


def get_release(tx: sa.Connection, number: int) -> Release:
    """A release by its number. Raises NotFound."""
    row = tx.execute(sa.select(releases).where(releases.c.id == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no release {number}", fix="lockgate status")
    return _read(row)


def find_running(tx: sa.Connection, model: str) -> Release | None:
    """The model's running release, if there is one."""
    row = tx.execute(sa.select(releases).where(releases.c.running == model)).one_or_none()
    return _read(row) if row else None


def get_running(tx: sa.Connection, model: str) -> Release:
    """The model's running release. Raises NotFound that says how the last one ended."""
    found = find_running(tx, model)
    if found is None:
        last = releases_of(tx, model, limit=1)
        ended = f"; release {last[0].id} of {model}/{last[0].version} is {last[0].phase}" if last else ""
        raise NotFound(
            f"no release of {model} is running{ended}", fix=f"lockgate release {model}/NUMBER starts one"
        )
    return found


def running_releases(tx: sa.Connection) -> list[Release]:
    """Every running release, the oldest first."""
    query = sa.select(releases).where(releases.c.running.is_not(None)).order_by(releases.c.id)
    return [_read(row) for row in tx.execute(query)]


def releases_of(tx: sa.Connection, model: str | None = None, *, limit: int = 100) -> list[Release]:
    """Releases of a model, or of all, the newest first."""
    query = sa.select(releases).order_by(releases.c.id.desc()).limit(limit)
    if model is not None:
        query = query.where(releases.c.model == model)
    return [_read(row) for row in tx.execute(query)]


def moves_of(tx: sa.Connection, number: int) -> list[Move]:
    """Every move of a release, the oldest first."""
    query = sa.select(release_moves).where(release_moves.c.release == number).order_by(release_moves.c.seq)
    return [_read_move(row) for row in tx.execute(query)]


def claim(
    tx: sa.Connection,
    before: Release,
    after: Release,
    *,
    actor: str,
    at_us: int,
    verdicts: Sequence[Verdict] = (),
    details: dict[str, object] | None = None,
) -> Release:
    """Put a move on record: the row where it still is as `before`, the route, the effects, the audit row.

    Raises Conflict when someone else moved the release first; nothing of the transaction should then be kept.
    """
    _claim_row(tx, before, after)
    _write_route(tx, after)
    _record_move(tx, after, actor=actor, at_us=at_us, verdicts=verdicts)
    _record_effects(tx, after)
    said: dict[str, object] = {
        "release": after.id,
        "seq": after.seq,
        "from": before.phase,
        "to": after.phase,
        "stage": after.stage,
        "weight": after.weight,
        "reason": after.reason,
        "code": after.plan.code,
        "verdicts": list(verdicts),
        **(details or {}),
    }
    audit.append(
        tx,
        at_us=at_us,
        actor=actor,
        action=f"release:{before.phase}:{after.phase}",
        subject=f"{after.model}/{after.version}",
        details=said,
    )
    return after


def get_route(tx: sa.Connection, model: str) -> Route | None:
    """The model's route as the database has it, if it ever had one."""
    body = tx.execute(sa.select(routes.c.body).where(routes.c.model == model)).scalar_one_or_none()
    return msgspec.json.decode(body, type=Route) if body else None


def all_routes(tx: sa.Connection) -> dict[str, Route]:
    """Every model's route."""
    found = tx.execute(sa.select(routes.c.model, routes.c.body))
    return {row.model: msgspec.json.decode(row.body, type=Route) for row in found}


def live_version(tx: sa.Connection, model: str) -> int | None:
    """The number of the version that answers, `churn@live`; None when none does."""
    return tx.execute(sa.select(routes.c.live).where(routes.c.model == model)).scalar_one_or_none()


def aliases(tx: sa.Connection, model: str) -> dict[str, int]:
    """What `churn@live` and `churn@canary` mean now."""
    row = tx.execute(sa.select(routes.c.live, routes.c.canary).where(routes.c.model == model)).one_or_none()
    return {name: number for name, number in (row._asdict() if row else {}).items() if number is not None}


def open_effects(tx: sa.Connection, limit: int = 100) -> list[Effect]:
    """Effects that nobody is known to have finished, the oldest first."""
    query = (
        sa.select(release_effects)
        .where(release_effects.c.done_us.is_(None))
        .order_by(release_effects.c.release, release_effects.c.seq)
        .limit(limit)
    )
    return [
        Effect(release=row.release, seq=row.seq, effect=row.effect, body=msgspec.json.decode(row.body))
        for row in tx.execute(query)
    ]


def close_effect(tx: sa.Connection, effect: Effect, *, at_us: int) -> None:
    """Note that an effect was done."""
    c = release_effects.c
    same = sa.and_(c.release == effect.release, c.seq == effect.seq, c.effect == effect.effect)
    tx.execute(sa.update(release_effects).where(same).values(done_us=at_us))


def _claim_row(tx: sa.Connection, before: Release, after: Release) -> None:
    row = {**_columns(after), "running": None if after.phase in ENDS else after.model}
    row.pop("id")
    old = sa.and_(
        releases.c.id == before.id, releases.c.seq == before.seq, releases.c.phase == str(before.phase)
    )
    if tx.execute(sa.update(releases).where(old).values(**row)).rowcount != 1:
        raise Conflict(
            f"release {before.id} of {before.model} moved at this moment",
            fix=f"lockgate status {before.model}",
        )


def _record_effects(tx: sa.Connection, after: Release) -> None:
    body = {
        "model": after.model,
        "version": after.version,
        "phase": after.phase,
        "stage": after.stage,
        "reason": after.reason,
    }
    text = msgspec.json.encode(body).decode()
    for effect in EFFECTS:
        tx.execute(
            sa.insert(release_effects).values(release=after.id, seq=after.seq, effect=effect, body=text)
        )


def _write_route(tx: sa.Connection, release: Release) -> None:
    route = route_of(release)
    live, canary = route.arm(Role.LIVE), route.arm(Role.CANARY)
    values = {
        "release": release.id,
        "seq": release.seq,
        "live": live.version if live else None,
        "canary": canary.version if canary else None,
        "body": msgspec.json.encode(route).decode(),
    }
    changed = tx.execute(sa.update(routes).where(routes.c.model == release.model).values(**values)).rowcount
    if not changed:
        tx.execute(sa.insert(routes).values(model=release.model, **values))


def _record_move(
    tx: sa.Connection, release: Release, *, actor: str, at_us: int, verdicts: Sequence[Verdict]
) -> None:
    tx.execute(
        sa.insert(release_moves).values(
            release=release.id,
            seq=release.seq,
            at_us=at_us,
            actor=actor,
            phase=str(release.phase),
            stage=release.stage,
            weight=release.weight,
            reason=release.reason,
            verdicts=msgspec.json.encode(list(verdicts)).decode(),
        )
    )


def _columns(release: Release) -> dict[str, object]:
    row = msgspec.structs.asdict(release)
    for name in _JSON:
        row[name] = msgspec.json.encode(row[name]).decode()
    row["phase"] = str(release.phase)
    row["held_from"] = str(release.held_from) if release.held_from else None
    return row


def _read_move(row: sa.Row[tuple[object, ...]]) -> Move:
    values = {name: getattr(row, name) for name in Move.__struct_fields__}
    return msgspec.convert({**values, "verdicts": msgspec.json.decode(row.verdicts)}, Move)


def _read(row: sa.Row[tuple[object, ...]]) -> Release:
    values = {name: getattr(row, name) for name in Release.__struct_fields__}
    for name in _JSON:
        values[name] = msgspec.json.decode(values[name])
    return msgspec.convert(values, Release)
