"""What a table's columns look like: kinds, missing values, ranges, histograms, most frequent values.

A profile is small, holds no row, and is kept beside a data set so that a later table can be compared with it.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

HISTOGRAM_BINS = 20
TOP_VALUES = 20
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)


class Numbers(msgspec.Struct, frozen=True):
    """A numeric column without its missing and infinite values. `counts[i]` lie between `edges[i]` and `edges[i+1]`."""

    mean: float
    deviation: float
    quantiles: tuple[float, ...]  # at QUANTILES
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    infinite: int


class ColumnProfile(msgspec.Struct, frozen=True):
    """One column. `top` are the most frequent values as text, with their rows; empty for numbers of many values."""

    name: str
    kind: str
    missing: int
    distinct: int
    top: tuple[tuple[str, int], ...] = ()
    numbers: Numbers | None = None


class Profile(msgspec.Struct, frozen=True):
    """A table: rows and one profile a column, in order."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        """The profile of that column, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


def profile(frame: pl.DataFrame) -> Profile:
    """Profile every column of a table."""
    return Profile(frame.height, tuple(_column(series) for series in frame.iter_columns()))


def _column(series: pl.Series) -> ColumnProfile:
    kind = str(series.dtype)
    if series.dtype.is_nested():
        return ColumnProfile(series.name, kind, int(series.null_count()), 0)
    numeric = series.dtype.is_numeric()
    if numeric:
        series = series.cast(pl.Float64).fill_nan(None)
    there = series.drop_nulls()
    distinct = int(there.n_unique())
    top: tuple[tuple[str, int], ...] = ()
    if not numeric or distinct <= TOP_VALUES:
        counts = there.value_counts().sort(["count", there.name], descending=[True, False]).head(TOP_VALUES)
        top = tuple((str(value), int(count)) for value, count in counts.iter_rows())
    numbers = _numbers(there.to_numpy()) if numeric and len(there) else None
    return ColumnProfile(series.name, kind, int(series.null_count()), distinct, top, numbers)


def _numbers(values: np.ndarray) -> Numbers | None:
    finite = values[np.isfinite(values)]
    if finite.size == 0:
        return None
    counts, edges = np.histogram(finite, bins=HISTOGRAM_BINS)
    return Numbers(
        mean=float(finite.mean()),
        deviation=float(finite.std()),
        quantiles=tuple(float(value) for value in np.quantile(finite, QUANTILES)),
        edges=tuple(float(edge) for edge in edges),
        counts=tuple(int(count) for count in counts),
        infinite=int(values.size - finite.size),
    )
