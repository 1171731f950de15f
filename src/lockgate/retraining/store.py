"""Retrainings in the database: asked for once a cause and attempt, moved by whoever claims them, each with its audit row.

A retraining belongs to one process while that one beats; when it was not heard of for `SILENT_S`, another one takes it over
and goes on with the step it was at.
"""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from lockgate.clock import SECOND_US
from lockgate.errors import Conflict, NotFound
from lockgate.governance import audit
from lockgate.pipelines.cut import Cut
from lockgate.retraining.reach import Reach
from lockgate.retraining.retraining import MOVES, RUNNING, Gain, Retraining, State
from lockgate.retraining.tables import retrainings

SILENT_S = 60.0  # a process that carries one writes several times as often


class Rest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a row holds as text."""

    words: str
    asked_by: str
    champion: int
    run: int | None = None
    outcome: str = ""
    gain: Gain | None = None
    data: dict[str, str] = {}
    reach: Reach | None = None
    cut: Cut | None = None


def record(tx: sa.Connection, made: Retraining) -> Retraining:
    """Enter a new one. Raises Conflict while another of the model goes on, and for a cause and attempt that are on record."""
    try:
        with tx.begin_nested():
            step = sa.insert(retrainings).values(**_row(made)).returning(retrainings.c.id)
            number = int(tx.execute(step).scalar_one())
    except sa.exc.IntegrityError as error:
        raise Conflict(
            f"'{made.model}' is being retrained, or was for this very cause",
            fix=f"lockgate retrain list {made.model}",
        ) from error
    entered = msgspec.structs.replace(made, id=number)
    _note(tx, entered, by=made.asked_by)
    return entered


def claim(tx: sa.Connection, before: Retraining, after: Retraining) -> Retraining:
    """Put a move on record where the row still is as it was seen. Raises Conflict when somebody else was first."""
    if after.state is not before.state and after.state not in MOVES[before.state]:
        raise Conflict(f"retraining {before.id} cannot go from {before.state} to {after.state}")
    c = retrainings.c
    same = (c.id == before.id) & (c.state == before.state.value) & (c.owner == before.owner)
    if before.state is State.REFUSED:
        same &= c.changed_us == before.changed_us
    row = {key: value for key, value in _row(after).items() if key not in ("beat_us", "compute_s")}
    try:
        with tx.begin_nested():
            changed = tx.execute(sa.update(retrainings).where(same).values(**row)).rowcount
    except sa.exc.IntegrityError as error:
        raise Conflict(
            f"'{before.model}' is being retrained", fix=f"lockgate retrain list {before.model}"
        ) from error
    if changed != 1:
        raise Conflict(
            f"retraining {before.id} moved at this moment", fix=f"lockgate retrain show {before.id}"
        )
    if (before.state, before.outcome) != (after.state, after.outcome):
        _note(tx, after, by=after.asked_by)
    return get_retraining(tx, before.id)


def take(tx: sa.Connection, number: int, owner: str, now_us: int) -> Retraining | None:
    """Take a running one to carry it; None while another process does, or when it is over."""
    c = retrainings.c
    silent_us = now_us - round(SILENT_S * SECOND_US)
    ahead_us = now_us + round(SILENT_S * SECOND_US)  # the clock stepped back since
    free = sa.or_(c.owner == "", c.owner == owner, c.beat_us < silent_us, c.beat_us > ahead_us)
    mine = (c.id == number) & c.running.is_not(None) & free
    if tx.execute(sa.update(retrainings).where(mine).values(owner=owner, beat_us=now_us)).rowcount != 1:
        return None
    return get_retraining(tx, number)


def beat(tx: sa.Connection, number: int, owner: str, now_us: int, computed_s: float) -> bool:
    """Say that its process lives, and how long it computed since it last said so; false where it is another's by now."""
    c = retrainings.c
    mine = (c.id == number) & (c.owner == owner)
    step = sa.update(retrainings).where(mine).values(beat_us=now_us, compute_s=c.compute_s + computed_s)
    return tx.execute(step).rowcount == 1


def let_go(tx: sa.Connection, number: int, owner: str) -> None:
    """Carry it no longer: another process may at once."""
    c = retrainings.c
    tx.execute(sa.update(retrainings).where(c.id == number, c.owner == owner).values(owner=""))


