"""Where jobs put files: below `run/jobs` of the home, under a mark that the process holds locked for as long as it lives.

The kernel lets go of the lock when the process ends, however it ends: the next one to open the home takes the files away.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import IO

MARK = ".lock"
FORGOTTEN_S = 86_400.0  # files without a mark: those of earlier versions


class Places:
    """Names for the files of one process. The mark is made with the first of them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._owner = folder, secrets.token_hex(8)
        self._mark: IO[bytes] | None = None
        self._lock = threading.Lock()

    def new(self, name: str) -> Path:
        """A path that nothing else uses; nothing is there yet."""
        with self._lock:
            if self._mark is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._mark = _marked(self._folder / f"{self._owner}{MARK}")
        return self._folder / f"{self._owner}-{secrets.token_hex(8)}-{name}"

    def close(self) -> None:
        """Take away every file, whoever still works with them, and the mark."""
        with self._lock:
            if self._mark is not None:
                _remove(self._folder.glob(f"{self._owner}-*"))
                Path(self._mark.name).unlink(missing_ok=True)
                self._mark.close()
                self._mark = None


def sweep(folder: Path) -> None:
    """Take away the files of processes that are gone."""
    owners = set()
    for mark in folder.glob(f"*{MARK}"):
        owner = mark.name.removesuffix(MARK)
        try:
            with mark.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                _remove(folder.glob(f"{owner}-*"))
                mark.unlink(missing_ok=True)
        except BlockingIOError:
            owners.add(owner)  # it lives
        except FileNotFoundError:
            continue  # somebody else was first
    unmarked = (path for path in folder.glob("*") if path.name.partition("-")[0] not in owners)
    _remove(path for path in unmarked if not path.name.endswith(MARK) and _age_s(path) > FORGOTTEN_S)


def _marked(path: Path) -> IO[bytes]:
    """The mark, locked. A sweeper may take a fresh one away before it is locked; then it is made again."""
    while True:
        file = path.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            if os.path.samestat(os.fstat(file.fileno()), path.stat()):
                return file
        except FileNotFoundError:
            file.close()


def _remove(paths: Iterable[Path]) -> None:
    for path in list(paths):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _age_s(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
