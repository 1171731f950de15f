"""Segments of another host: in the log whole, once, in the order of their writer."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import Busy, InvalidInput
from lockgate.predictions.archive import archive
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.received import receive
from lockgate.predictions.record import Record
from lockgate.predictions.writers import claim, note_number

WRITER = "edge-1f3a.gateway-0"


def made_there(folder: Path, *ids: str) -> list[tuple[str, Path]]:
    """One ended segment for each id, written by a worker of another host: their names and files."""
    with SegmentWriter(folder, WRITER) as writer:
        for name in ids:
            writer.append([Record(id=name, at_us=1_700_000_000_000_000, model="churn")])
            writer.roll()
    return [(name, folder / f"{name}.seg") for name in LogReader(folder).segments()]


def copy_of(path: Path, folder: Path) -> Path:
    """The file as it comes over the network."""
    return Path(shutil.copy(path, folder / "incoming"))


def ids_in(log: Path) -> list[str]:
    """Every record's id."""
    return [record.id for record, _ in LogReader(log).read({}).records]


def test_a_segment_is_taken_once(home: Home, blobs: Blobs, tmp_path: Path) -> None:
    """The second time it is known, and nothing is there twice."""
    ((first, one), (second, two)) = made_there(tmp_path / "there", "a", "b")
    assert receive(home.log, blobs, first, copy_of(one, tmp_path))
    assert not receive(home.log, blobs, first, copy_of(one, tmp_path))
    assert receive(home.log, blobs, second, copy_of(two, tmp_path))
    assert ids_in(home.log) == ["a", "b"]


def test_a_crash_between_file_and_number_is_seen_by_the_file(
    home: Home, blobs: Blobs, tmp_path: Path
) -> None:
    """The file is in place and its number was not noted yet: it is not taken for new."""
    ((name, path),) = made_there(tmp_path / "there", "a")
    (home.log / WRITER).mkdir()
    shutil.copy(path, home.log / f"{name}.seg")
    assert not receive(home.log, blobs, name, copy_of(path, tmp_path))
    assert ids_in(home.log) == ["a"]


def test_a_crash_and_an_archiver_in_between_is_seen_by_the_archive(
    home: Home, blobs: Blobs, sqlite: Database, tmp_path: Path
) -> None:
    """Archived and removed before the number was noted: the archive knows it."""
    ((name, path),) = made_there(tmp_path / "there", "a")
    (home.log / WRITER).mkdir()
    shutil.copy(path, home.log / f"{name}.seg")
    assert archive(home.log, blobs, sqlite).removed == (name,)
    assert not receive(home.log, blobs, name, copy_of(path, tmp_path))
    assert ids_in(home.log) == []


def test_an_archived_segment_does_not_come_back(
    home: Home, blobs: Blobs, sqlite: Database, tmp_path: Path
) -> None:
    """What was received, archived and removed stays known by its number."""
    ((name, path),) = made_there(tmp_path / "there", "a")
    assert receive(home.log, blobs, name, copy_of(path, tmp_path))
    assert archive(home.log, blobs, sqlite).removed == (name,)
    assert not receive(home.log, blobs, name, copy_of(path, tmp_path))


def test_half_a_segment_is_refused(home: Home, blobs: Blobs, tmp_path: Path) -> None:
    """A file without its end, or under another segment's name, is nothing that this log could hold."""
    ((name, path), (other, _)) = made_there(tmp_path / "there", "a", "b")
    torn = tmp_path / "torn"
    torn.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(InvalidInput, match="not whole"):
        receive(home.log, blobs, name, torn)
    with pytest.raises(InvalidInput, match="not whole"):
        receive(home.log, blobs, other, copy_of(path, tmp_path))
    assert ids_in(home.log) == []


@pytest.mark.parametrize(
    "name", ["x", "../a/00000000000000001-00000000", "../00000000000000001-00000000", "a/1-2", ""]
)
def test_only_names_of_segments_are_names(name: str, home: Home, blobs: Blobs, tmp_path: Path) -> None:
    """Nothing that could lead elsewhere."""
    with pytest.raises(InvalidInput, match="not the name of a segment"):
        receive(home.log, blobs, name, tmp_path / "nothing")


def test_a_writer_of_this_machine_is_not_disturbed(home: Home, blobs: Blobs, tmp_path: Path) -> None:
    """While somebody writes under that name here, nothing is put beside it."""
    ((name, path),) = made_there(tmp_path / "there", "a")
    with SegmentWriter(home.log, WRITER), pytest.raises(Busy, match=WRITER):
        receive(home.log, blobs, name, copy_of(path, tmp_path))


def test_an_earlier_number_is_never_taken(home: Home, blobs: Blobs, tmp_path: Path) -> None:
    """The archive knows a writer's segments by the newest number: an older one would be lost there."""
    ((name, path),) = made_there(tmp_path / "there", "a")
    (home.log / WRITER).mkdir()
    lock = claim(home.log / WRITER)
    assert lock is not None
    note_number(lock, int(name.partition("/")[2].partition("-")[0]) + 1)
    os.close(lock)
    assert not receive(home.log, blobs, name, copy_of(path, tmp_path))
