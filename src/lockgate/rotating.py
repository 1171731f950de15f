"""A text file that is appended to and moved aside when it has grown too large."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

LOG_BYTES = 8 * 1024 * 1024
LOG_KEEP = 3


class RotatingLog:
    """Appends to a file; past `limit_bytes` it becomes `<name>.1`, the older ones move on, the oldest goes."""

    def __init__(self, path: Path, *, limit_bytes: int = LOG_BYTES, keep: int = LOG_KEEP) -> None:
        self._path, self._limit_bytes, self._keep = path, limit_bytes, keep

    def write(self, chunk: bytes) -> None:
        """Append. A log that cannot be written (full disk) must not stop the process that it is about."""
        with suppress(OSError):
            if self._path.exists() and self._path.stat().st_size + len(chunk) > self._limit_bytes:
                self._rotate()
            with self._path.open("ab") as file:
                file.write(chunk)

    def _rotate(self) -> None:
        for number in range(self._keep - 1, 0, -1):
            older = self._path.with_name(f"{self._path.name}.{number}")
            if older.exists():
                older.rename(self._path.with_name(f"{self._path.name}.{number + 1}"))
        self._path.rename(self._path.with_name(f"{self._path.name}.1"))
