"""Bringing what a writer has written on to the disk: one sync for all who wait, and none on the thread that writes."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Lock

from lockgate.predictions.segment import sync_folder


class Disk:
    """What of one writer's folder is on the disk. `began`, `wrote` and `ended` are called under the writer's lock."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._folder, self._lock_file = folder, lock
        self._turn = Lock()
        self._handle = -1
        self._ended: list[int] = []
        self._fresh = False
        self._written = self._synced = 0

    def began(self, handle: int) -> None:
        """A segment was made."""
        self._handle, self._fresh = handle, True

    def wrote(self) -> None:
        """A frame is in the kernel."""
        self._written += 1

    def ended(self) -> None:
        """The segment is at its end; its file is closed after the next sync."""
        self._ended.append(self._handle)
        self._handle = -1

    def sync(self) -> None:
        """Return when everything that was written before is on the disk. Raises OSError.

        Whoever comes first syncs for everybody who waits meanwhile.
        """
        wanted = self._written
        with self._turn:
            if self._synced >= wanted and not self._ended:
                return
            reached, handle = self._written, self._handle
            ended, self._ended = (
                self._ended,
                [],
            )  # after the look at the handle, which may be ended in between
            if self._fresh:
                self._fresh = False
                os.fdatasync(self._lock_file)
                sync_folder(self._folder)
            try:
                for one in {*ended, handle} - {-1}:
                    os.fdatasync(one)
            finally:
                for one in ended:
                    os.close(one)
            self._synced = reached
