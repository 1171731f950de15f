"""Results of steps, kept in a folder each under the key of what made them. Whole or not there: a folder is renamed into place.

What lies here was written by the pipelines of one model and is read by them alone, in their confined process.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lockgate.errors import InvalidInput

META = "value.json"
KEPT_DAYS = 30.0
DAY_S = 86_400.0


class Said(msgspec.Struct, frozen=True):
    """What the step's process said of its value."""

    kind: str
    type: str = ""
    shape: tuple[int, ...] = ()
    items: tuple[str, ...] = ()


@dataclass(frozen=True)
class Kept:
    """A result: its folder, the digest of its files, their size, and what it is."""

    folder: Path
    digest: str
    bytes: int
    said: Said


class StepCache:
    """The results of one model's steps."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder

    def find(self, key: str) -> Kept | None:
        """What is kept under a key; None when nothing whole is."""
        place = self._place(key)
        try:
            digest, size = (place / "digest").read_text().split()
            said = msgspec.json.decode((place / META).read_bytes(), type=Said)
            os.utime(place)  # when it was last wanted
        except (OSError, ValueError, msgspec.DecodeError):
            return None
        return Kept(place, digest, int(size), said)

    def keep(self, key: str, made: Path) -> Kept:
        """Take a folder that a step wrote under its key. Where another run was first, that one's result stays."""
        place = self._place(key)
        place.parent.mkdir(parents=True, exist_ok=True)
        taken = made.rename(_beside(place))  # out of the step's reach before anything in it is opened
        try:
            require_plain(taken)
            digest, size = digest_of_folder(taken)
            (taken / "digest").write_text(f"{digest} {size}")
            self._place_it(taken, place, key)
        finally:
            shutil.rmtree(taken, ignore_errors=True)  # refused, or another run was first
        found = self.find(key)
        if found is None:
            raise OSError(f"the result {key[:12]} cannot be read back")
        return found

    def _place_it(self, taken: Path, place: Path, key: str) -> None:
        try:
            taken.rename(place)
        except OSError:
            if self.find(key) is None:  # what is there is broken
                aside = place.rename(_beside(place))
                taken.rename(place)
                shutil.rmtree(aside, ignore_errors=True)

    def clean(self, days: float = KEPT_DAYS) -> int:
        """Let go of results that nobody wanted for that long. Returns how many."""
        gone, oldest_s = 0, time.time() - days * DAY_S
        for place in self.folder.glob("*/*"):
            if place.stat().st_mtime < oldest_s:
                shutil.rmtree(place, ignore_errors=True)
                gone += 1
        return gone

    def _place(self, key: str) -> Path:
        return self.folder / key[:2] / key


def require_plain(folder: Path) -> None:
    """What a pipeline's process left holds folders and regular files alone: a link could lead to any file of ours.

    Raises InvalidInput. `folder` must lie where that process can no longer write.
    """
    waiting = [folder]
    while waiting:
        path = waiting.pop()
        found = path.lstat()
        if stat.S_ISDIR(found.st_mode):
            waiting += path.iterdir()
        elif not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            raise InvalidInput(
                "what a pipeline leaves are folders and regular files",
                got=f"{path.name} (a link or a special file)",
                fix="copy the file instead of linking to it",
            )


def _beside(place: Path) -> Path:
    return place.with_name(f"{place.name}.{uuid.uuid4().hex}.part")


def digest_of_folder(folder: Path) -> tuple[str, int]:
    """Over names and bytes of every file, and how many bytes they are."""
    state, size = hashlib.sha256(), 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "digest"):
        length = path.stat().st_size
        state.update(f"{path.relative_to(folder).as_posix()} {length}\n".encode())
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                state.update(chunk)
        size += length
    return state.hexdigest(), size
