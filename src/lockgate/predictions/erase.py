"""Erasing a person by their business key: out of hot segments, archive, labels and the keys of personal columns.

An erasure is asked for, on record in the audit log by a keyed hash, and then carried out, here or by the archiver after a
crash. Some minutes later it is carried out once more, for what was still on its way, and the key is forgotten too.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import msgspec
import sqlalchemy as sa

from lockgate.blobs import Blobs
from lockgate.clock import MINUTE_US, Clock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import Conflict, InvalidInput
from lockgate.governance import audit
from lockgate.predictions.archive import hold
from lockgate.predictions.erase_deleted import (
    STATISTICS,
    forget_deleted,
    overwrite_deleted,
    tables_with_copies,
)
from lockgate.predictions.erase_found import find, forget_labels
from lockgate.predictions.erase_hot import end_segments, erase_in_segments
from lockgate.predictions.erase_table import drop_old_files, erase_in_table
from lockgate.predictions.keyring import take_in
from lockgate.predictions.removal import Gone
from lockgate.predictions.subject import log_secret, subject_of
from lockgate.predictions.table import Archive
from lockgate.predictions.tables import labels, log_erasures, log_keys

AGAIN_US = 10 * MINUTE_US  # longer than any request, and any reader's memory of one, lasts
PATIENCE_S = 60.0  # while the archiver works


class ErasureState(StrEnum):
    """How far an erasure is."""

    ASKED = "asked"
    ERASED = "erased"  # what was there is gone; what was on its way is looked for once more
    FINISHED = "finished"  # and the key is forgotten


class Counts(msgspec.Struct, kw_only=True):
    """What was erased."""

    requests: int = 0
    rows: int = 0  # of requests that hold other people's rows too
    segments: int = 0  # files of the hot log that were written anew
    archived: int = 0  # records of the archive that were removed or changed
    files: int = 0  # of the archive that were deleted
    labels: int = 0
    keys: int = 0  # of personal columns
    others: int = 0  # records with other people's rows that could not be kept
    copies_in: list[str] = []  # tables of PostgreSQL whose files may hold older copies of erased rows


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """One erasure. `subject`: the person, as a keyed hash."""

    id: int
    model: str
    subject: str
    reason: str
    asked_by: str
    asked_us: int
    erased_us: int | None
    state: ErasureState
    counts: Counts


Also = Callable[[sa.Connection, str, int, list[int], int], None]


@dataclass(frozen=True)
class Ground:
    """Where to erase. `also`: told before the requests go and in the transaction that ends the erasure (model, erasure, times
    of these requests, now); `touched`: further tables in which something of them may have been."""

    home: Home
    blobs: Blobs
    db: Database
    clock: Clock
    also: Also = lambda *_: None
    touched: tuple[str, ...] = ()


def ask(tx: sa.Connection, home: Home, model: str, key: str, *, reason: str, by: str, at_us: int) -> Erasure:
    """Put an erasure on record, in the caller's transaction. The same person twice: what is under way is returned.

    Raises InvalidInput for an empty key or reason, and for a reason that names the key: reasons are kept for ever.
    """
    if not key.strip() or not reason.strip():
        raise InvalidInput("an erasure needs a key and a reason", fix="--key KEY --reason 'why'")
    if key.strip() in reason:
        raise InvalidInput("the reason names the key, and reasons are kept", fix="say why without saying who")
    subject = subject_of(log_secret(home.secrets), model, key)
    c = log_erasures.c
    running = tx.execute(
        sa.select(log_erasures).where(c.model == model, c.subject == subject, c.state == ErasureState.ASKED)
    ).first()
    if running is not None:
        return _read(running)
    values = {"model": model, "subject": subject, "key": key, "reason": reason.strip(), "asked_by": by,
              "asked_us": at_us, "state": ErasureState.ASKED, "counts": "{}"}  # fmt: skip
    number = tx.execute(sa.insert(log_erasures).values(values)).inserted_primary_key[0]  # type: ignore[index]
    audit.append(tx, at_us=at_us, actor=by, action="log:person:erasing", subject=model,
                 details={"erasure": number, "person": subject, "reason": reason.strip()})  # fmt: skip
    return get(tx, number)


def get(tx: sa.Connection, number: int) -> Erasure:
    """An erasure by its number."""
    return _read(_row(tx, number))


def key_of(tx: sa.Connection, number: int) -> str | None:
    """Whom an erasure is about, None when it is finished: then nobody knows any more."""
    key: str | None = tx.execute(
        sa.select(log_erasures.c.key).where(log_erasures.c.id == number)
    ).scalar_one()
    return key


def erasures_of(tx: sa.Connection, model: str) -> list[Erasure]:
    """Every erasure of a model, newest first."""
    c = log_erasures.c
    return [
        _read(row)
        for row in tx.execute(sa.select(log_erasures).where(c.model == model).order_by(c.id.desc()))
    ]


def due(tx: sa.Connection, now_us: int) -> list[int]:
    """Erasures that are to be carried out, or carried out once more."""
    c = log_erasures.c
    again = sa.and_(c.state == ErasureState.ERASED, c.erased_us < now_us - AGAIN_US)
    query = sa.select(c.id).where(sa.or_(c.state == ErasureState.ASKED, again)).order_by(c.id)
    return list(tx.execute(query).scalars())


def carry_out(
    ground: Ground, number: int, key_field: str | None, tell: Callable[..., None] = lambda *_: None,
    patience_s: float = PATIENCE_S,
) -> Erasure:  # fmt: skip
    """Erase what is there now. May die at any point and be called again. `key_field`: the column that holds keys.

    Raises Conflict when the archiver does not let go in time, Unavailable when a writer does not end its segment or the
    archive cannot be reached: then the erasure stays asked for, and the archiver tries again.
    """
    with ground.db.read() as tx:
        row = _row(tx, number)
    if row.state == ErasureState.FINISHED:
        return _read(row)
    tell("waiting for open segments", 0, 0)
    end_segments(ground.home.log)
    lock = _held(ground.home.log, patience_s)
    try:
        with ground.db.read() as tx:
            there = _row(tx, number)
        if there.state != row.state:  # another process carried it out while this one waited
            return _read(there)
        _erase(ground, row, key_field, tell)
    finally:
        os.close(lock)
    return sweep(ground, number)


def _erase(
    ground: Ground, row: sa.Row[tuple[object, ...]], key_field: str | None, tell: Callable[..., None]
) -> None:
    counts = msgspec.json.decode(row.counts, type=Counts)
    tell("looking for the person", 0, 0)
    gone, times = find(ground.home, ground.blobs, row.model, row.key, key_field)
    counts.requests += sum(rows is None for rows in gone.values())
    counts.rows += sum(len(rows) for rows in gone.values() if rows is not None)
    tell("erasing", 0, 0)
    with ground.db.write() as tx:  # first: who is killed from here on finds these requests no more
        counts.labels += _let_go(ground, tx, row, (gone, times), key_field)
    hot = erase_in_segments(ground.home.log, row.model, gone)
    counts.segments += hot.segments
    counts.others += hot.others
    archive = Archive(ground.home.log, ground.blobs)
    table = erase_in_table(archive, row.model, gone)
    counts.archived += table.removed + table.changed
    counts.files += drop_old_files(archive)
    take_in(ground.home.log, ground.db, ended_only=False)
    _done(ground, row, (gone, times), counts, key_field)


def _held(log: Path, patience_s: float) -> int:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return hold(log)
        except Conflict:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _done(
    ground: Ground, row: sa.Row[tuple[object, ...]], found: tuple[dict[str, Gone], list[int]], counts: Counts,
    key_field: str | None,
) -> None:  # fmt: skip
    again, now_us = row.state == ErasureState.ERASED, ground.clock.now_us()
    with ground.db.write() as tx:
        counts.labels += _let_go(ground, tx, row, found, key_field)
        c = log_keys.c
        counts.keys += tx.execute(
            sa.delete(log_keys).where(c.model == row.model, c.subject == row.subject)
        ).rowcount
        counts.copies_in = tables_with_copies(ground.db, _swept(ground))  # until `sweep` was there
        state = ErasureState.FINISHED if again else ErasureState.ERASED
        values = {"state": state, "erased_us": now_us, "counts": msgspec.json.encode(counts).decode()}
        tx.execute(
            sa.update(log_erasures)
            .where(log_erasures.c.id == row.id)
            .values({**values, **({"key": None} if again else {})})
        )
        said = {name: count for name, count in msgspec.structs.asdict(counts).items() if name != "copies_in"}
        audit.append(tx, at_us=now_us, actor=row.asked_by, action=f"log:person:{state}", subject=row.model,
                     details={"erasure": row.id, "person": row.subject, **said})  # fmt: skip


def sweep(ground: Ground, number: int) -> Erasure:
    """Have the database let go of older copies of what was erased, and put on record where it could not."""
    left = forget_deleted(ground.db, _swept(ground))
    with ground.db.write() as tx:
        return _note_copies(tx, number, left)


def sweep_again(ground: Ground) -> list[Erasure]:
    """Try again for finished erasures of which older copies may be left: each table once, for all of them."""
    with ground.db.read() as tx:
        waiting = {number: {*get(tx, number).counts.copies_in} for number in unswept(tx)}
    if not waiting:
        return []
    wanted = set().union(*waiting.values())
    left = forget_deleted(ground.db, [table for table in _swept(ground) if table in wanted])
    with ground.db.write() as tx:  # what is noted of values is about all tables, and changes with each
        return [_note_copies(tx, number, [table for table in left if table in {*held, STATISTICS}])
                for number, held in waiting.items()]  # fmt: skip


def unswept(tx: sa.Connection) -> list[int]:
    """Erasures that are finished, of which older copies of rows may be left in the database's files."""
    c = log_erasures.c
    finished = tx.execute(sa.select(log_erasures).where(c.state == ErasureState.FINISHED).order_by(c.id))
    return [row.id for row in finished if _read(row).counts.copies_in]


