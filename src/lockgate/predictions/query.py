"""Questions to the log: hot segments and archive as one, no record twice and none missing.

Hot segments are listed and read first, the archive's snapshot is taken after: what was archived in between is in the
snapshot, and what the snapshot holds is left out of the hot part.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.predictions.archive import is_archived, open_table
from lockgate.predictions.expand import expand
from lockgate.predictions.flat import SCHEMA, day_of, flat, record_of
from lockgate.predictions.labels import attach, latest_labels
from lockgate.predictions.log import LogReader
from lockgate.predictions.record import Kind, Offset, Record
from lockgate.predictions.segment import SUFFIX

PREDICTED = (Kind.ANSWER, Kind.BATCH)
_ORDER = ["at_us", "segment", "position", "place"]
_BLOCKS = {"inputs", "outputs"}
_PLACED_NAME = re.compile(r"""("[^"]*"|'[^']*')|\b(in|out)\.([A-Za-z_]\w*)""")


@dataclass(frozen=True)
class _Asked:
    """Which records are wanted."""

    model: str | None
    since_us: int | None
    until_us: int | None
    version: int | None
    kinds: tuple[Kind, ...]

    def __call__(self, record: Record) -> bool:
        """Whether a record is wanted."""
        return (
            record.kind in self.kinds
            and (self.model is None or record.model == self.model)
            and (self.since_us is None or record.at_us >= self.since_us)
            and (self.until_us is None or record.at_us < self.until_us)
            and (self.version is None or record.version == self.version)
        )

    def expression(self) -> pl.Expr:
        """The same, over the columns of the table."""
        tests = [pl.col("kind").is_in([kind.value for kind in self.kinds])]
        tests += [pl.col("model") == self.model] if self.model is not None else []
        tests += [pl.col("at_us") >= self.since_us] if self.since_us is not None else []
        tests += [pl.col("at_us") < self.until_us] if self.until_us is not None else []
        tests += [pl.col("version") == self.version] if self.version is not None else []
        tests += [pl.col("day") >= day_of(self.since_us)] if self.since_us is not None else []  # partitions
        tests += [pl.col("day") <= day_of(self.until_us)] if self.until_us is not None else []
        return pl.all_horizontal(tests)


def frame(
    home: Home,
    blobs: Blobs,
    model: str | None,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    where: str | None = None,
    version: int | None = None,
    kinds: Iterable[Kind] = PREDICTED,
    limit: int | None = None,
    database: Database | None = None,
) -> pl.DataFrame:
    """One row per predicted row, oldest first: the record's fields, `in.<name>`, `out.<name>`, and `at` as a time.

    Times are microseconds, `since_us` included, `until_us` not. `where` is an SQL expression over the columns, such as
    `status >= 400` or `in.age > 60 AND "out.p" < 0.1`. `limit`: the newest so many rows. `model` None: every model,
    without inputs and outputs. With `database` a column `label` is joined. Raises InvalidInput for a condition that
    cannot be understood.
    """
    condition = _condition(where)
    asked = _Asked(model, since_us, until_us, version, tuple(kinds))
    found = _stored(home, blobs, asked, newest=limit if condition is None else None)
    early = condition is not None and set(condition.meta.root_names()) <= {*SCHEMA, "at"} - _BLOCKS
    if early:
        found = _filter(found, condition, where)
    if limit is not None and (condition is None or early):
        found = found.tail(limit)
    rows = found.drop("inputs", "outputs") if model is None else expand(found)
    if database is not None and model is not None:
        with database.read() as tx:
            rows = attach(rows, latest_labels(tx, model))
    if not early:
        rows = _filter(rows, condition, where)
    return rows.tail(limit) if limit is not None else rows


def records(
    home: Home,
    blobs: Blobs,
    model: str | None,
    *,
    since_us: int | None = None,
    until_us: int | None = None,
    version: int | None = None,
    kinds: Iterable[Kind] = PREDICTED,
) -> Iterator[Record]:
    """The records themselves, oldest first, exactly as they were written: for replay."""
    found = _stored(home, blobs, _Asked(model, since_us, until_us, version, tuple(kinds)))
    return (record_of(row) for row in found.iter_rows(named=True))


def _stored(home: Home, blobs: Blobs, asked: _Asked, newest: int | None = None) -> pl.DataFrame:
    """Records as rows, archived and hot, in order of time; `newest`: no more than the newest so many are needed."""
    placed = _hot(home.log, asked)
    if newest is not None:
        placed = iter(heapq.nlargest(newest, placed, key=lambda one: one[0].at_us))
    hot = flat(sorted(placed, key=lambda one: one[1]))
    table = open_table(blobs)
    parts = []
    if table is not None:
        fresh = [name for name in hot["segment"].unique() if not is_archived(table, name)]
        hot = hot.filter(pl.col("segment").is_in(fresh))
        parts.append(pl.scan_delta(table).select(list(SCHEMA)).filter(asked.expression()))
    parts.append(hot.lazy())
    at = pl.from_epoch("at_us", time_unit="us").dt.replace_time_zone("UTC").alias("at")
    found = pl.concat(parts).sort(_ORDER).with_columns(at)
    return (found if newest is None else found.tail(newest)).collect()


def _hot(log: Path, asked: _Asked) -> Iterator[tuple[Record, Offset]]:
    """Wanted records of the segments that are files now. A file that vanishes meanwhile is in the archive."""
    reader = LogReader(log)
    for segment in reader.segments():
        try:
            if (log / f"{segment}{SUFFIX}").stat().st_mtime_ns // 1000 < (asked.since_us or 0):
                continue  # its last write was before
            for record, place in reader.placed([segment]):
                if asked(record):
                    yield record, place
        except FileNotFoundError:
            continue


def _condition(where: str | None) -> pl.Expr | None:
    if where is None or not where.strip():
        return None
    try:
        return pl.sql_expr(_PLACED_NAME.sub(lambda m: m[1] or f'"{m[2]}.{m[3]}"', where))
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            "the condition cannot be understood",
            got=where,
            allowed="one SQL expression, such as: status >= 400 AND in.age > 60",
        ) from error


def _filter(rows: pl.DataFrame, condition: pl.Expr | None, where: str | None) -> pl.DataFrame:
    if condition is None or rows.is_empty():
        return rows
    try:
        return rows.filter(condition)
    except pl.exceptions.ColumnNotFoundError as error:
        unknown = sorted(set(condition.meta.root_names()) - set(rows.columns))
        raise InvalidInput(
            f"the condition names a column that is not there: {', '.join(unknown)}",
            got=where,
            allowed=", ".join(rows.columns),
        ) from error
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            f"the condition cannot be applied: {str(error).splitlines()[0]}",
            got=where,
            fix="see the columns' types: lockgate log MODEL --json",
        ) from error
