"""Which requests hold a person, and the labels that hang on them."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl
import sqlalchemy as sa

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.predictions.flat import record_of
from lockgate.predictions.record import Kind
from lockgate.predictions.removal import Gone, rows_of
from lockgate.predictions.stored import Asked, Stored
from lockgate.predictions.tables import labels


def find(
    home: Home, blobs: Blobs, model: str, key: str, key_field: str | None
) -> tuple[dict[str, Gone], list[int]]:
    """The requests (by id) that hold a person, and which of their rows (None: all of them); and the times of these requests."""
    times: list[int] = []
    gone: dict[str, Gone] = {}
    asked = Asked(model, kinds=(Kind.ANSWER, Kind.BATCH))
    several = (pl.col("rows") > 1) | pl.col("key").is_null()
    with Stored(home.log, blobs, asked) as stored:
        for window in stored.windows():
            for row in window.filter((pl.col("key") == key) | several).iter_rows(named=True):
                rows = rows_of(record_of(row), key, key_field)
                if rows is None or rows:
                    gone[row["id"]] = rows
                    times.append(row["at_us"])
    return gone, times


def forget_labels(
    tx: sa.Connection, model: str, key: str, key_field: str | None, gone: Mapping[str, Gone]
) -> int:
    """Delete labels given by the person's key, also as an input, by the ids of requests that are gone as a whole; how many."""
    c, by = labels.c, ("key", f"in.{key_field}")
    ids = [name for name, rows in gone.items() if rows is None]
    removed = tx.execute(
        sa.delete(labels).where(c.model == model, c.on_column.in_(by), c.value == key)
    ).rowcount
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        removed += tx.execute(
            sa.delete(labels).where(c.model == model, c.on_column == "id", c.value.in_(some))
        ).rowcount
    return int(removed)
