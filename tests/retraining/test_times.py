"""Times of tables as people write them, read and written on."""

from __future__ import annotations

import datetime as dt

import polars as pl
import pytest

from lockgate.config_retraining import Held, Past, RetrainConfig, Rows
from lockgate.errors import Conflict
from lockgate.retraining.times import is_iso, moments_like, newest_days, times_in

NOON = dt.datetime(2026, 3, 1, 12)
AT_US = pl.Series([int(NOON.replace(tzinfo=dt.UTC).timestamp()) * 1_000_000])


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-01 12:00:00",
        "2026-03-01T12:00:00",
        "2026-03-01T12:00:00Z",
        "2026-03-01T12:00:00+00:00",
        "2026-03-01 12:00:00Z",
    ],
)
def test_texts_are_written_on_as_they_were(text: str) -> None:
    """One column, one way of writing: else whoever reads it takes the new rows for missing."""
    column = pl.Series("day", [None, text])
    added = moments_like(AT_US, column)
    assert added.to_list() == [text]
    read = times_in(pl.concat([column, added]))
    assert read is not None
    assert read.to_list() == [None, NOON, NOON]


def test_days_and_zones_are_written_on_too() -> None:
    """A day is a day; a time of another place is that moment there."""
    assert moments_like(AT_US, pl.Series("day", ["2026-02-28"])).to_list() == ["2026-03-01"]
    assert moments_like(AT_US, pl.Series("day", [dt.date(2026, 2, 28)])).to_list() == [NOON.date()]
    there = pl.Series("day", [NOON]).dt.replace_time_zone("Asia/Tokyo")
    added = moments_like(AT_US, there)
    assert added.dtype == there.dtype
    read = times_in(added)
    assert read is not None
    assert read.to_list() == [NOON]


def test_what_holds_no_times_has_none() -> None:
    """Words and numbers: nothing is known of the rows' order then, and nothing fails."""
    assert times_in(pl.Series(["abc", "def"])) is None
    assert times_in(pl.Series([1, 2])) is None
    some = times_in(pl.Series(["2026-03-01", "soon"]))
    assert some is not None
    assert some.to_list() == [dt.datetime(2026, 3, 1), None]


def test_the_newest_days_are_kept() -> None:
    """Counted back from the newest row, not from today; rows without a time go; no times at all is said."""
    days = ["2026-01-01", "2026-02-27", None, "2026-03-01", "2026-02-20"]
    frame = pl.DataFrame({"day": days, "n": range(5)})
    assert newest_days(frame, 10, "day")["n"].to_list() == [1, 3, 4]
    assert newest_days(frame, 2, "day")["n"].to_list() == [3]
    assert newest_days(frame, 3_000, "day")["n"].to_list() == [0, 1, 3, 4]
    for time in ("n", "other", None):
        with pytest.raises(Conflict, match="newest 10 days is not known"):
            newest_days(frame, 10, time)


def test_newest_days_are_of_rows_of_the_log() -> None:
    """A version of a data set holds what its maker put into it."""
    assert RetrainConfig(rows=Rows.LOG, newest_days=180).newest_days == 180
    assert (RetrainConfig().newest_days, RetrainConfig().test_days) == (Past.AUTO, Held.AUTO)
    with pytest.raises(ValueError, match="rows: log"):
        RetrainConfig(newest_days=180)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2026-03-01 12:00:00Z", True),
        ("2026-03-01", True),
        ("2026/03/01 12:00:00", False),
        ("01.03.2026", False),
        ("", False),
    ],
)
def test_only_times_as_iso_writes_them_are_cut_by(text: str, iso: bool) -> None:
    """Others are read as times too, but not by the process that cuts: such a pipeline keeps its own test."""
    assert is_iso(pl.Series([None, text])) == iso
    assert is_iso(pl.Series([NOON]))
