"""Two versions of a table side by side: columns, types, what moved, rows that came and went. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.datasets.counted import counted
from lockgate.datasets.expectations import kind_of
from lockgate.datasets.pieces import Table, table_of
from lockgate.errors import InvalidInput
from lockgate.stats.distances import ks

MOST_STRANGE = 20  # new values that are named


class ColumnDiff(msgspec.Struct, frozen=True, kw_only=True):
    """One column. `change`: same, added, removed, type, moved; `distance`: Kolmogorov and Smirnov's for numbers, for others the
    total variation of the values' shares; both 0..1. `missing`: shares before and after.
    """

    name: str
    change: str
    before: str = ""
    after: str = ""
    distance: float | None = None
    missing: tuple[float, float] | None = None
    strange: tuple[str, ...] = ()  # values that are new


class TableDiff(msgspec.Struct, frozen=True, kw_only=True):
    """`before` and `after`: names of the versions. Rows are told apart by all shared columns, or by `key`."""

    before: str
    after: str
    rows_before: int
    rows_after: int
    shared: int
    gone: int
    come: int
    changed: int | None  # rows with the same key and other values; None without a key
    columns: tuple[ColumnDiff, ...]


def diff_tables(
    old: pl.DataFrame | Path | Table,
    new: pl.DataFrame | Path | Table,
    names: tuple[str, str],
    key: str | None = None,
) -> TableDiff:
    """What changed from one table to the other. Raises InvalidInput for a key that one of them lacks."""
    before, after = table_of(old), table_of(new)
    shared = [name for name in before.columns if name in after.schema]
    if key is not None and key not in shared:
        raise InvalidInput(f"'{key}' is not a column of both versions", allowed=", ".join(shared))
    columns = [_column(before, after, name) for name in dict.fromkeys((*before.columns, *after.columns))]
    both = rows_in(before, after, [key] if key else shared)
    changed = None if key is None else max(0, both - rows_in(before, after, shared))
    return TableDiff(before=names[0], after=names[1], rows_before=before.rows, rows_after=after.rows, shared=both,
                     gone=before.rows - both, come=after.rows - both, changed=changed, columns=tuple(columns))  # fmt: skip


def worst_first(found: TableDiff) -> list[ColumnDiff]:
    """Columns that changed, what changed most first."""
    order = {"removed": 3.0, "type": 2.0, "added": 1.5}
    return sorted(
        (each for each in found.columns if each.change != "same"),
        key=lambda each: -(order.get(each.change, 0.0) or (each.distance or 0.0)),
    )


def rows_in(
    rows: pl.DataFrame | Path | Table,
    table: pl.DataFrame | Path | Table,
    columns: Sequence[str] | None = None,
) -> int:
    """How many of some rows a table holds, each as often as it is there, by their values in `columns` (all of the rows').

    Takes 12 bytes for each different row of both.
    """
    asked, held = table_of(rows), table_of(table)
    by = asked.columns if columns is None else list(columns)
    common = _hashes(asked, by).join(_hashes(held, by), on="row", how="inner")
    return int(common.select(pl.min_horizontal("n", "n_right").sum()).item() or 0)


def _hashes(table: Table, columns: list[str]) -> pl.DataFrame:
    """Rows by a hash of their values as text, with how often each is there."""
    found = pl.DataFrame(schema={"row": pl.UInt64, "n": pl.UInt32})
    texts = [
        pl.col(name).cast(pl.String, strict=False).fill_null("\0")
        for name in columns
        if not table.schema[name].is_nested()
    ]
    for piece in table.pieces(columns) if texts else ():
        rows = piece.select(pl.struct(texts).hash(seed=0).alias("row")).group_by("row")
        found = pl.concat([found, rows.agg(pl.len().cast(pl.UInt32).alias("n"))])
        found = found.group_by("row").agg(pl.col("n").sum())
    return found


def _column(before: Table, after: Table, name: str) -> ColumnDiff:
    old, new = before.schema.get(name), after.schema.get(name)
    if old is None or new is None:
        change = "removed" if new is None else "added"
        return ColumnDiff(name=name, change=change, before=str(old or ""), after=str(new or ""))
    kinds = (str(old), str(new))
    if kind_of(kinds[0]) != kind_of(kinds[1]):
        return ColumnDiff(name=name, change="type", before=kinds[0], after=kinds[1])
    shares = tuple(
        sum(each.null_count() for each in table.column(name)) / max(table.rows, 1)
        for table in (before, after)
    )
    missing = (shares[0], shares[1])
    distance, strange = _distance(before, after, name)
    moved = (distance or 0.0) > 0 or missing[0] != missing[1] or bool(strange)
    return ColumnDiff(name=name, change="moved" if moved else "same", before=kinds[0], after=kinds[1], distance=distance,
                      missing=missing, strange=strange)  # fmt: skip


def _distance(before: Table, after: Table, name: str) -> tuple[float | None, tuple[str, ...]]:
    kind = before.schema[name]
    if kind.is_nested():
        return None, ()
    if kind.is_numeric() or kind.is_temporal():
        left, right = (
            np.concatenate([_numbers(each) for each in table.column(name)]) for table in (before, after)
        )
        return (float(ks(left, right).value), ()) if left.size and right.size else (None, ())
    found = [counted(table.column(name)) for table in (before, after)]
    both = found[0].values.join(found[1].values, on="value", how="full", coalesce=True).fill_null(0)
    totals = [max(table.rows - each.missing, 1) for table, each in zip((before, after), found, strict=True)]
    apart = (both["count"] / totals[0] - both["count_right"] / totals[1]).abs().sum()
    new = both.filter(pl.col("count") == 0)["value"] if found[0].whole else pl.Series(dtype=pl.String)
    return min(0.5 * float(apart), 1.0), tuple(new.sort().head(MOST_STRANGE).to_list())


def _numbers(series: pl.Series) -> np.ndarray:
    values = series.to_physical().cast(pl.Float64).drop_nulls()
    return values.filter(values.is_finite()).to_numpy()
