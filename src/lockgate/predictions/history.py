"""Recorded requests of the past, for a reader that takes them as they were archived when it began."""

from __future__ import annotations

import polars as pl

from lockgate.predictions.flat import SCHEMA, day_of
from lockgate.predictions.record import Kind
from lockgate.predictions.table import Archive, unreadable_is_said

_ORDER = ("at_us", "segment", "position", "place")


def archived_requests(archive: Archive, version: int, model: str, since_us: int, newest: int) -> pl.DataFrame:
    """Callers' requests of a model that this box had archived in one version of the table, at most the `newest`.

    The order is the same at every call. Rows are read from the table as it is now: what was erased or went with its time
    is not among them, so a count of rows taken before may then stand a few rows too far. Raises Unavailable.
    """
    before, now = archive.look(version), archive.look()
    rows = now.rows()
    if rows is None:
        return pl.DataFrame(schema=SCHEMA)
    mine = (pl.col("model") == model) & (pl.col("day") >= day_of(since_us)) & (pl.col("at_us") >= since_us)
    wanted = rows.filter(mine & (pl.col("kind") == Kind.ANSWER.value))
    with unreadable_is_said():
        names = wanted.select(pl.col("segment").unique()).collect(engine="streaming")["segment"].to_list()
        held = [name for name in names if before.holds(name)]
        found = wanted.filter(pl.col("segment").is_in(held)).sort(_ORDER).tail(newest)
        return found.collect()
