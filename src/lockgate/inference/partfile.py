"""A file that is being made beside its place: locked while its maker lives, taken away by the next one when it was killed."""

from __future__ import annotations

import fcntl
import os
import uuid
from pathlib import Path


class PartFile:
    """An empty hidden file beside `target`. `place` renames it there; closing without that takes it away."""

    def __init__(self, target: Path) -> None:
        self._target = target
        _tidy(target)
        while True:
            self.path = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
            self._lock = os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o666)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            if os.fstat(self._lock).st_nlink:  # nobody took it for an orphan before it was locked
                return
            os.close(self._lock)

    def place(self) -> None:
        """Sync what was written and put it in its place, whole."""
        os.fsync(self._lock)
        self.path.replace(self._target)

    def close(self) -> None:
        """Let go of the lock; what was not placed is gone."""
        self.path.unlink(missing_ok=True)
        os.close(self._lock)


def _tidy(target: Path) -> None:
    """Take away what makers of the same target left that were killed: the kernel let go of their locks."""
    start = f".{target.name}."
    for path in target.parent.iterdir():
        if not (path.name.startswith(start) and path.name.endswith(".part")):
            continue
        try:
            left = os.open(path, os.O_RDWR)
        except OSError:
            continue  # gone meanwhile, or somebody else's
        try:
            fcntl.flock(left, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink(missing_ok=True)
        except BlockingIOError:
            continue  # it is being made
        finally:
            os.close(left)
