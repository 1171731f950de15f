"""Questions to the log: a row per predicted row, hot and archived as one, in constant memory where it can be.

`frames` gives the rows stretch by stretch and so never holds them all; `frame` puts them together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import polars as pl

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import NotFound
from lockgate.predictions.condition import Condition
from lockgate.predictions.expand import alike, expand
from lockgate.predictions.flat import SCHEMA, flat, record_of
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.labels import attach, key_texts, latest_labels
from lockgate.predictions.record import Kind, Record
from lockgate.predictions.stored import FIRST_ROWS, Asked, Stored
from lockgate.registry.store import get_model

PREDICTED = (Kind.ANSWER, Kind.BATCH)
MOST_PICKED = 10_000  # newest records that are picked out of the hot log before they become rows
_PACKED = ("inputs", "outputs", "sealed", "erased")
_EARLY = {*SCHEMA, "at"} - {*_PACKED}  # what a record tells before its rows are made


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
    without inputs and outputs. With `database` a column `label` is joined, personal inputs are readable, and rows whose
    request has no key of its own have that of the model's key column. Raises InvalidInput for a condition that cannot be
    understood, Unavailable when the archive cannot be read.
    """
    asked = Asked(model, since_us, until_us, version, tuple(kinds))
    known = _known(home, model, database)
    condition = Condition(where, early=known.early)
    plain = limit if limit is not None and not where and limit <= MOST_PICKED else None
    found: list[pl.DataFrame] = []
    height = 0
    with Stored(home.log, blobs, asked, newest=plain) as stored:
        first = FIRST_ROWS if limit is None or where else min(limit, FIRST_ROWS)
        windows = stored.windows(newest_first=limit is not None, first_rows=first)
        for part in _shaped(windows, model, known, condition):
            found.append(part)
            height += part.height
            if limit is not None and height >= limit:
                break
    condition.check()
    if not found:
        found = list(_shaped([flat([])], model, known, condition))
    whole = join(found[::-1] if limit is not None else found)
    return whole.tail(limit) if limit is not None else whole


def frames(
    home: Home,
    blobs: Blobs,
    asked: Asked,
    *,
    where: str | None = None,
    database: Database | None = None,
    newest_first: bool = False,
    first_rows: int | None = None,
) -> Iterator[tuple[pl.DataFrame, int, int]]:
    """The same rows stretch by stretch, oldest first, with how many rows were read so far and how many there are.

    `newest_first` turns the stretches round, each in order of time as ever; `first_rows`: of the first stretch, where rows are
    large.

    Frames may differ in their columns, as versions do; when nothing is found there is one without rows. Raises as `frame`
    does, for an unknown column at the end.
    """
    known = _known(home, asked.model, database)
    condition = Condition(where, early=known.early)
    done = 0
    with Stored(home.log, blobs, asked) as stored:
        for window in stored.windows(newest_first=newest_first, first_rows=first_rows):
            done += int(window["rows"].clip(1).sum())
            for rows in _shaped([window], asked.model, known, condition):
                yield rows, done, stored.height
    if not done:
        yield next(_shaped([flat([])], asked.model, known, condition)), 0, 0
    condition.check()


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
    """The records themselves, oldest first, exactly as they were written: for replay, however many there are."""
    asked = Asked(model, since_us, until_us, version, tuple(kinds))
    with Stored(home.log, blobs, asked) as stored:
        for window in stored.windows():
            yield from map(record_of, window.iter_rows(named=True))


def join(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Frames of unlike columns below each other: what one lacks is null there, unlike types become text."""
    return pl.concat(alike(parts), how="diagonal_relaxed")


@dataclass(frozen=True)
class _Known:
    """What the database adds to a model's rows: labels, the keys of personal inputs, and which input is the business key."""

    labels: pl.DataFrame | None = None
    keys: Keyring | None = None
    key_field: str | None = None

    @property
    def early(self) -> set[str]:
        """What a record tells before its rows are made."""
        return _EARLY if self.key_field is None else _EARLY - {"key"}

    def add(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows with keys out of their key column, where their record has none, and with labels."""
        column = f"in.{self.key_field}"
        if self.key_field is not None and column in rows.columns:
            rows = rows.with_columns(key=rows["key"].fill_null(key_texts(rows[column])))
        return attach(rows, self.labels) if self.labels is not None else rows


def _known(home: Home, model: str | None, database: Database | None) -> _Known:
    if database is None or model is None:
        return _Known()
    key_field = None
    with database.read() as tx:
        with suppress(NotFound):  # the log may hold records of a model of another registry
            key_field = get_model(tx, model).settings.key
        return _Known(latest_labels(tx, model), Keyring(home, database), key_field)


def _shaped(
    windows: Iterable[pl.DataFrame], model: str | None, known: _Known, condition: Condition
) -> Iterator[pl.DataFrame]:
    """Records as predicted rows that meet the condition, with labels where they are known."""
    at = pl.from_epoch("at_us", time_unit="us").dt.replace_time_zone("UTC").alias("at")
    for window in windows:
        timed = window.with_columns(at)
        if condition.early:
            timed = condition.filter(timed)
        if known.keys is not None:
            timed = known.keys.open_rows(timed)
        rows = known.add(timed.drop(*_PACKED) if model is None else expand(timed))
        yield rows if condition.early else condition.filter(rows)
