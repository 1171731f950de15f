"""Whether somebody put another copy in the place of a package whose seal was broken: then it is worth reading again at once."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

Stamp = frozenset[tuple[str, int, int, int]]


class Place:
    """The folder of a package that was refused, as it was then."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._refused = self._last = stamp(folder)

    def restored(self) -> bool:
        """Whether it is unlike it was, and as it was at the look before: a copy that is still being made is not whole."""
        before, self._last = self._last, stamp(self._folder)
        return self._last == before and self._last != self._refused


def stamp(folder: Path) -> Stamp:
    """What tells one copy from another without reading it: name, inode, size and time of change of all in it."""
    found = set()
    for inside, folders, files in os.walk(folder):  # passes by what is being taken away, unlike Path.rglob
        for name in (*folders, *files):
            path = Path(inside, name)
            with contextlib.suppress(OSError):
                there = path.stat()
                found.add((str(path), there.st_ino, there.st_size, there.st_ctime_ns))
    return frozenset(found)
