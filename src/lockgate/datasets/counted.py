"""How often each value of a column stands there, and how many different ones there are, in memory that does not grow with it.

While there are few values both are exact. Of very many, the rarest are let go of (Manku and Motwani 2002, Approximate frequency
counts over data streams, VLDB), and the number of different ones is estimated from the smallest of their hashes (Bar-Yossef et
al. 2002, Counting distinct elements in a data stream, RANDOM: an error of 1 / sqrt(MOST_HASHES)).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

MOST_VALUES = 200_000
MOST_BYTES = 64 << 20  # of all values that are counted: long texts are let go of sooner
MOST_HASHES = 1_000_000
HASH_RANGE = float(2**64)


@dataclass(frozen=True, eq=False)
class Counted:
    """A column's values as text with their rows, the most frequent first (`value`, `count`); `whole`: none was let go of.

    `distinct`: how many different ones; `missing`: rows without one.
    """

    values: pl.DataFrame
    whole: bool
    distinct: int
    missing: int


def counted(pieces: Iterable[pl.Series]) -> Counted:
    """Count a column, piece by piece; in a column of numbers NaN is missing."""
    values, whole, missing = _none(), True, 0
    hashes, full = np.zeros(0, dtype=np.uint64), False
    for series in pieces:
        there = (series.fill_nan(None) if series.dtype.is_float() else series).drop_nulls()
        missing += len(series) - len(there)
        found = text_of(there).alias("value").value_counts().cast({"count": pl.Int64})
        values = pl.concat([values, found]).group_by("value").agg(pl.col("count").sum())
        kept = _most_frequent(values)
        whole, values = whole and kept.height == values.height, kept
        hashes = np.unique(np.concatenate([hashes, there.unique().hash(seed=0).to_numpy()]))
        full, hashes = full or hashes.size > MOST_HASHES, hashes[:MOST_HASHES]
    distinct = hashes.size if not full else round((MOST_HASHES - 1) / (float(hashes[-1]) / HASH_RANGE))
    return Counted(
        values.sort(["count", "value"], descending=[True, False]), whole, int(distinct), int(missing)
    )


def text_of(series: pl.Series) -> pl.Series:
    """A column's values as they are written wherever values are named.

    >>> text_of(pl.Series([True, None])).to_list()
    ['true', None]
    """
    if series.dtype in (pl.Binary, pl.Object):
        return pl.Series(
            series.name,
            [None if value is None else repr(value) for value in series.to_list()],
            dtype=pl.String,
        )
    return series.cast(pl.String, strict=False)


def _most_frequent(values: pl.DataFrame) -> pl.DataFrame:
    """At most so many values, and bytes of them."""
    if values.height <= MOST_VALUES and values["value"].str.len_bytes().sum() <= MOST_BYTES:
        return values
    ordered = values.sort(["count", "value"], descending=[True, False]).head(MOST_VALUES // 2)
    fit = int((ordered["value"].str.len_bytes().cum_sum() <= MOST_BYTES // 2).sum())
    return ordered.head(max(fit, 1))


def _none() -> pl.DataFrame:
    return pl.DataFrame(schema={"value": pl.String, "count": pl.Int64})
