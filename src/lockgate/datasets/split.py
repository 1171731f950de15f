"""Parts of a table that a model may be judged on: no row, no subject and no moment on two sides. Pure.

By time: the last rows are the test rows, and rows of one moment stay together. By group: all rows of a subject are on one
side, drawn by a hash of the subject, so that a later version of the table keeps everybody where they were. Neither: by a hash
of the row.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
import polars as pl
from msgspec import Meta

from lockgate.datasets.pieces import ROWS_AT_ONCE, Table, table_of
from lockgate.errors import InvalidInput

Part = Annotated[float, Meta(gt=0, lt=1)]
HASH_RANGE = float(2**64)


class Split(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How to split. `test`, `validation`: shares of the rows; what is left is `train`. `gap_s`: rows of that many seconds before
    each later part are left out (labels that were not known yet). `time` and `group` together: subjects that are on both
    sides of a moment stay where their first row is, and their later rows are left out.
    """

    test: Part = 0.2
    validation: Annotated[float, Meta(ge=0, lt=1)] = 0.0
    time: str | None = None
    group: str | None = None
    gap_s: Annotated[float, Meta(ge=0)] = 0.0
    seed: int = 0


def split_table(frame: pl.DataFrame, how: Split) -> dict[str, pl.DataFrame]:
    """`train`, `validation` (when asked) and `test`, each in the table's own order.

    Raises InvalidInput for columns that are not there, times that cannot be read, and parts without rows.
    """
    return {name: frame.filter(pl.Series(mask)) for name, mask in _masks(table_of(frame), how).items()}


def split_file(path: Path, how: Split, into: Path) -> dict[str, Path]:
    """The same of a table in a Parquet file, which is never whole in memory: a Parquet file for each part, below `into`."""
    table = table_of(path)
    found = {}
    for name, mask in _masks(table, how).items():
        folder = into / name
        folder.mkdir(parents=True)
        start, written = 0, []
        for piece in table.pieces():
            part = piece.filter(pl.Series(mask[start : start + piece.height]))
            start += piece.height
            if part.height:
                written.append(folder / f"{start:012d}.parquet")
                part.write_parquet(written[-1])
        found[name] = into / f"{name}.parquet"
        parts = pl.scan_parquet(written, glob=False)
        parts.sink_parquet(found[name], compression="zstd", statistics=False, row_group_size=ROWS_AT_ONCE)
    return found


def _masks(table: Table, how: Split) -> dict[str, np.ndarray]:
    """Which rows are of which part."""
    if how.test + how.validation >= 1:
        raise InvalidInput(
            "nothing would be left to train on", got=f"test {how.test:g} and validation {how.validation:g}"
        )
    for name in (how.time, how.group):
        if name is not None and name not in table.schema:
            raise InvalidInput(f"there is no column '{name}'", allowed=", ".join(table.columns))
        missing = sum(each.null_count() for each in table.column(name)) if name is not None else 0
        if missing:
            raise InvalidInput(f"'{name}' misses values, so their rows have no side", got=f"{missing} rows",
                               fix=f"frame.drop_nulls({name!r}) first")  # fmt: skip
    sides = _by_time(table, how) if how.time is not None else _by_chance(table, how)
    found = {"train": sides == 0, "validation": sides == 1, "test": sides == 2}
    if not how.validation:
        del found["validation"]
    for name, mask in found.items():
        if not mask.any():
            raise InvalidInput(f"the part '{name}' would have no rows", got=f"{table.rows} rows in all",
                               fix="ask for a larger share, or a smaller gap")  # fmt: skip
    return found


def _by_chance(table: Table, how: Split) -> np.ndarray:
    """0 train, 1 validation, 2 test, by a hash of the group, or of all values: equal rows are on one side."""
    flat = [name for name, kind in table.schema.items() if not kind.is_nested()]
    texts = [pl.col(name).cast(pl.String, strict=False).fill_null("\0") for name in flat]
    key = pl.col(how.group).cast(pl.String) if how.group else pl.concat_str(texts, separator="\x1f")
    sides = []
    for piece in table.pieces([how.group] if how.group else None):
        keys = piece.select(key.alias("key")).to_series()
        drawn = {key: _draw(key, how.seed) for key in keys.unique().to_list()}
        chance = np.array([drawn[key] for key in keys.to_list()])
        sides.append(np.where(chance < how.test, 2, np.where(chance < how.test + how.validation, 1, 0)))
    return np.concatenate(sides).astype(np.int8)


def _draw(key: str, seed: int) -> float:
    """A number in [0, 1) that a text has for ever, on every machine: libraries' own hashes change with their versions."""
    digest = hashlib.blake2b(f"{seed}\x1f{key}".encode(), digest_size=8).digest()
    return float(int.from_bytes(digest, "little") / HASH_RANGE)


def _by_time(table: Table, how: Split) -> np.ndarray:
    """The same by moments: the latest are test rows. -1: left out."""
    moments = np.concatenate([seconds_of(each) for each in table.column(str(how.time))])
    ordered = np.sort(moments)
    rows = len(ordered)
    last = ordered[min(rows - 1, int(np.ceil(rows * (1 - how.test))))]
    middle = ordered[min(rows - 1, int(np.ceil(rows * (1 - how.test - how.validation))))]
    sides = (
        np.where(moments >= last, 2, np.where(moments >= middle, 1, 0))
        if how.validation
        else np.where(moments >= last, 2, 0)
    ).astype(np.int8)
    starts = [middle, last] if how.validation else [last]
    for start in starts:
        sides[(moments < start) & (moments >= start - how.gap_s) & (how.gap_s > 0)] = -1
    return sides if how.group is None else _without_later(table, how.group, sides)


def _without_later(table: Table, group: str, sides: np.ndarray) -> np.ndarray:
    """The sides with a subject's later rows left out: it stays where its first row is."""
    hashes = pl.concat([each.hash(seed=0) for each in table.column(group)])
    rows = pl.DataFrame({"group": hashes, "side": sides})
    least = rows.filter(pl.col("side") >= 0).group_by("group").agg(pl.col("side").min().alias("least"))
    kept = rows.join(least, on="group", how="left", maintain_order="left")["least"].fill_null(-1).to_numpy()
    return np.where(sides == kept, sides, -1).astype(np.int8)


def seconds_of(series: pl.Series) -> np.ndarray:
    """Moments as seconds: times, dates, numbers as they are, and text in ISO form. Raises InvalidInput."""
    if series.dtype.is_numeric():
        return series.cast(pl.Float64).to_numpy()
    if series.dtype == pl.String:
        try:
            series = series.str.to_datetime(strict=True)
        except pl.exceptions.PolarsError as error:
            raise InvalidInput(f"'{series.name}' holds text that is no time", got=str(series[0])[:60],
                               fix="write times as 2026-01-31T12:00:00") from error  # fmt: skip
    if not series.dtype.is_temporal():
        raise InvalidInput(f"'{series.name}' is no time", got=series.dtype)
    return series.cast(pl.Datetime("us")).dt.epoch("us").cast(pl.Float64).to_numpy() / 1e6
