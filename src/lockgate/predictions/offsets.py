"""How far each registered reader of the log is. A segment is removed only when every one of them is past it."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from lockgate.predictions.tables import log_offsets, log_readers


def register_reader(tx: sa.Connection, name: str, now_us: int) -> None:
    """Make the log wait for this reader; does nothing when it is registered already.

    Without offsets a reader stands at the start of everything that is there.
    """
    known = tx.execute(sa.select(log_readers.c.name).where(log_readers.c.name == name)).first()
    if known is None:
        tx.execute(log_readers.insert().values(name=name, since_us=now_us, seen_us=now_us))


def remove_reader(tx: sa.Connection, name: str) -> None:
    """Let the log no longer wait for this reader."""
    tx.execute(log_offsets.delete().where(log_offsets.c.reader == name))
    tx.execute(log_readers.delete().where(log_readers.c.name == name))


def commit_offsets(tx: sa.Connection, name: str, offsets: Mapping[str, int], now_us: int) -> None:
    """Replace a registered reader's offsets, in the caller's transaction: together with what it made of the records."""
    tx.execute(log_offsets.delete().where(log_offsets.c.reader == name))
    rows = [{"reader": name, "segment": segment, "position": at} for segment, at in offsets.items()]
    if rows:
        tx.execute(log_offsets.insert(), rows)
    tx.execute(log_readers.update().where(log_readers.c.name == name).values(seen_us=now_us))


def offsets_of(tx: sa.Connection, name: str) -> dict[str, int]:
    """A reader's committed offsets; empty when it has none."""
    c = log_offsets.c
    return {
        row.segment: row.position
        for row in tx.execute(sa.select(c.segment, c.position).where(c.reader == name))
    }


def reader_names(tx: sa.Connection) -> list[str]:
    """All registered readers, sorted."""
    return list(tx.execute(sa.select(log_readers.c.name).order_by(log_readers.c.name)).scalars())


def slowest(tx: sa.Connection, segments: Mapping[str, int]) -> dict[str, list[str]]:
    """Which readers hold up which segments: segment -> readers that have not reached its end.

    `segments` maps each segment to the byte after its last frame. Segments that hold nobody up are left out.
    """
    c = log_offsets.c
    at = {
        (row.reader, row.segment): row.position
        for row in tx.execute(sa.select(c.reader, c.segment, c.position))
    }
    names = reader_names(tx)
    waiting = {
        segment: [name for name in names if at.get((name, segment), 0) < end]
        for segment, end in segments.items()
    }
    return {segment: held for segment, held in waiting.items() if held}