def get_retraining(tx: sa.Connection, number: int) -> Retraining:
    """One by its number. Raises NotFound."""
    row = tx.execute(sa.select(retrainings).where(retrainings.c.id == number)).one_or_none()
    if row is None:
        raise NotFound(f"there is no retraining {number}", fix="lockgate retrain list")
    return _read(row)


def retrainings_of(
    tx: sa.Connection,
    model: str | None = None,
    *,
    among: Collection[str] | None = None,
    but: Collection[State] = (),
    before: int | None = None,
    limit: int | None = None,
) -> list[Retraining]:
    """Those of a model, or of models among others, or all, the newest first. `but`: not in these states; `before`: those that
    come after this one's number in the list; `limit` None: all of them. Raises NotFound for a `before` that there is not."""
    c = retrainings.c
    query = sa.select(retrainings).order_by(c.asked_us.desc(), c.id.desc()).limit(limit)
    if model is not None:
        query = query.where(c.model == model)
    if among is not None:
        query = query.where(c.model.in_(list(among)))
    if but:
        query = query.where(c.state.not_in([state.value for state in but]))
    if before is not None:
        asked_us = get_retraining(tx, before).asked_us
        query = query.where(sa.or_(c.asked_us < asked_us, (c.asked_us == asked_us) & (c.id < before)))
    return [_read(row) for row in tx.execute(query)]


def running_retrainings(tx: sa.Connection) -> list[Retraining]:
    """Every one that goes on, the oldest first."""
    query = sa.select(retrainings).where(retrainings.c.running.is_not(None)).order_by(retrainings.c.id)
    return [_read(row) for row in tx.execute(query)]


def of_version(tx: sa.Connection, model: str, version: int) -> Retraining | None:
    """The newest retraining that made a version; None for one that people made."""
    c = retrainings.c
    query = (
        sa.select(retrainings).where(c.model == model, c.version == version).order_by(c.id.desc()).limit(1)
    )
    row = tx.execute(query).one_or_none()
    return _read(row) if row is not None else None


def for_cause(tx: sa.Connection, model: str, cause: str) -> Retraining | None:
    """The newest retraining for a cause."""
    c = retrainings.c
    query = (
        sa.select(retrainings).where(c.model == model, c.cause == cause).order_by(c.attempt.desc()).limit(1)
    )
    row = tx.execute(query).one_or_none()
    return _read(row) if row is not None else None


def _note(tx: sa.Connection, made: Retraining, *, by: str) -> None:
    details: dict[str, object] = {
        "retraining": made.id, "cause": made.cause, "attempt": made.attempt, "trigger": made.trigger, "words": made.words,
        "outcome": made.outcome, "run": made.run, "version": made.version, "release": made.release, "data": made.data,
    }  # fmt: skip
    gain = made.gain
    if made.reach is not None:
        details["reach"] = made.reach.words
    if made.cut is not None:
        details["tested since"] = made.cut.since
    if gain is not None:
        details["gain"] = msgspec.to_builtins(msgspec.json.decode(msgspec.json.encode(gain)))
    audit.append(
        tx,
        at_us=made.changed_us,
        actor=by,
        action=f"retraining:cause:{made.state}",
        subject=made.model,
        details=details,
    )


def _row(made: Retraining) -> dict[str, object]:
    rest = Rest(words=made.words, asked_by=made.asked_by, champion=made.champion, run=made.run, outcome=made.outcome,
                gain=made.gain, data=made.data, reach=made.reach, cut=made.cut)  # fmt: skip
    return {
        "model": made.model, "trigger": made.trigger.value, "cause": made.cause, "attempt": made.attempt,
        "running": made.model if made.state in RUNNING else None, "state": made.state.value, "asked_us": made.asked_us,
        "changed_us": made.changed_us, "ended_us": made.ended_us, "version": made.version, "release": made.release,
        "compute_s": made.compute_s, "owner": made.owner, "beat_us": made.beat_us, "body": msgspec.json.encode(rest).decode(),
    }  # fmt: skip


def _read(row: sa.Row[tuple[object, ...]]) -> Retraining:
    values = {
        name: getattr(row, name)
        for name in Retraining.__struct_fields__
        if name not in Rest.__struct_fields__
    }
    rest = msgspec.json.decode(row.body, type=Rest)
    return msgspec.convert({**values, **msgspec.structs.asdict(rest)}, Retraining)
