"""Is what moved only the season? Columns held against the same days of other years in the rows that the model learned from.

A column lies as in its season where it is at most half as far from those rows as it is from what the model was validated on:
seasons of two years are never quite alike. Pure, over sketches.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import polars as pl

from lockgate.clock import DAY_US
from lockgate.datasets.sketched import count_table
from lockgate.monitor.profile import Counted, sketch_in
from lockgate.stats.drift import shift_of
from lockgate.stats.sketch import Sketch

NEAR = 0.5  # of the distance from the validation
AROUND_DAYS = 10  # before and after, in other years
FEWEST_ROWS = 200  # of a season: fewer say nothing of it
STAYS = (
    0.05  # of the rows in the order of time: a column that kept one value for so long does so by its nature
)
_YEAR = 366


def rows_of_season(frame: pl.DataFrame, time: str, since_us: int, until_us: int) -> pl.DataFrame:
    """The rows of the same days of the year, a little wider, of any year but these very days. `time`: a column of times."""
    first = dt.datetime.fromtimestamp(since_us / 1e6, tz=dt.UTC).timetuple().tm_yday
    wide = min((until_us - since_us) // DAY_US + 1 + 2 * AROUND_DAYS, _YEAR)
    day = frame[time].dt.ordinal_day().cast(pl.Int64)
    start = first - AROUND_DAYS
    inside = ((day - start) % _YEAR) < wide
    at_us = frame[time].cast(pl.Datetime("us")).to_physical()
    elsewhere = (at_us < since_us - AROUND_DAYS * DAY_US) | (at_us > until_us + AROUND_DAYS * DAY_US)
    return frame.filter(inside & elsewhere)


def as_in_season(
    moved: Mapping[str, float],
    season: pl.DataFrame,
    now: Mapping[str, Counted],
    reference: Mapping[str, Sketch],
) -> tuple[str, ...]:
    """The columns among those that moved (`moved`: how far, in standard deviations) that lie as in their season."""
    if season.height < FEWEST_ROWS:
        return ()
    asked = {
        name: reference[name]
        for name in moved
        if name in reference and name in now and name in season.columns
    }
    then = count_table(season, asked)
    return tuple(
        name for name, sketch in then.items()
        if shift_of(sketch, sketch_in(now[name], sketch)).effect <= NEAR * moved[name]
    )  # fmt: skip


def stays_by_nature(column: pl.Series) -> bool:
    """Whether a column, in the order of time, kept one value for long before: a season does, a sensor that froze did not."""
    longest = column.rle().struct.field("len").max() if column.len() else 0
    return int(longest or 0) >= max(STAYS * column.len(), 2)  # type: ignore[arg-type]
