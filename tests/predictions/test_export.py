"""The log as a file: every row, whatever the format, whole or not at all."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import InvalidInput, Unavailable
from lockgate.predictions import stored
from lockgate.predictions.archive import archive
from lockgate.predictions.check import Checked, check_archive
from lockgate.predictions.export import Format, export
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import frame
from lockgate.predictions.record import Record, blocks_of
from lockgate.predictions.stored import Asked
from lockgate.predictions.table import Archive

from .records import NOON_US, scored

READ = {Format.PARQUET: pl.read_parquet, Format.ARROW: pl.read_ipc, Format.JSON: pl.read_ndjson}


@pytest.fixture
def filled(home: Home, blobs: Blobs, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> Home:
    """Five hundred records, archived and hot, over ten seconds, read in stretches of at most twenty rows."""
    monkeypatch.setattr(stored, "FIRST_ROWS", 10)
    monkeypatch.setattr(stored, "MOST_ROWS", 20)
    for part in range(2):
        with SegmentWriter(home.log, "w") as log:
            for n in range(part * 250, part * 250 + 250):
                log.append([scored(str(n), at_us=NOON_US + n * 20_000, age=n)])
        if not part:
            archive(home.log, blobs, sqlite)
    return home


@pytest.mark.parametrize("how", Format)
def test_every_row_once_and_in_order(filled: Home, blobs: Blobs, tmp_path: Path, how: Format) -> None:
    """The file holds what `frame` gives, and progress reaches the whole."""
    told: list[tuple[int, int]] = []
    target = tmp_path / f"log.{how}"
    height = export(
        filled, blobs, Asked("churn"), target, how, tell=lambda _, done, total: told.append((done, total))
    )
    rows = READ[how](target)
    assert height == rows.height == 500
    assert rows["in.age"].to_list() == frame(filled, blobs, "churn")["in.age"].to_list() == list(range(500))
    assert max(told) == (500, 500)
    assert len(told) > 10


def test_versions_with_unlike_columns_share_the_file(filled: Home, blobs: Blobs, tmp_path: Path) -> None:
    """What a version lacks is null, in stretches of time that hold only the other version too."""
    blocks = blocks_of({"age": np.array(["old"], dtype=object), "height": np.array([1.8])})
    with SegmentWriter(filled.log, "w") as log:
        log.append([Record(id="new", at_us=NOON_US * 2, model="churn", version=2, rows=1, inputs=blocks)])
    target = tmp_path / "log.parquet"
    export(filled, blobs, Asked("churn"), target, Format.PARQUET)
    rows = pl.read_parquet(target)
    assert rows["in.age"].to_list()[-2:] == ["499.0", "old"]
    assert rows["in.height"].to_list()[-2:] == [None, 1.8]


def test_nothing_found_is_a_file_without_rows(home: Home, blobs: Blobs, tmp_path: Path) -> None:
    """An empty log exports as an empty table, not as an error."""
    assert export(home, blobs, Asked("churn"), tmp_path / "log.parquet", Format.PARQUET) == 0
    assert pl.read_parquet(tmp_path / "log.parquet").height == 0


def test_a_wrong_condition_leaves_no_file(filled: Home, blobs: Blobs, tmp_path: Path) -> None:
    """A column that no stretch had is refused at the end, and nothing is left behind."""
    with pytest.raises(InvalidInput, match=r"in\.salary"):
        export(filled, blobs, Asked("churn"), tmp_path / "x.parquet", Format.PARQUET, where="in.salary > 3")
    assert list(tmp_path.glob("*x*")) == []


def test_the_newest_rows_are_the_same_however_they_are_asked_for(filled: Home, blobs: Blobs) -> None:
    """A limit reads from the end and gives what the whole would have ended with."""
    whole = frame(filled, blobs, "churn")
    assert frame(filled, blobs, "churn", limit=37)["id"].to_list() == whole["id"].to_list()[-37:]
    picked = frame(filled, blobs, "churn", limit=37, where="in.age % 2 = 0")
    assert picked["id"].to_list() == whole.filter(pl.col("in.age") % 2 == 0)["id"].to_list()[-37:]


def test_a_damaged_file_of_the_archive_is_said(filled: Home, blobs: Blobs) -> None:
    """A query that needs it fails with a sentence; it does not give fewer rows."""
    for path in (filled.blobs / "archive").rglob("*.parquet"):
        body = bytearray(path.read_bytes())
        body[200:-200] = bytes(len(body) - 400)
        path.write_bytes(body)
    with pytest.raises(Unavailable, match="archive of predictions"):
        frame(filled, blobs, "churn")
    found = check_archive(Archive(filled.log, blobs))
    assert found.files == len(found.damaged) == 1
    assert found.damaged[0].name.startswith("model=churn/day=2026-03-01/")


def test_a_whole_archive_is_whole(filled: Home, blobs: Blobs) -> None:
    """Every file is read, none is called damaged."""
    assert check_archive(Archive(filled.log, blobs)) == Checked(files=1, damaged=[])


def test_an_archive_that_is_away_is_said(filled: Home, blobs: Blobs, sqlite: Database) -> None:
    """A store that lost its table (a disk that is not mounted) is no empty archive: nothing is answered or written."""
    away = filled.blobs / "elsewhere"
    (filled.blobs / "archive").rename(away)
    with pytest.raises(Unavailable, match="is not in its store"):
        frame(filled, blobs, "churn")
    with pytest.raises(Unavailable, match="is not in its store"):
        archive(filled.log, blobs, sqlite)
    away.rename(filled.blobs / "archive")
    archive(filled.log, blobs, sqlite)
    assert frame(filled, blobs, "churn").height == 500


def test_two_boxes_share_an_archive(filled: Home, blobs: Blobs, sqlite: Database, tmp_path: Path) -> None:
    """Writers of the same name on two boxes are kept apart, whatever their clocks say; nothing is taken for archived."""
    other = Home(tmp_path / "other").prepare()
    with SegmentWriter(other.log, "w") as log:
        log.append([scored("from-other", at_us=NOON_US)])
    (segment,) = other.log.rglob("*.seg")
    early = segment.with_name(f"{1:017d}-{'a' * 8}.seg")  # as if that box's clock were far behind
    assert not Archive(other.log, blobs).look().holds(f"w/{early.stem}")
    archive(filled.log, blobs, sqlite)
    archive(other.log, blobs, sqlite)
    assert frame(filled, blobs, "churn").height == 501
    assert Archive(other.log, blobs).look().box != Archive(filled.log, blobs).look().box
