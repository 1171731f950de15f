"""The archive: ended segments of the log as one Delta table, partitioned by model and day, each segment exactly once.

Every commit names, per writer of this box, the newest segment that it holds (a Delta application transaction). Whoever
dies between commit and removal finds that name on the next start and does not commit again. A segment's file is removed
only when its rows are committed and every registered reader is past it. Several boxes may write into one table.

Columns: those of `Record`, flat; `inputs` and `outputs` as msgpack of blocks (exact, and small); `segment`, `position`
and `place` say where in the log a record stood.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from lockgate.blobs import Blobs
from lockgate.db import Database
from lockgate.errors import Conflict
from lockgate.predictions.flat import chunks_of, flat
from lockgate.predictions.keyring import take_in
from lockgate.predictions.log import LogReader
from lockgate.predictions.offsets import slowest
from lockgate.predictions.segment import HEADER, SUFFIX, is_ended
from lockgate.predictions.table import Archive, append, number_of
from lockgate.predictions.writers import claim, end_abandoned

COMMIT_BYTES = 64 * 1024 * 1024  # of segments in one commit


@dataclass(frozen=True)
class Archived:
    """What one pass did."""

    committed: tuple[str, ...]
    removed: tuple[str, ...]
    held_by: dict[str, list[str]]  # segment -> readers that are not past it


def archive(log: Path, blobs: Blobs, database: Database) -> Archived:
    """Commit every ended segment that is not in the table yet, then remove the files that nobody needs.

    Raises Conflict when another process archives this log now, Unavailable when the store does not hold the table that
    this box has written into before.
    """
    lock = hold(log)
    try:
        end_abandoned(log)
        take_in(log, database)
        committed = commit_ended(log, blobs)
        removed, held_by = remove_archived(log, blobs, database)
    finally:
        os.close(lock)
    return Archived(tuple(committed), tuple(removed), held_by)


def hold(log: Path) -> int:
    """The handle that makes this process the one that may move and rewrite segments. Raises Conflict."""
    lock = claim(log)
    if lock is None:
        raise Conflict(
            f"another process archives the log {log} now", fix="one archiver is enough: let it run"
        )
    return lock


def commit_ended(log: Path, blobs: Blobs) -> list[str]:
    """Put the rows of ended segments into the table, exactly once; returns the segments that were new."""
    store = Archive(log, blobs)
    look = store.look()
    done: list[str] = []
    pending = _ended(log, [name for name in LogReader(log).segments() if not look.holds(name)])
    while pending:
        group: list[str] = []
        size = 0
        while pending and (not group or size < COMMIT_BYTES):
            group.append(pending.pop(0))
            size += (log / f"{group[-1]}{SUFFIX}").stat().st_size
        _commit(store, group)
        done += group
    return done


def remove_archived(log: Path, blobs: Blobs, database: Database) -> tuple[list[str], dict[str, list[str]]]:
    """Remove the files of committed segments that every registered reader is past; and who holds up the others."""
    look = Archive(log, blobs).look()
    ends = {  # an archived segment is ended: its last frame ends where the mark begins
        segment: (log / f"{segment}{SUFFIX}").stat().st_size - HEADER.size
        for segment in LogReader(log).segments()
        if look.holds(segment)
    }
    with database.read() as tx:
        held_by = slowest(tx, ends)
    removed = [segment for segment in ends if segment not in held_by]
    for segment in removed:
        (log / f"{segment}{SUFFIX}").unlink(missing_ok=True)
    return removed, held_by


def _ended(log: Path, segments: list[str]) -> list[str]:
    """The ended ones, of each writer up to the first that is not: its number stands for all before it."""
    found, waiting = [], set()
    for segment in segments:
        writer = number_of(segment)[0]
        if writer not in waiting and is_ended(log / f"{segment}{SUFFIX}", segment):
            found.append(segment)
        else:
            waiting.add(writer)
    return found


def _commit(store: Archive, segments: list[str]) -> None:
    newest: dict[str, int] = {}
    for segment in segments:
        writer, number = number_of(segment)
        newest[writer] = max(number, newest.get(writer, 0))
    placed = LogReader(store.log).placed(segments)
    append(store, (flat(chunk) for chunk in chunks_of(placed)), newest)
