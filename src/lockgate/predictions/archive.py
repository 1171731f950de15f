"""The archive: ended segments of the log as one Delta table, partitioned by model and day, each segment exactly once.

Every commit names, per writer, the newest segment that it holds (a Delta application transaction). Whoever dies
between commit and removal finds that name on the next start and does not commit again. A segment's file is removed
only when its rows are committed and every registered reader is past it.

Columns: those of `Record`, flat; `inputs` and `outputs` as msgpack of blocks (exact, and small); `segment`, `position`
and `place` say where in the log a record stood.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from lockgate.blobs import Blobs
from lockgate.db import Database
from lockgate.errors import Conflict
from lockgate.late import late
from lockgate.predictions.flat import SCHEMA, day_of, flat
from lockgate.predictions.log import LogReader
from lockgate.predictions.offsets import slowest
from lockgate.predictions.record import Kind
from lockgate.predictions.segment import HEADER, SUFFIX, is_ended
from lockgate.predictions.writers import claim, end_abandoned

if TYPE_CHECKING:
    import deltalake
else:
    deltalake = late("deltalake")

TABLE = "archive/predictions"
COMMIT_BYTES = 64 * 1024 * 1024  # of segments in one commit: bounds the memory


@dataclass(frozen=True)
class Archived:
    """What one pass did."""

    committed: tuple[str, ...]
    removed: tuple[str, ...]
    held_by: dict[str, list[str]]  # segment -> readers that are not past it


def archive(log: Path, blobs: Blobs, database: Database) -> Archived:
    """Commit every ended segment that is not in the table yet, then remove the files that nobody needs.

    Raises Conflict when another process archives this log now.
    """
    lock = claim(log)
    if lock is None:
        raise Conflict(
            f"another process archives the log {log} now", fix="one archiver is enough: let it run"
        )
    try:
        end_abandoned(log)
        committed = commit_ended(log, blobs)
        removed, held_by = remove_archived(log, blobs, database)
    finally:
        os.close(lock)
    return Archived(tuple(committed), tuple(removed), held_by)


def commit_ended(log: Path, blobs: Blobs) -> list[str]:
    """Put the rows of ended segments into the table, exactly once; returns the segments that were new."""
    table = open_table(blobs)
    done: list[str] = []
    pending = _ended(log, [name for name in LogReader(log).segments() if not is_archived(table, name)])
    while pending:
        group: list[str] = []
        size = 0
        while pending and (not group or size < COMMIT_BYTES):
            group.append(pending.pop(0))
            size += (log / f"{group[-1]}{SUFFIX}").stat().st_size
        _commit(blobs, log, group)
        done += group
    return done


def remove_archived(log: Path, blobs: Blobs, database: Database) -> tuple[list[str], dict[str, list[str]]]:
    """Remove the files of committed segments that every registered reader is past; and who holds up the others."""
    table = open_table(blobs)
    ends = {  # an archived segment is ended: its last frame ends where the mark begins
        segment: (log / f"{segment}{SUFFIX}").stat().st_size - HEADER.size
        for segment in LogReader(log).segments()
        if is_archived(table, segment)
    }
    with database.read() as tx:
        held_by = slowest(tx, ends)
    removed = [segment for segment in ends if segment not in held_by]
    for segment in removed:
        (log / f"{segment}{SUFFIX}").unlink(missing_ok=True)
    return removed, held_by


def compact(blobs: Blobs) -> None:
    """Join the small files of each partition, and delete those that no query has needed for a week."""
    table = open_table(blobs)
    if table is not None:
        table.optimize.compact()
        table.vacuum(dry_run=False)


def open_table(blobs: Blobs, version: int | None = None) -> deltalake.DeltaTable | None:
    """The table as it is now (or was at a version); None when nothing was archived yet."""
    uri = f"{blobs.url}/{TABLE}"
    return deltalake.DeltaTable(uri, version=version) if deltalake.DeltaTable.is_deltatable(uri) else None


def archived_requests(blobs: Blobs, version: int, model: str, since_us: int, newest: int) -> pl.DataFrame:
    """Callers' requests of a model in one version of the table, at most the `newest`; the same order at every call."""
    table = open_table(blobs, version)
    if table is None:
        return pl.DataFrame(schema=SCHEMA)
    wanted = (pl.col("model") == model) & (pl.col("day") >= day_of(since_us)) & (pl.col("at_us") >= since_us)
    found = pl.scan_delta(table).select(list(SCHEMA)).filter(wanted & (pl.col("kind") == Kind.ANSWER.value))
    return found.sort("at_us", "segment", "position", "place").tail(newest).collect()


def is_archived(table: deltalake.DeltaTable | None, segment: str) -> bool:
    """Whether a segment's rows are in this version of the table."""
    writer, number = _number(segment)
    newest = table.transaction_version(writer) if table is not None else None
    return newest is not None and newest >= number


def _ended(log: Path, segments: list[str]) -> list[str]:
    """The ended ones, of each writer up to the first that is not: its number stands for all before it."""
    found, waiting = [], set()
    for segment in segments:
        writer = _number(segment)[0]
        if writer not in waiting and is_ended(log / f"{segment}{SUFFIX}", segment):
            found.append(segment)
        else:
            waiting.add(writer)
    return found


def _commit(blobs: Blobs, log: Path, segments: list[str]) -> None:
    newest: dict[str, int] = {}
    for segment in segments:
        writer, number = _number(segment)
        newest[writer] = max(number, newest.get(writer, 0))
    deltalake.write_deltalake(
        f"{blobs.url}/{TABLE}",
        flat(LogReader(log).placed(segments)),
        mode="append",
        partition_by=["model", "day"],
        commit_properties=deltalake.CommitProperties(
            app_transactions=[deltalake.Transaction(writer, number) for writer, number in newest.items()]
        ),
    )


def _number(segment: str) -> tuple[str, int]:
    """The writer and the growing number in a segment's name."""
    writer, _, name = segment.partition("/")
    return writer, int(name.partition("-")[0])
