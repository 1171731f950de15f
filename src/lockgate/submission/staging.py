"""A private folder for one submission: gone afterwards, whatever happens; what a killed process left is swept later."""

from __future__ import annotations

import fcntl
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lockgate.config import Home
from lockgate.errors import Unavailable, is_full

LOCK_NAME = "lock"


@contextmanager
def staging(home: Home) -> Iterator[Path]:
    """An empty folder that only this process's account can enter, removed when the block ends.

    Raises Unavailable when the home cannot be written, or when what the block does finds no room there.
    """
    root = home.cache / "staging"
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(root)
        folder = root / uuid.uuid4().hex
        folder.mkdir(mode=0o700)
        lock = (folder / LOCK_NAME).open("w")
    except OSError as error:
        raise Unavailable(
            f"no room to receive the model below {home.root}",
            got=error.strerror,
            fix="see its rights and its free space",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        work = folder / "work"
        work.mkdir()
        try:
            yield work
        except Exception as error:
            if is_full(error):
                raise Unavailable("the version found no room on the disk", got=str(error)[-200:],
                                  fix=f"make room below {home.root} and try again: nothing was kept") from error  # fmt: skip
            raise
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def sweep(root: Path) -> int:
    """Remove folders whose process is gone: the kernel let go of their lock. Returns how many."""
    swept = 0
    for folder in root.iterdir():
        try:
            with (folder / LOCK_NAME).open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder)
                swept += 1
        except (BlockingIOError, FileNotFoundError, NotADirectoryError):
            continue  # in use, just being made, or swept by someone else
    return swept
