"""Who writes the log: one process per writer's folder, held by a lock that the kernel lets go when the process dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.predictions.segment import SUFFIX, end_torn

LOCK_NAME = "lock"
NUMBER_DIGITS = 17  # microseconds since 1970, until the year 5138


def claim(folder: Path) -> int | None:
    """A handle that holds the lock of a writer's folder until it is closed; None when another process holds it."""
    handle = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def last_number(lock: int) -> int:
    """The highest number that a segment of this writer ever had; 0: none. Kept beside the segments, which go."""
    return int(os.pread(lock, NUMBER_DIGITS, 0) or b"0")


def note_number(lock: int, number: int) -> None:
    """Put on record that a segment of this number is about to be made."""
    os.pwrite(lock, f"{number:0{NUMBER_DIGITS}d}".encode(), 0)


def roll_wanted(folder: Path) -> Path:
    """The file whose being there asks a writer to end its segment at its next rest."""
    return folder / "roll"


def segments_in(log: Path) -> Iterator[str]:
    """Every segment of every writer, as `<writer>/<name>`, in no order."""
    for writer in log.glob("*"):
        if writer.is_dir():
            yield from (f"{writer.name}/{path.stem}" for path in writer.glob(f"*{SUFFIX}"))


def end_segments(folder: Path) -> None:
    """End every segment in a writer's folder; only for the holder of its lock."""
    for path in sorted(folder.glob(f"*{SUFFIX}")):
        end_torn(path, f"{folder.name}/{path.stem}")


def end_abandoned(log: Path) -> list[str]:
    """End the segments of writers that died and did not come back; returns the writers that nobody runs now."""
    idle = []
    for folder in sorted(path for path in log.glob("*") if path.is_dir()):
        with _held(folder) as held:
            if held:
                end_segments(folder)
                idle.append(folder.name)
    return idle


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    lock = claim(folder)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)
