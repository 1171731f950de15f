"""Erasing in the archive: rows go in one commit, then the files that held them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lockgate.predictions.flat import flat, record_of
from lockgate.predictions.record import Offset
from lockgate.predictions.removal import Gone, change
from lockgate.predictions.table import Archive, properties, unreadable_is_said

_WHERE = ("model", "day", "segment", "position", "place")
_CHANGED = ("inputs", "outputs", "sealed", "erased", "rows")


@dataclass(frozen=True)
class ErasedRows:
    """What was done to the table, in records."""

    removed: int = 0
    changed: int = 0


def erase_in_table(archive: Archive, model: str, gone: Mapping[str, Gone]) -> ErasedRows:
    """Take requests (by id), or rows of them, and the shadow answers to them out of the table. One commit, or none."""
    look = archive.look()
    rows = look.rows()
    if look.table is None or rows is None or not gone:
        return ErasedRows()
    names = list(gone)
    touched = pl.col("id").is_in(names) | pl.col("of").is_in(names)
    with unreadable_is_said():
        found = rows.filter((pl.col("model") == model) & touched).collect(engine="streaming")
    if found.is_empty():
        return ErasedRows()
    source = _source(found, gone)
    with unreadable_is_said():
        merge = look.table.merge(
            source,
            predicate=" and ".join(f"s.{name} = t.{name}" for name in _WHERE),
            source_alias="s",
            target_alias="t",
            merge_schema=True,  # a table that is older than a column
            writer_properties=properties(),
        )
        merge = merge.when_matched_delete(predicate="s.gone = true")
        merge.when_matched_update(
            {name: f"s.{name}" for name in _CHANGED}, predicate="s.gone = false"
        ).execute()
    removed = int(source["gone"].sum())
    return ErasedRows(removed, source.height - removed)


def drop_old_files(archive: Archive) -> int:
    """Delete every file that the newest version of the table does not need; returns how many.

    Whoever reads an older version just then is told that the archive cannot be read, and asks again.
    """
    table = archive.look().table
    if table is None:
        return 0
    with unreadable_is_said():
        return len(table.vacuum(retention_hours=0, enforce_retention_duration=False, dry_run=False))


def _source(found: pl.DataFrame, gone: Mapping[str, Gone]) -> pl.DataFrame:
    """The rows to merge: where each record stands, whether it goes, and what is left of it."""
    parts = []
    for row in found.iter_rows(named=True):
        record = record_of(row)
        new = change(record, gone)
        shown = flat([(record if new is None else new, Offset(row["segment"], row["position"]))])
        parts.append(shown.with_columns(place=pl.lit(row["place"]), gone=pl.lit(new is None)))
    return pl.concat(parts).select(*_WHERE, *_CHANGED, "gone")
