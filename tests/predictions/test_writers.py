"""Who may write: the lock, and the segments of those who died."""

import os
from pathlib import Path

from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.record import Record
from lockgate.predictions.segment import is_ended
from lockgate.predictions.writers import claim, end_abandoned


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    """Only one handle holds a folder's lock; closing it frees it."""
    first = claim(tmp_path)
    assert first is not None
    assert claim(tmp_path) is None
    os.close(first)
    second = claim(tmp_path)
    assert second is not None
    os.close(second)


def test_only_segments_without_a_writer_are_ended(tmp_path: Path) -> None:
    """The segment of a writer that runs is left alone; one that a dead process left is cut and ended."""
    with SegmentWriter(tmp_path, "alive") as alive:
        running = alive.append([Record(id="1", at_us=1, model="m")])
        child = os.fork()
        if child == 0:
            SegmentWriter(tmp_path, "dead").append([Record(id="2", at_us=1, model="m")])
            os._exit(0)
        os.waitpid(child, 0)
        (left,) = (tmp_path / "dead").glob("*.seg")
        with left.open("ab") as file:
            file.write(b"\x20\x00\x00\x00torn")
        assert end_abandoned(tmp_path) == ["dead"]
        assert is_ended(left, f"dead/{left.stem}")
        assert not is_ended(tmp_path / f"{running.segment}.seg", running.segment)
        alive.append([Record(id="3", at_us=1, model="m")])
        assert sorted(found.id for found, _ in LogReader(tmp_path).read({}).records) == ["1", "2", "3"]
