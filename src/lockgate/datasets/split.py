"""Parts of a table that a model may be judged on: no row, no subject and no moment on two sides. Pure.

By time: the last rows are the test rows, and rows of one moment stay together. By group: all rows of a subject are on one
side, drawn by a hash of the subject, so that a later version of the table keeps everybody where they were. Neither: by a hash
of the row.
"""

from __future__ import annotations

import hashlib
from typing import Annotated

import msgspec
import numpy as np
import polars as pl
from msgspec import Meta

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
    if how.test + how.validation >= 1:
        raise InvalidInput(
            "nothing would be left to train on", got=f"test {how.test:g} and validation {how.validation:g}"
        )
    for name in (how.time, how.group):
        if name is not None and name not in frame.columns:
            raise InvalidInput(f"there is no column '{name}'", allowed=", ".join(frame.columns))
        if name is not None and frame[name].null_count():
            raise InvalidInput(f"'{name}' misses values, so their rows have no side", got=f"{frame[name].null_count()} rows",
                               fix=f".drop_nulls('{name}') first")  # fmt: skip
    sides = _by_time(frame, how) if how.time is not None else _by_chance(frame, how)
    parts = {"train": sides == 0, "validation": sides == 1, "test": sides == 2}
    found = {
        name: frame.filter(pl.Series(mask))
        for name, mask in parts.items()
        if name != "validation" or how.validation
    }
    for name, part in found.items():
        if part.height == 0:
            raise InvalidInput(f"the part '{name}' would have no rows", got=f"{frame.height} rows in all",
                               fix="ask for a larger share, or a smaller gap")  # fmt: skip
    return found


def _by_chance(frame: pl.DataFrame, how: Split) -> np.ndarray:
    """0 train, 1 validation, 2 test, by a hash of the group, or of all values: equal rows are on one side."""
    texts = [
        pl.col(name).cast(pl.String, strict=False).fill_null("\0")
        for name in frame.columns
        if not frame[name].dtype.is_nested()
    ]
    keys = frame.select(
        pl.col(how.group).cast(pl.String) if how.group else pl.concat_str(texts, separator="\x1f")
    ).to_series()
    drawn = {key: _draw(key, how.seed) for key in keys.unique().to_list()}
    chance = np.array([drawn[key] for key in keys.to_list()])
    return np.where(chance < how.test, 2, np.where(chance < how.test + how.validation, 1, 0))


def _draw(key: str, seed: int) -> float:
    """A number in [0, 1) that a text has for ever, on every machine: libraries' own hashes change with their versions."""
    digest = hashlib.blake2b(f"{seed}\x1f{key}".encode(), digest_size=8).digest()
    return float(int.from_bytes(digest, "little") / HASH_RANGE)


def _by_time(frame: pl.DataFrame, how: Split) -> np.ndarray:
    """The same by moments: the latest are test rows. -1: left out."""
    moments = seconds_of(frame[str(how.time)])
    ordered = np.sort(moments)
    rows = len(ordered)
    last = ordered[min(rows - 1, int(np.ceil(rows * (1 - how.test))))]
    middle = ordered[min(rows - 1, int(np.ceil(rows * (1 - how.test - how.validation))))]
    sides = (
        np.where(moments >= last, 2, np.where(moments >= middle, 1, 0))
        if how.validation
        else np.where(moments >= last, 2, 0)
    )
    starts = [middle, last] if how.validation else [last]
    for start in starts:
        sides[(moments < start) & (moments >= start - how.gap_s) & (how.gap_s > 0)] = -1
    if how.group is not None:
        first = frame.select(pl.col(how.group).alias("group")).with_columns(pl.Series("side", sides))
        least = first.filter(pl.col("side") >= 0).group_by("group").agg(pl.col("side").min().alias("least"))
        kept = first.join(least, on="group", how="left", maintain_order="left")["least"].to_numpy()
        sides = np.where(sides == kept, sides, -1)
    return sides


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
