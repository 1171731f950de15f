"""How inputs followed the calendar in a past: columns whose weeks differ are kept by month, others are not spoken of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.checks.baseline import baseline_of, load_baseline, store_baseline, without_values
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.seasons import AT, Seasons, counts_of, past_of, seasons_but, seasons_of, sketch_from
from lockgate.datasets.sketched import sketch_column
from lockgate.registry.manifest import Task
from lockgate.stats.sketch import NumberSketch, Sketch

DAY_S, A_DAY = 86_400, 20
NAMES = ("temperature", "month", "noise", "word")


def rows(days: int, first: int = 18_262) -> pl.DataFrame:
    """Days from 2020-01-01 on: a temperature that follows the year, the month, and two columns that follow nothing."""
    draw = np.random.default_rng(0)
    day = np.repeat(np.arange(first, first + days), A_DAY)
    year = np.cos(2 * np.pi * (day - first - 200) / 365.25)
    return pl.DataFrame(
        {
            "temperature": 10 + 10 * year + draw.normal(0, 3, day.size),
            "month": pl.from_epoch(pl.Series(day * DAY_S), time_unit="s").dt.month(),
            "noise": draw.normal(size=day.size), "word": draw.choice(["x", "y"], day.size).tolist(), AT: day * float(DAY_S),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def learned() -> tuple[Seasons, dict[str, Sketch]]:
    """Of half a year, judged on its last fifth."""
    past = rows(182)
    seasons, sketches = seasons_of(past, past.tail(past.height // 5), NAMES)
    assert seasons is not None
    return seasons, sketches


def test_columns_whose_weeks_differ_are_known_by_month(learned: tuple[Seasons, dict[str, Sketch]]) -> None:
    """The temperature and the month; what follows nothing is not spoken of."""
    seasons, sketches = learned
    assert set(seasons.columns) == set(sketches) == {"temperature", "month"}
    temperature = seasons.columns["temperature"]
    assert sorted(temperature.months) == ["1", "2", "3", "4", "5", "6"]
    assert 0 < temperature.steps["7"] < temperature.steps["28"] < 3
    assert temperature.stays_days == 0
    assert (seasons.since_us, seasons.until_us) == (18_262 * DAY_S * 10**6, (18_262 + 181) * DAY_S * 10**6)


def test_a_column_with_one_value_a_day_is_one_of_the_calendar(
    learned: tuple[Seasons, dict[str, Sketch]],
) -> None:
    """With the longest time that it stayed: January and March have 31 days."""
    assert learned[0].columns["month"].stays_days == 31


def test_edges_are_those_of_the_whole_past(learned: tuple[Seasons, dict[str, Sketch]]) -> None:
    """Judged in May and June, and winter has bins of its own; the counts are those of the judged rows alone."""
    sketch = learned[1]["temperature"]
    assert isinstance(sketch, NumberSketch)
    assert sketch.rows == 182 * A_DAY // 5
    january = sketch_from(learned[0].columns["temperature"].months["1"], sketch)
    assert sum(count > 0 for count in january.counts) > 5
    assert counts_of(january) == learned[0].columns["temperature"].months["1"]


def test_a_short_past_says_nothing() -> None:
    """Seven weeks."""
    past = rows(49)
    assert seasons_of(past, past, NAMES) == (None, {})


def test_the_past_is_every_table_in_the_order_of_time() -> None:
    """Text, dates and rows without a time; without a column of times there is none."""
    train = pl.DataFrame({"x": [1.0, 2.0, 3.0], "when": ["2024-01-02", None, "2024-01-01"]})
    test = pl.DataFrame({"x": [4.0], "when": ["2024-01-03"]})
    evidence = Evidence(
        task=Task.REGRESSION, inputs=("x",), frames={Split.TRAIN: train, Split.TEST: test}, time="when"
    )
    past = past_of(evidence, ["x"])
    assert past is not None
    assert past["x"].to_list() == [3.0, 1.0, 4.0]
    assert past_of(Evidence(task=Task.REGRESSION, inputs=("x",), frames={Split.TRAIN: train}), ["x"]) is None


def past_of_two(train: pl.Series, test: pl.Series) -> pl.DataFrame | None:
    """The past of a column that two tables have."""
    when = pl.Series(["2024-01-01", "2024-01-02"])
    frames = {
        split: pl.DataFrame({"x": series, "when": when})
        for split, series in ((Split.TRAIN, train), (Split.TEST, test))
    }
    return past_of(Evidence(task=Task.REGRESSION, inputs=("x",), frames=frames, time="when"), ["x"])


def test_a_column_of_two_kinds_has_no_past() -> None:
    """Lists here and numbers there, words here and numbers there; two sets of names are words all the same."""
    numbers, words = pl.Series([1.0, 2.0]), pl.Series(["a", "b"])
    assert past_of_two(pl.Series([[1.0], [2.0]]), numbers) is None
    assert past_of_two(words, numbers) is None
    mixed = past_of_two(pl.Series([True, False]), numbers)
    assert mixed is not None
    assert mixed["x"].to_list() == [1.0, 1.0, 0.0, 2.0]
    named = past_of_two(words.cast(pl.Enum(["a", "b"])), words.cast(pl.Enum(["b", "a"])))
    assert named is not None
    assert named["x"].to_list() == ["a", "a", "b", "b"]
    empty = past_of_two(pl.Series([None, None]), numbers)
    assert empty is not None
    assert empty["x"].to_list() == [None, 1.0, None, 2.0]


def test_rows_with_nothing_to_count_leave_a_baseline_without_a_season() -> None:
    """A model of pictures alone, or of bytes, whose rows have a time."""
    frame = pl.DataFrame({"x": [b"1", b"2"], "when": ["2024-01-01", "2024-01-02"]})
    evidence = Evidence(task=Task.REGRESSION, inputs=("x",), frames={Split.TEST: frame}, time="when")
    made = baseline_of(evidence, "sha256:1", {})
    assert made is not None
    assert (made.columns, made.seasons) == ({}, None)


def test_of_a_long_past_rows_are_drawn_from_every_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each n-th row of a table with so many places would be one place alone."""
    monkeypatch.setattr("lockgate.checks.seasons.MOST_ROWS", 500)
    frame = pl.DataFrame(
        {
            "place": [float(place) for _ in range(500) for place in range(8)],
            "when": [float(hour * 3_600) for hour in range(500) for _ in range(8)],
        }
    )
    evidence = Evidence(task=Task.REGRESSION, inputs=("place",), frames={Split.TRAIN: frame}, time="when")
    one, again = past_of(evidence, ["place"]), past_of(evidence, ["place"])
    assert one is not None
    assert again is not None
    assert one.equals(again)
    assert one.height == 500
    assert one[AT].is_sorted()
    assert one["place"].n_unique() == 8


