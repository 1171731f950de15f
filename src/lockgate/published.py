"""A value that one process publishes to others on the same host: an immutable file and one 64-bit word.

The writer writes `<name>-<epoch>` (temporary file, fsync, rename), then stores the epoch in one aligned word of a
memory-mapped file. Readers compare the word with the epoch that they know (tens of nanoseconds) and read the file
only when it changed. A writer that is killed at any moment leaves a valid word. Several writers take turns by
`flock`. Old files are kept (`KEEP`) so that a slow reader still finds the one it was told of.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

KEEP = 50
WORD_BYTES = 8


class Published:
    """One published value in a folder. Epoch 0 means that nothing was published yet.

    >>> shelf = Published(Path(tempfile.mkdtemp()), "plan")
    >>> shelf.word(), shelf.publish(lambda epoch, old: b"one"), shelf.latest()
    (0, 1, (1, b'one'))
    """

    def __init__(self, folder: Path, name: str) -> None:
        self._folder, self._name = folder, name
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / f"{name}.word", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            if os.fstat(handle).st_size < WORD_BYTES:
                os.ftruncate(handle, WORD_BYTES)
            self._map = mmap.mmap(handle, WORD_BYTES)
        finally:
            os.close(handle)
        self._view = memoryview(self._map).cast("Q")

    def word(self) -> int:
        """The newest epoch: one aligned load, safe to read in every request."""
        return self._view[0]

    def read(self, epoch: int) -> bytes:
        """The value of one epoch. FileNotFoundError when it was tidied away."""
        return self._path(epoch).read_bytes()

    def latest(self) -> tuple[int, bytes]:
        """The newest epoch and its value; `(0, b"")` when nothing was published."""
        epoch = self.word()
        return (epoch, self.read(epoch)) if epoch else (0, b"")

    def publish(self, make: Callable[[int, bytes], bytes]) -> int:
        """Publish `make(new epoch, old value)` and return the new epoch. Writers take turns."""
        with (self._folder / f"{self._name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            old_epoch, old = self.latest()
            epoch = old_epoch + 1
            self._write(epoch, make(epoch, old))
            self._view[0] = epoch
            self._map.flush()
            self._path(epoch - KEEP).unlink(missing_ok=True)
        return epoch

    def follow(self, epoch: int, value: bytes) -> None:
        """Publish a value that another host published there, under that host's epoch (which may even be a lower one)."""
        with (self._folder / f"{self._name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._write(epoch, value)
            self._view[0] = epoch
            self._map.flush()
            values = self._folder.glob(f"{self._name}-*")
            for old in sorted(values, key=lambda path: path.stat().st_mtime_ns, reverse=True)[KEEP:]:
                old.unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of the mapping."""
        self._view.release()
        self._map.close()

    def _path(self, epoch: int) -> Path:
        return self._folder / f"{self._name}-{epoch}"

    def _write(self, epoch: int, value: bytes) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix=f".{self._name}-")
        with os.fdopen(handle, "wb") as file:
            file.write(value)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(temporary).rename(self._path(epoch))
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
