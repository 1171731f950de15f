"""Chunks as settings ask for them: of time or of rows, refused with what is allowed, changed while a model is watched."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US, HOUR_US
from lockgate.config import Home, Project
from lockgate.config_monitor import MonitorConfig
from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.monitor.chunks import ChunkSize, size_of
from lockgate.monitor.notices import open_notices
from lockgate.monitor.verdicts import verdicts_of
from lockgate.predictions.log import SegmentWriter
from lockgate.yamlfile import parse_yaml, schema_of

from .churn import START_US, Watched, columns, known_importance, older, record, write_days


@pytest.mark.parametrize(
    ("asked", "size", "said"),
    [
        (None, ChunkSize(500, DAY_US), "500 rows and a day"),
        ("1 day", ChunkSize(500, DAY_US), "500 rows and a day"),
        ("6h", ChunkSize(500, 6 * HOUR_US), "500 rows and 6 hours"),
        (" 2 weeks ", ChunkSize(500, 14 * DAY_US), "500 rows and 2 weeks"),
        ("10000 rows", ChunkSize(10_000, 0), "10,000 rows"),
    ],
)
def test_a_chunk_is_of_time_or_of_rows(asked: str | None, size: ChunkSize, said: str) -> None:
    """As people write it."""
    assert size_of(MonitorConfig(asked)) == size
    assert size.said == said


@pytest.mark.parametrize(
    "asked",
    [
        "6 horses",
        "0 days",
        "10 rows",
        "1 day 6 hours",
        "5 min",
        "rows",
        "53 weeks",
        "99999999999999999999 rows",
    ],
)
def test_what_is_no_chunk_is_refused_with_its_line(asked: str) -> None:
    """With what was found and what is allowed."""
    with pytest.raises(InvalidInput) as refused:
        parse_yaml(f"models:\n  churn:\n    monitor:\n      chunk: {asked}\n", Project, "lockgate.yaml")
    assert "lockgate.yaml, line" in str(refused.value)
    assert f"'{asked}' is no chunk; allowed: 6 hours, 1 day, 2 weeks, 10000 rows" in str(refused.value)


def test_editors_know_what_a_chunk_looks_like() -> None:
    """The schema has a pattern and examples."""
    [chunk, _] = schema_of(Project, "lockgate.yaml")["$defs"]["MonitorConfig"]["properties"]["chunk"]["anyOf"]
    assert chunk["examples"] == ["1 day", "10000 rows"]


def test_chunks_are_cut_as_the_settings_say_now(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Days at first, then of 300 rows (half a day), then of two days: what was judged stays, each row is judged once."""
    watched = Watched(home, blobs, sqlite, known_importance())
    sizes = [("1 day", 3, 3), ("300 rows", 5, 4), ("2 days", 9, 2)]  # asked, until which day, chunks of it
    lengths = []
    for asked, day, _ in sizes:
        watched.size = size_of(MonitorConfig(asked))
        write_days(home, range(day - 4 if day == 9 else day - 2 if day == 5 else 0, day), day)
        watched.until(day)
    with sqlite.read() as tx:
        verdicts = verdicts_of(tx, "churn", 1)
    lengths = [(each.until_us - each.start_us) // HOUR_US for each in verdicts]
    assert lengths == [24] * 3 + [12] * 4 + [48] * 2
    assert [each.cut for each in verdicts[2:4]] == ["500 rows and a day", "300 rows"]
    assert sum(each.rows for each in verdicts) == 9 * 24 * 25
    assert [first.until_us for first in verdicts[:-1]] == [after.start_us for after in verdicts[1:]]


def test_a_move_is_found_in_chunks_of_rows_on_the_first_day(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Six hours of 250 rows, in chunks of 500: two as validated, then everybody is nine years older."""
    watched = Watched(home, blobs, sqlite, known_importance())
    watched.size = ChunkSize(500, 0)
    draw = np.random.default_rng(3)
    made = [columns(draw, 250) for _ in range(8)]
    with SegmentWriter(home.log, "gateway-0") as log:
        log.append([
            record(f"h{hour}", START_US + hour * HOUR_US, each if hour < 4 else older(each)) for hour, each in enumerate(made)
        ])  # fmt: skip
    watched.until(1)
    with sqlite.read() as tx:
        [said] = [each.notice for each in open_notices(tx, "churn")]
    assert (said.subject, said.columns) == ("inputs", ("age",))
    assert said.since_us == START_US + 4 * HOUR_US


def test_nights_are_no_drift_in_chunks_of_hours(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Older people by night, four weeks long: nothing holds once three nights were known; what moves by day and night does."""
    watched = Watched(home, blobs, sqlite, known_importance())
    watched.size = ChunkSize(500, 12 * HOUR_US)
    draw = np.random.default_rng(4)

    def write(days: range, change: float) -> None:
        with SegmentWriter(home.log, "gateway-0") as log:
            for day in days:
                log.append([
                    record(f"d{day}-{half}", START_US + day * DAY_US + half * 12 * HOUR_US + minute * HOUR_US,
                           columns(draw, 300, age=40.0 + (8.0 if half == 0 else -8.0) + change))
                    for half in (0, 1) for minute in (0, 11)
                ])  # fmt: skip

    write(range(28), 0.0)
    for day in range(1, 29):
        watched.until(day)
        assert day < 6 or watched.said() == [], day
    write(range(28, 30), 12.0)
    watched.until(30)
    assert "inputs" in [subject for subject, _ in watched.said()]
