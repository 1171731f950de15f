"""Columns of times: read as moments of UTC, and written on as a table writes them. Pure."""

from __future__ import annotations

import polars as pl

DATE_LETTERS = 10  # of 2026-03-01


def times_in(series: pl.Series) -> pl.Series | None:
    """A column as microseconds of UTC without a zone, null where a text cannot be read; None where it holds no times."""
    if series.dtype == pl.String:
        try:
            series = series.str.to_datetime(time_unit="us", strict=False)
        except pl.exceptions.ComputeError:  # polars found no format that fits
            return None
    elif series.dtype == pl.Date:
        series = series.cast(pl.Datetime("us"))
    if not isinstance(series.dtype, pl.Datetime):
        return None
    if series.dtype.time_zone:
        series = series.dt.convert_time_zone("UTC")
    return series.dt.replace_time_zone(None).dt.cast_time_unit("us")


def moments_like(at_us: pl.Series, like: pl.Series) -> pl.Series:
    """Microseconds of UTC as a table's column writes its times, under its name."""
    times = at_us.cast(pl.Int64).cast(pl.Datetime("us"))
    if like.dtype == pl.String:
        return times.dt.to_string(_written(like)).alias(like.name)
    if isinstance(like.dtype, pl.Datetime) and like.dtype.time_zone:
        times = times.dt.replace_time_zone("UTC").dt.convert_time_zone(like.dtype.time_zone)
    return times.cast(like.dtype).alias(like.name)


def _written(like: pl.Series) -> str:
    """How texts of a column write a time: readers take one way for all rows."""
    first = next(iter(like.drop_nulls().head(1)), "")
    if len(first) == DATE_LETTERS:
        return "%Y-%m-%d"
    zone = next((end for end in ("Z", "+00:00") if first.endswith(end)), "")
    return f"%Y-%m-%d{'T' if 'T' in first else ' '}%H:%M:%S{zone}"
