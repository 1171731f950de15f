"""Columns of times: read as moments of UTC, and written on as a table writes them. Pure."""

from __future__ import annotations

import datetime as dt

import polars as pl

from lockgate.errors import Conflict

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


def is_iso(series: pl.Series) -> bool:
    """Whether a column's texts are times as ISO writes them, by the first: others polars may read, and a cut does not.

    >>> is_iso(pl.Series([None, "2012-01-02 10:00"])), is_iso(pl.Series(["02.01.2012"]))
    (True, False)
    """
    if series.dtype != pl.String:
        return True
    try:
        dt.datetime.fromisoformat(next(iter(series.drop_nulls().head(1)), "").replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


def moments_like(at_us: pl.Series, like: pl.Series) -> pl.Series:
    """Microseconds of UTC as a table's column writes its times, under its name."""
    times = at_us.cast(pl.Int64).cast(pl.Datetime("us"))
    if like.dtype == pl.String:
        return times.dt.to_string(_written(like)).alias(like.name)
    if isinstance(like.dtype, pl.Datetime) and like.dtype.time_zone:
        times = times.dt.replace_time_zone("UTC").dt.convert_time_zone(like.dtype.time_zone)
    return times.cast(like.dtype).alias(like.name)


def moment_text(at_us: int) -> str:
    """Microseconds of UTC as ISO text without a zone.

    >>> moment_text(1_320_105_600_000_000)
    '2011-11-01T00:00:00'
    """
    return dt.datetime.fromtimestamp(at_us / 1e6, tz=dt.UTC).replace(tzinfo=None).isoformat()


def _written(like: pl.Series) -> str:
    """How texts of a column write a time: readers take one way for all rows."""
    first = next(iter(like.drop_nulls().head(1)), "")
    if len(first) == DATE_LETTERS:
        return "%Y-%m-%d"
    zone = next((end for end in ("Z", "+00:00") if first.endswith(end)), "")
    return f"%Y-%m-%d{'T' if 'T' in first else ' '}%H:%M:%S{zone}"


def newest_days(frame: pl.DataFrame, days: float, time: str | None) -> pl.DataFrame:
    """The rows of so many days up to the newest one; rows without a time are left out.

    Raises Conflict where nothing tells when a row was.
    """
    times = times_in(frame[time]) if time is not None and time in frame.columns else None
    newest = None if times is None else times.max()
    if times is None or not isinstance(newest, dt.datetime):
        raise Conflict(
            f"which rows are of the newest {days:g} days is not known: no column of their table tells when they were",
            got=f"time: {time}", allowed="a column of dates or times",
            fix="name it in lockgate.yaml (time: COLUMN), or take newest_days out of `retrain`",
        )  # fmt: skip
    return frame.filter(times > newest - dt.timedelta(days=days))
