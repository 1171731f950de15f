"""The temporary folders of runners: one each, locked while its owner lives, taken away when it is gone.

A runner's owner may be killed at any moment and leaves its folder behind. The kernel lets go of the lock, so whoever
starts a runner next knows which folders nobody owns, in containers that number processes anew as well.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "lockgate-runner-"
YOUNG_S = 60.0  # between making and locking a folder nothing takes longer


class RunnerFolder:
    """An empty folder of this process alone."""

    def __init__(self) -> None:
        self.path = tempfile.mkdtemp(prefix=PREFIX)
        try:
            self._lock = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            Path(self.path).rmdir()
            raise
        fcntl.flock(self._lock, fcntl.LOCK_EX)

    def remove(self) -> None:
        """Take it away. Twice does no harm."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def tidy(above: Path | None = None, *, young_s: float = YOUNG_S) -> list[Path]:
    """Take away the folders of owners that died; returns which. Folders of other users are left to them."""
    taken = []
    for path in (above or Path(tempfile.gettempdir())).glob(f"{PREFIX}*"):
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except OSError:
            continue  # gone meanwhile, or somebody else's
        try:
            if time.time() - os.fstat(lock).st_mtime < young_s:
                continue
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
            taken.append(path)
        except BlockingIOError:
            continue  # its owner lives
        finally:
            os.close(lock)
    return taken
