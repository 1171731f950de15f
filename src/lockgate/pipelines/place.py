"""Where runs work: a folder each below the cache of the home, locked while its process lives.

A folder whose lock is free has lost its process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.config import Home
from lockgate.errors import Unavailable
from lockgate.pipelines.cache import StepCache

WORDS = "output.txt"
LOCK = ".lock"


def cache_of(home: Home, model: str) -> StepCache:
    """The kept results of one model's steps."""
    return StepCache(home.cache / "pipelines" / model / "steps")


def folder_of(home: Home, model: str, run: int) -> Path:
    """Where a run works, and what it printed stays."""
    return home.cache / "pipelines" / model / "runs" / str(run)


@contextmanager
def working(home: Home, model: str, run: int) -> Iterator[Path]:
    """The folder of a run, locked for the length of a block: its process is alive. Raises Unavailable."""
    folder = folder_of(home, model, run)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK).open("w")
    except OSError as error:
        raise Unavailable(
            f"no room for the run below {home.root}",
            got=error.strerror,
            fix="see its rights and its free space",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder


@contextmanager
def tidied(folder: Path) -> Iterator[None]:
    """After the block, only what a run printed is left in its folder."""
    try:
        yield
    finally:
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)


def is_alive(home: Home, model: str, run: int) -> bool:
    """Whether the process of a run lives on this machine: the kernel lets go of its lock when it ends, however it ends."""
    try:
        with (folder_of(home, model, run) / LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


def words_of(home: Home, model: str, run: int, most_bytes: int = 100_000) -> str:
    """The last of what a run's steps printed."""
    path = folder_of(home, model, run) / WORDS
    try:
        with path.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - most_bytes))
            return file.read().decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