def test_columns_can_be_left_out(learned: tuple[Seasons, dict[str, Sketch]]) -> None:
    """Personal ones, of which no value is kept."""
    left = seasons_but(learned[0], {"temperature"})
    assert left is not None
    assert set(left.columns) == {"month"}
    assert seasons_but(None, {"temperature"}) is None


def test_words_keep_their_names_and_missing_values() -> None:
    """Counts there and back."""
    sketch = sketch_column(pl.Series(["a", "b", "a", None]))
    assert sketch_from(counts_of(sketch), sketch) == sketch


def test_a_baseline_with_seasons_is_kept_and_found(tmp_path: Path) -> None:
    """To the last count; of personal columns nothing."""
    table = rows(120).with_columns(when=pl.from_epoch(pl.col(AT).cast(pl.Int64), time_unit="s")).drop(AT)
    evidence = Evidence(
        task=Task.REGRESSION, inputs=("temperature", "noise"), time="when",
        frames={Split.TRAIN: table[:2_000], Split.TEST: table[2_000:]},
    )  # fmt: skip
    made = baseline_of(evidence, "sha256:1", {})
    assert made is not None
    assert made.seasons is not None
    blobs = Blobs(str(tmp_path))
    assert load_baseline(blobs, store_baseline(blobs, made)) == made
    bare = without_values(made, ["temperature"], b"secret")
    assert bare.seasons is not None
    assert "temperature" not in bare.seasons.columns