def _swept(ground: Ground) -> list[str]:
    return [*(table.name for table in (labels, log_keys, log_erasures)), *ground.touched]


def _note_copies(tx: sa.Connection, number: int, left: list[str]) -> Erasure:
    done = get(tx, number)
    if done.counts.copies_in != left:
        done.counts.copies_in = left
        values = {"counts": msgspec.json.encode(done.counts).decode()}
        tx.execute(sa.update(log_erasures).where(log_erasures.c.id == number).values(values))
    return done


def _let_go(
    ground: Ground, tx: sa.Connection, row: sa.Row[tuple[object, ...]], found: tuple[dict[str, Gone], list[int]],
    key_field: str | None,
) -> int:  # fmt: skip
    """Erase what hangs on the person's requests: before these go, and again for what came meanwhile. Returns how many labels."""
    gone, times = found
    overwrite_deleted(tx)
    ground.also(tx, row.model, row.id, times, ground.clock.now_us())
    return forget_labels(tx, row.model, row.key, key_field, gone)


def _row(tx: sa.Connection, number: int) -> sa.Row[tuple[object, ...]]:
    return tx.execute(sa.select(log_erasures).where(log_erasures.c.id == number)).one()


def _read(row: sa.Row[tuple[object, ...]]) -> Erasure:
    values = {
        name: getattr(row, name) for name in Erasure.__struct_fields__ if name not in ("counts", "state")
    }
    counts = msgspec.json.decode(row.counts, type=Counts)
    return Erasure(**values, state=ErasureState(row.state), counts=counts)
