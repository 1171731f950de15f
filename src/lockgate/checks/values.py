"""Columns as checks compare them: subjects as text, numbers as floats, times as seconds."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockgate.datasets.classes import class_names
from lockgate.errors import InvalidInput


def subject_names(series: pl.Series) -> np.ndarray:
    """Subjects as text, whatever their type: lists, bytes and durations as Python writes them; None where one is missing.

    >>> subject_names(pl.Series([[1, 2], None])).tolist(), subject_names(pl.Series([7.0])).tolist()
    (['[1, 2]', None], ['7'])
    """
    if not (series.dtype.is_nested() or series.dtype in (pl.Binary, pl.Duration, pl.Object)):
        return class_names(series)
    names = np.empty(len(series), dtype=object)
    names[:] = [None if value is None else repr(value) for value in series.to_list()]
    return names


def numbers_of(series: pl.Series) -> np.ndarray:
    """A column as floats of shape (n,), NaN where it is missing or no number."""
    if series.dtype.is_nested():
        return np.full(len(series), np.nan)
    return series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()


def times_of(series: pl.Series) -> np.ndarray:
    """A time column as seconds (floats, NaN where missing): dates, times, ISO text, or numbers as they are."""
    if series.dtype == pl.String:
        parsed = _parsed(series)
        if parsed is None:
            raise InvalidInput(f"column '{series.name}' holds no times that can be read",
                               got=repr(series.drop_nulls()[0]), allowed="2024-01-31 or 2024-01-31T12:00:00")  # fmt: skip
        series = parsed
    if series.dtype == pl.Date:
        series = series.cast(pl.Datetime("us"))
    if isinstance(series.dtype, pl.Datetime):
        return numbers_of(series.dt.cast_time_unit("us").to_physical()) / 1e6
    return numbers_of(series)


def _parsed(series: pl.Series) -> pl.Series | None:
    """Text as times, missing where one cannot be read; None when none can."""
    try:
        parsed = series.str.to_datetime(strict=False, time_unit="us", time_zone="UTC")
    except pl.exceptions.ComputeError:  # polars found no format that fits
        return None
    return None if parsed.null_count() == len(series) > series.null_count() else parsed
