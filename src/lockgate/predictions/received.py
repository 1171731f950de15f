"""Segments that another host wrote: put in place whole, in the order in which their writer began them, each exactly once.

A segment is one file with checksums that run from its own name, so it means the same here as there. What came is known by
three signs, whichever survived: the writer's last number (kept beside the segments), the file, and the archive.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

from lockgate.blobs import Blobs
from lockgate.errors import Busy, InvalidInput
from lockgate.predictions.segment import SUFFIX, is_ended, sync_folder
from lockgate.predictions.table import Archive
from lockgate.predictions.writers import NUMBER_DIGITS, claim, last_number, note_number

_SEGMENT = re.compile(rf"[A-Za-z0-9._@+-]{{1,100}}/\d{{{NUMBER_DIGITS}}}-[0-9a-f]{{8}}")
PATIENCE_S = 2.0  # while the archiver looks into the same folder


def receive(log: Path, blobs: Blobs, segment: str, whole: Path) -> bool:
    """Move a whole, ended segment into the log, on the same file system; false when it was here before.

    Raises InvalidInput for another name or a file that is not ended, Busy while somebody writes under that name here.
    """
    check_segment_name(segment)
    if not is_ended(whole, segment):
        raise InvalidInput(
            f"the segment {segment} is not whole", fix="send an ended segment with all its bytes"
        )
    writer, _, name = segment.partition("/")
    folder, number = log / writer, int(name.partition("-")[0])
    folder.mkdir(parents=True, exist_ok=True)
    lock = _claimed(folder)
    try:
        if number <= last_number(lock):
            return False
        target = log / f"{segment}{SUFFIX}"
        new = not target.exists() and not Archive(log, blobs).look().holds(segment)
        if new:
            whole.replace(target)
            sync_folder(folder)
        note_number(lock, number)  # after the file: a crash in between is seen by the file or by the archive
        os.fdatasync(lock)
        return new
    finally:
        os.close(lock)


def check_segment_name(segment: str) -> None:
    """Raise InvalidInput for anything but `<writer>/<number>-<digits>`."""
    writer = segment.partition("/")[0]
    if not _SEGMENT.fullmatch(segment) or not writer.strip("."):
        raise InvalidInput(
            "this is not the name of a segment", got=segment[:120], allowed="WRITER/NUMBER-DIGITS"
        )


def _claimed(folder: Path) -> int:
    deadline = time.monotonic() + PATIENCE_S
    while (lock := claim(folder)) is None:
        if time.monotonic() > deadline:
            raise Busy(f"a process of this machine writes the log as '{folder.name}'", fix="try again")
        time.sleep(0.01)
    return lock
