"""Part of the quality check: what can be wrong with the columns of one table."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.quality.alike import alike, copies
from lockgate.checks.quality.kinds import Trouble
from lockgate.checks.quality.numbers import days, numbers
from lockgate.checks.quality.personal import personal
from lockgate.checks.quality.text import text

_ROWS_TO_JUDGE = 20


def troubles_of(
    frame: pl.DataFrame, *, mostly_missing: float, correlation: float, key: str | None = None
) -> list[Trouble]:
    """Every trouble of every column; a column that is empty or constant is not looked at further.

    `correlation`: of two columns that say the same.
    """
    found: list[Trouble] = []
    sound = []
    for series in (each for each in frame.iter_columns() if not each.dtype.is_nested()):
        first = _empty_or_constant(series, mostly_missing)
        if first is not None:
            found.append(first)
        if first is None or first.kind == "missing":
            sound.append(series)
    for series in sound:
        found += _values(series)
        found += _names_rows(series, key)
    twins = list(copies(sound))
    copied = {each.column for each in twins}
    return found + twins + list(alike([each for each in sound if each.name not in copied], correlation))


def _empty_or_constant(series: pl.Series, mostly_missing: float) -> Trouble | None:
    if series.dtype.is_float():
        series = series.fill_nan(None)
    missing = series.null_count() / max(len(series), 1)
    if series.null_count() == len(series):
        return Trouble("empty", series.name, "no value", 1.0)
    if missing >= mostly_missing:
        return Trouble("missing", series.name, f"missing in {figure(missing, 'share')} of rows", missing)
    if len(series) >= _ROWS_TO_JUDGE and missing == 0 and series.n_unique() == 1:
        return Trouble("constant", series.name, f"always {series[0]}", 1.0)
    return None


def _values(series: pl.Series) -> Iterator[Trouble]:
    if series.dtype.is_numeric():
        yield from numbers(series)
    elif series.dtype == pl.String:
        yield from text(series)
    elif series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
        yield from days(series)


def _names_rows(series: pl.Series, key: str | None) -> Iterator[Trouble]:
    """Personal data, else an identifier."""
    held = personal(series)
    if held is not None:
        yield Trouble("personal", series.name, f"holds {held[0]}", held[1])
    elif series.name == key or looks_like_identifier(series):
        what = "is the business key" if series.name == key else "nearly every row has a value of its own"
        yield Trouble("identifier", series.name, what, series.n_unique() / max(len(series), 1))
