"""Seasons: the same days of other years, columns that lie as they did then, and those that keep one value for long."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from lockgate.clock import DAY_US
from lockgate.datasets.sketched import sketch_table
from lockgate.monitor.profile import Counted, count
from lockgate.retraining.seasons import as_in_season, rows_of_season, stays_by_nature
from lockgate.stats.sketch import NumberSketch, Sketch


def year(number: int, *, rows_a_day: int = 10) -> pl.DataFrame:
    """A year whose temperature follows the sun and whose noise follows nothing."""
    draw = np.random.default_rng(number)
    days = np.repeat(np.arange(365), rows_a_day)
    start = dt.datetime(number, 1, 1)
    return pl.DataFrame({
        "at": [start + dt.timedelta(days=int(day)) for day in days],
        "temp": -10 * np.cos(days * 2 * np.pi / 365) + draw.normal(size=days.size),
        "price": draw.normal(size=days.size) + (2.0 if number == 2012 else 0.0),
    })  # fmt: skip


def at(text: str) -> int:
    """A moment in microseconds."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000


def counted(frame: pl.DataFrame, reference: dict[str, Sketch]) -> dict[str, Counted]:
    """Rows as the monitor counts them."""
    return {
        name: count(frame[name].to_numpy(), sketch, np.array([0]))[0] for name, sketch in reference.items()
    }


def test_a_warm_july_is_no_news_to_who_learned_a_july_and_new_prices_are() -> None:
    """The model was validated in winter; its rows hold a whole year: July's temperature is the season's, its prices are not."""
    learned, now = year(2011), year(2012).filter(pl.col("at").dt.month() == 7)
    reference = sketch_table(learned.filter(pl.col("at").dt.month() == 12), ["temp", "price"])
    season = rows_of_season(learned, "at", at("2012-07-01"), at("2012-07-31"))
    assert set(season["at"].dt.month().unique()) == {6, 7, 8}
    far = {"temp": 8.0, "price": 1.6}
    assert as_in_season(far, season, counted(now, reference), reference) == ("temp",)
    winter = learned.filter(pl.col("at").dt.month().is_in([1, 2, 12]))
    unknown = rows_of_season(winter, "at", at("2012-07-01"), at("2012-07-31"))
    assert as_in_season(far, unknown, counted(now, reference), reference) == ()


def test_the_very_days_are_no_season_and_the_turn_of_the_year_is_one() -> None:
    """Rows of these days say nothing of the season; December of last year counts for a stretch that begins in January."""
    whole = pl.concat([year(2011), year(2012)])
    july = rows_of_season(whole, "at", at("2012-07-01"), at("2012-07-31"))
    assert july["at"].dt.year().unique().to_list() == [2011]
    january = rows_of_season(year(2011), "at", at("2012-12-28"), at("2013-01-05"))
    assert set(january["at"].dt.month().unique()) == {1, 12}
    assert january["at"].max() < dt.datetime(2012, 1, 1)


def test_a_long_stretch_is_every_season() -> None:
    """What lasts for longer than a year is held against everything that is not these days."""
    found = rows_of_season(year(2009), "at", at("2011-01-01"), at("2011-01-01") + 500 * DAY_US)
    assert found.height >= 0.99 * year(2009).height


@pytest.mark.parametrize(
    ("values", "stays"),
    [
        (["spring"] * 80 + ["summer"] * 90 + ["fall"] * 90, True),
        (["a", "b", "c"] * 100, False),
        (list(range(300)), False),
        ([], False),
    ],
    ids=["a season", "what changes", "numbers", "nothing"],
)
def test_a_column_that_keeps_a_value_for_long_does_so_by_its_nature(
    values: list[object], stays: bool
) -> None:
    """So it did not break when it does so again."""
    assert stays_by_nature(pl.Series(values)) is stays


def test_sketches_of_the_test_are_of_numbers() -> None:
    """Else the counts above would be of words."""
    assert all(
        isinstance(each, NumberSketch) for each in sketch_table(year(2011), ["temp", "price"]).values()
    )
