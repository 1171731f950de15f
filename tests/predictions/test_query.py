"""Questions to the log: hot and archived as one, conditions, versions with unlike signatures."""

import random
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.predictions.archive import archive
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import frame, records
from lockgate.predictions.record import Kind, Record, blocks_of

from .records import NOON_US, scored

DAY_US = 86_400_000_000


@pytest.fixture
def filled(home: Home, blobs: Blobs, sqlite: Database) -> Home:
    """Two archived records, two hot ones; one of another model."""
    with SegmentWriter(home.log, "w") as log:
        log.append(
            [
                scored("a", age=[20.0, 70.0], plan=["basic", None], p=[0.1, 0.9]),
                scored("b", at_us=NOON_US + 1),
            ]
        )
    archive(home.log, blobs, sqlite)
    with SegmentWriter(home.log, "w") as log:
        refused = Record(id="c", at_us=NOON_US + DAY_US, model="churn", status=400, error="age is missing")
        log.append([refused, scored("other", model="fraud"), scored("shadow", kind=Kind.SHADOW, of="a")])
        log.append([scored("d", at_us=NOON_US - DAY_US, version=2, key="k7", status=200)])
    return home


def ids(rows: pl.DataFrame) -> list[str]:
    """The ids in a frame, in order."""
    return rows["id"].to_list()


def test_one_row_per_predicted_row(filled: Home, blobs: Blobs) -> None:
    """Hot and archived rows stand in order of time, with inputs and outputs as columns; a refused request stays."""
    rows = frame(filled, blobs, "churn")
    assert ids(rows) == ["d", "a", "a", "b", "c"]
    assert rows["row"].to_list() == [0, 0, 1, 0, None]
    assert rows["in.age"].to_list() == [30.0, 20.0, 70.0, 30.0, None]
    assert rows["in.plan"].to_list() == ["basic", "basic", None, "basic", None]
    assert rows["out.p"].dtype == pl.Float32
    assert rows["out.p"].to_list()[1:3] == [np.float32(0.1), np.float32(0.9)]
    assert rows["at"][0].isoformat() == "2026-02-28T12:00:00+00:00"


def test_times_version_kind_and_limit(filled: Home, blobs: Blobs) -> None:
    """Since is included, until is not; a version, a kind or the newest few can be asked for."""
    assert ids(frame(filled, blobs, "churn", since_us=NOON_US, until_us=NOON_US + DAY_US)) == ["a", "a", "b"]
    assert ids(frame(filled, blobs, "churn", version=2)) == ["d"]
    assert ids(frame(filled, blobs, "churn", kinds=[Kind.SHADOW])) == ["shadow"]
    assert ids(frame(filled, blobs, "churn", limit=2)) == ["b", "c"]
    assert ids(frame(filled, blobs, None, where="model = 'fraud'")) == ["other"]
    assert frame(filled, blobs, "nobody").is_empty()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("status >= 400", ["c"]),
        ("in.age > 60", ["a"]),
        ("\"out.p\" < 0.2 and in.plan = 'basic'", ["a"]),
        ("key = 'k7'", ["d"]),
        ("error like '%in.age%' or id = 'b'", ["b"]),
        ("day < '2026-03-01'", ["d"]),
    ],
)
def test_conditions(filled: Home, blobs: Blobs, where: str, expected: list[str]) -> None:
    """A condition may speak of fields, inputs and outputs; text in quotes is left alone."""
    assert ids(frame(filled, blobs, "churn", where=where)) == expected


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("status >== 400", "cannot be understood"),
        ("salary > 3", "a column that is not there: salary"),
        ("in.salary > 3", "a column that is not there: in.salary"),
        ("status + 1", "cannot be applied"),
        ("status = 'x' + 1 and", "cannot be understood"),
    ],
)
def test_conditions_that_cannot_be_right(filled: Home, blobs: Blobs, where: str, says: str) -> None:
    """A wrong condition is refused with what was received and which columns there are."""
    with pytest.raises(InvalidInput, match=says) as refused:
        frame(filled, blobs, "churn", where=where)
    assert refused.value.got == where


def test_versions_with_unlike_signatures_share_a_frame(home: Home, blobs: Blobs) -> None:
    """A column that one version lacks is null there; numbers in one and text in the other become text."""
    with SegmentWriter(home.log, "w") as log:
        log.append([scored("a")])
        blocks = blocks_of(
            {"age": np.array(["old"], dtype=object), "pixels": np.arange(4, dtype=np.float32).reshape(1, 4)}
        )
        log.append([Record(id="b", at_us=NOON_US + 1, model="churn", version=2, rows=1, inputs=blocks)])
    rows = frame(home, blobs, "churn")
    assert rows["in.age"].to_list() == ["30.0", "old"]
    assert rows["in.pixels"].to_list() == [None, [0.0, 1.0, 2.0, 3.0]]
    assert rows["in.plan"].to_list() == ["basic", None]


def test_an_answer_with_another_number_of_rows_is_shown(home: Home, blobs: Blobs) -> None:
    """An invalid answer on record, two rows for three, does not hide the question."""
    with SegmentWriter(home.log, "w") as log:
        log.append([scored("a", age=[1.0, 2.0, 3.0], plan=["x", "y", "z"], p=[0.1, 0.2])])
    rows = frame(home, blobs, "churn")
    assert rows["in.age"].to_list() == [1.0, 2.0, 3.0]
    assert rows["out.p"].null_count() == 1


def test_records_come_back_exactly(filled: Home, blobs: Blobs) -> None:
    """Replay sees the very records, archived or hot."""
    found = {record.id: record for record in records(filled, blobs, "churn")}
    assert found["b"] == scored("b", at_us=NOON_US + 1)
    assert found["c"].error == "age is missing"


WRITER = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from lockgate.predictions.log import SegmentWriter
    from lockgate.predictions.record import Record
    log = SegmentWriter(Path(sys.argv[1]), "busy", segment_bytes=500)
    for n in range(600):
        log.append([Record(id=str(n), at_us=n, model="m")])
        time.sleep(0.001)
    log.close()
    """
)


def test_no_record_twice_or_missing_while_the_archiver_works(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """A query at any moment of writing, archiving and removing sees every record up to then exactly once."""
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(home.log)])
    stop = threading.Event()

    def keep_archiving() -> None:
        while not stop.is_set():
            archive(home.log, blobs, sqlite)
            time.sleep(random.uniform(0, 0.02))

    archiver = threading.Thread(target=keep_archiving)
    archiver.start()
    try:
        seen = 0
        while seen < 600:
            rows = frame(home, blobs, "m")
            assert ids(rows) == [str(n) for n in range(rows.height)]
            assert rows.height >= seen
            seen = rows.height
    finally:
        stop.set()
        archiver.join()
        writer.wait()
