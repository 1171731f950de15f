"""A folder that labels are put into: each file once, half-written ones wait, bad ones are set aside with a note."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from lockgate.clock import SECOND_US
from lockgate.db import Database
from lockgate.errors import Unavailable
from lockgate.governance.audit import rows as audit_rows
from lockgate.predictions.label_folder import LabelFolder
from lockgate.predictions.label_import import Imported, Naming, import_many
from lockgate.predictions.labels import latest_labels

NOW_US = 1_772_366_400_000_000


@pytest.fixture
def folder(tmp_path: Path, sqlite: Database) -> LabelFolder:
    """The folder of churn."""

    def record(table: pl.DataFrame, name: str) -> Imported:
        return import_many(sqlite, "churn", table, Naming("y"), by="ada", now_us=NOW_US, source=name)

    (tmp_path / "labels").mkdir()
    return LabelFolder(tmp_path / "labels", "churn", sqlite, record, actor="ada")


def put(folder: LabelFolder, name: str, text: str, *, age_s: int = 60) -> Path:
    """Put a file in, last changed so long ago."""
    path = folder.folder / name
    path.write_text(text)
    at_s = NOW_US // SECOND_US - age_s
    os.utime(path, (at_s, at_s))
    return path


def names(folder: LabelFolder, where: str = "") -> list[str]:
    """The files there."""
    return sorted(path.name for path in (folder.folder / where).iterdir() if path.is_file())


def known(folder: LabelFolder) -> int:
    """How many labels count."""
    with folder.db.read() as tx:
        return latest_labels(tx, "churn").height


def test_a_file_is_taken_once_it_is_whole(folder: LabelFolder) -> None:
    """The first look only remembers; one that changed or is fresh waits; then it is on record and moved away."""
    put(folder, "a.csv", "key,y\n1,0\n")
    put(folder, "fresh.csv", "key,y\n7,0\n", age_s=1)
    put(folder, "notes.txt", "not a table")
    assert folder.look(NOW_US) == []
    put(folder, "a.csv", "key,y\n1,0\n2,1\n", age_s=30)
    assert folder.look(NOW_US) == []
    assert [(each.name, each.taken) for each in folder.look(NOW_US)] == [("a.csv", True)]
    assert (names(folder), names(folder, "taken"), known(folder)) == (
        ["fresh.csv", "notes.txt"],
        ["a.csv"],
        2,
    )


def test_the_same_content_is_taken_once_under_any_name(folder: LabelFolder) -> None:
    """A copy of a file that was taken is moved away and records nothing; of equal names both files are kept."""
    for _ in range(2):
        put(folder, "a.csv", "key,y\n1,0\n")
        folder.look(NOW_US)
        found = folder.look(NOW_US)
    assert found[0].note == "this content was taken before, as a.csv"
    assert (names(folder), names(folder, "taken"), known(folder)) == ([], ["a-2.csv", "a.csv"], 1)


def test_a_bad_file_is_set_aside_with_the_reason_and_mended_it_is_taken(folder: LabelFolder) -> None:
    """Nothing of it is on record; the note says why; the audit log too; mended under its name it is taken."""
    put(folder, "bad.csv", "key,label\n1,0\n")
    put(folder, "torn.parquet", "PAR1 and no more")
    folder.look(NOW_US)
    found = {each.name: each.note for each in folder.look(NOW_US)}
    assert "no column 'y'" in found["bad.csv"]
    assert folder.waiting() == ["bad.csv", "torn.parquet"]
    assert "no column 'y'" in (folder.folder / "set-aside" / "bad.csv.why.txt").read_text()
    with folder.db.read() as tx:
        assert [row.action for row in audit_rows(tx)] == ["labels:file:refused"] * 2
    put(folder, "bad.csv", "key,y\n1,0\n")
    folder.look(NOW_US)
    assert folder.look(NOW_US)[0].taken
    assert known(folder) == 1


def test_whoever_died_between_recording_and_moving_records_nothing_twice(folder: LabelFolder) -> None:
    """The file is still there and nobody noted it: it is read again, and every row is known."""
    path = put(folder, "a.csv", "key,y\n1,0\n2,1\n")
    folder.record(pl.read_csv(path), "a.csv")
    folder.look(NOW_US)
    assert folder.look(NOW_US)[0].taken
    assert (known(folder), names(folder)) == (2, [])


def test_a_file_waits_for_a_database_that_is_away(folder: LabelFolder) -> None:
    """It is not set aside for what is no fault of its own, and taken when the database is back."""
    record = folder.record

    def away(_table: pl.DataFrame, _name: str) -> Imported:
        raise Unavailable("the database is away")

    put(folder, "a.csv", "key,y\n1,0\n")
    folder.look(NOW_US)
    folder.record = away
    with pytest.raises(Unavailable):
        folder.look(NOW_US)
    assert (names(folder), folder.waiting()) == (["a.csv"], [])
    folder.record = record
    assert [each.taken for each in folder.look(NOW_US)] == [True]


def test_a_folder_that_is_not_there_is_no_trouble(folder: LabelFolder) -> None:
    """Most models have none."""
    folder.folder.rmdir()
    assert folder.look(NOW_US) == []
    assert folder.waiting() == []


def test_a_file_that_cannot_be_read_is_set_aside_and_the_others_are_taken(folder: LabelFolder) -> None:
    """The disk answers with an error: the reason stands beside it and in the audit log, and what comes after it is taken."""
    (folder.folder / "a.csv").symlink_to("/proc/self/mem")  # a file whose first byte nobody can read
    put(folder, "b.csv", "key,y\n1,0\n")
    folder.look(NOW_US)
    found = {each.name: each for each in folder.look(NOW_US)}
    assert (found["a.csv"].taken, found["b.csv"].taken) == (False, True)
    assert found["a.csv"].note.startswith(
        "a.csv cannot be read: input/output error. The user that lockgate runs"
    )
    assert (folder.waiting(), known(folder), folder.troubles()) == (["a.csv"], 1, [])
    assert "input/output error" in (folder.folder / "set-aside" / "a.csv.why.txt").read_text()
    with folder.db.read() as tx:
        assert [row.action for row in audit_rows(tx)] == ["labels:file:refused"]


def test_a_file_that_cannot_be_moved_is_said_and_tried_again_now_and_then(folder: LabelFolder) -> None:
    """What stands in the way of one file stops no other; its labels are on record once; mended, it goes its way."""
    (folder.folder / "taken").write_text("no folder")
    put(folder, "a.csv", "key,y\n1,0\n")
    put(folder, "bad.csv", "key,label\n1,0\n")
    folder.look(NOW_US)
    assert [each.taken for each in folder.look(NOW_US)] == [False, False]
    assert (folder.troubles(), folder.waiting()) == (["a.csv: file exists"], ["bad.csv"])
    (folder.folder / "taken").unlink()
    assert folder.look(NOW_US + SECOND_US) == []
    assert [each.taken for each in folder.look(NOW_US + 61 * SECOND_US)] == [True]
    assert (names(folder), names(folder, "taken"), known(folder)) == ([], ["a.csv"], 1)
    assert folder.troubles() == []


def test_a_defect_that_one_file_shows_keeps_no_other_from_being_taken(
    folder: LabelFolder, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody thought of is in the log with all that is known of it; of the file its kind is said."""
    record = folder.record

    def strange(table: pl.DataFrame, name: str) -> Imported:
        if name == "a.csv":
            raise RuntimeError("a secret")
        return record(table, name)

    folder.record = strange
    for name in ("a.csv", "b.csv"):
        put(folder, name, f"key,y\n{name},0\n")
    folder.look(NOW_US)
    assert [each.taken for each in folder.look(NOW_US)] == [False, True]
    assert folder.troubles() == ["a.csv: RuntimeError; the monitor's log says more"]
    assert "a secret" in caplog.text
    put(folder, "a.csv", "key,y\nmended,0\n")  # what changed is tried at once
    folder.record = record
    folder.look(NOW_US + SECOND_US)
    assert [each.taken for each in folder.look(NOW_US + SECOND_US)] == [True]
