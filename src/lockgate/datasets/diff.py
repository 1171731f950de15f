"""Two versions of a table side by side: columns, types, what moved, rows that came and went. Pure."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from lockgate.datasets.expectations import kind_of
from lockgate.errors import InvalidInput
from lockgate.stats.distances import ks

LOOK = 0.1  # a distance from which on people look


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
    before: pl.DataFrame, after: pl.DataFrame, names: tuple[str, str], key: str | None = None
) -> TableDiff:
    """What changed from one table to the other. Raises InvalidInput for a key that one of them lacks."""
    shared = [name for name in before.columns if name in after.columns]
    if key is not None and key not in shared:
        raise InvalidInput(f"'{key}' is not a column of both versions", allowed=", ".join(shared))
    columns = [_column(before, after, name) for name in dict.fromkeys((*before.columns, *after.columns))]
    by = [key] if key else shared
    both = rows_in(before.select(by), after.select(by))
    changed = None if key is None else max(0, both - rows_in(before.select(shared), after.select(shared)))
    return TableDiff(before=names[0], after=names[1], rows_before=before.height, rows_after=after.height, shared=both,
                     gone=before.height - both, come=after.height - both, changed=changed, columns=tuple(columns))  # fmt: skip


def worst_first(found: TableDiff) -> list[ColumnDiff]:
    """Columns that changed, what changed most first."""
    order = {"removed": 3.0, "type": 2.0, "added": 1.5}
    return sorted(
        (each for each in found.columns if each.change != "same"),
        key=lambda each: -(order.get(each.change, 0.0) or (each.distance or 0.0)),
    )


def rows_in(rows: pl.DataFrame, table: pl.DataFrame) -> int:
    """How many of some rows a table of the same columns holds, by all their values."""
    common = _hashes(rows, rows.columns).join(_hashes(table, rows.columns), on="row", how="inner")
    return int(common.select(pl.min_horizontal("n", "n_right").sum()).item() or 0)


def _hashes(frame: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """Rows by a hash of their values as text, with how often each is there."""
    if not columns:
        return pl.DataFrame(schema={"row": pl.UInt64, "n": pl.UInt32})
    texts = [
        pl.col(name).cast(pl.String, strict=False).fill_null("\0")
        for name in columns
        if not frame[name].dtype.is_nested()
    ]
    rows = frame.select(pl.struct(texts).hash(seed=0).alias("row"))
    return rows.group_by("row").agg(pl.len().alias("n"))


def _column(before: pl.DataFrame, after: pl.DataFrame, name: str) -> ColumnDiff:
    if name not in after.columns:
        return ColumnDiff(name=name, change="removed", before=str(before[name].dtype))
    if name not in before.columns:
        return ColumnDiff(name=name, change="added", after=str(after[name].dtype))
    old, new = before[name], after[name]
    kinds = (str(old.dtype), str(new.dtype))
    if kind_of(kinds[0]) != kind_of(kinds[1]):
        return ColumnDiff(name=name, change="type", before=kinds[0], after=kinds[1])
    missing = (old.null_count() / max(len(old), 1), new.null_count() / max(len(new), 1))
    distance, strange = _distance(old, new)
    moved = (distance or 0.0) > 0 or missing[0] != missing[1] or bool(strange)
    return ColumnDiff(name=name, change="moved" if moved else "same", before=kinds[0], after=kinds[1], distance=distance,
                      missing=missing, strange=strange)  # fmt: skip


def _distance(old: pl.Series, new: pl.Series) -> tuple[float | None, tuple[str, ...]]:
    if old.dtype.is_nested():
        return None, ()
    if old.dtype.is_numeric() or old.dtype.is_temporal():
        left, right = (_numbers(each) for each in (old, new))
        return (float(ks(left, right).value), ()) if left.size and right.size else (None, ())
    left_n, right_n = (
        dict(each.cast(pl.String).drop_nulls().value_counts().iter_rows()) for each in (old, new)
    )
    total_left, total_right = max(sum(left_n.values()), 1), max(sum(right_n.values()), 1)
    values = set(left_n) | set(right_n)
    distance = 0.5 * sum(abs(left_n.get(v, 0) / total_left - right_n.get(v, 0) / total_right) for v in values)
    return float(distance), tuple(sorted(set(right_n) - set(left_n))[:20])


def _numbers(series: pl.Series) -> np.ndarray:
    values = series.to_physical().cast(pl.Float64).drop_nulls()
    return values.filter(values.is_finite()).to_numpy()
