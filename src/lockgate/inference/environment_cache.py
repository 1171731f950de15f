"""What the home keeps of built environments: listed with size and last use, removed when nobody uses them."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from lockgate.config import Home
from lockgate.errors import Conflict, NotFound
from lockgate.inference.environment_build import PIN, alone, folder_of

DAY_S = 86_400.0
SHOWN = 3  # packages in a line


@dataclass(frozen=True)
class Kept:
    """One environment. `own_bytes`: what removing it frees; files that are linked elsewhere count for nothing.

    `unused_s`: since it was last asked for. `pids`: processes that run in it now.
    """

    digest: str
    packages: tuple[str, ...]
    total_bytes: int
    own_bytes: int
    unused_s: float
    pids: tuple[int, ...]


def kept(home: Home) -> list[Kept]:
    """Every environment of a home, the one that was used last first."""
    root = folder_of(home)
    folders = [path for path in root.iterdir() if path.is_dir() and not path.suffix] if root.is_dir() else []
    running = _running(root)
    found = [_look(path, running.get(path.name, ())) for path in folders]
    return sorted(found, key=lambda one: one.unused_s)


def remove(home: Home, digests: Collection[str] = (), *, unused_days: float | None = None) -> list[Kept]:
    """Remove the named environments, or all that nobody asked for in so many days; returns which.

    Those that run now stay. Raises NotFound for a name that is not there, Conflict when a named one is in use. A version that
    needs a removed one builds it again when it is loaded next.
    """
    there = {one.digest: one for one in kept(home)}
    for digest in digests:
        if digest not in there:
            raise NotFound(f"there is no environment {digest}", fix="lockgate environments")
        if there[digest].pids:
            raise Conflict(f"the environment {digest} is in use", got=f"processes {there[digest].pids}")
    old = [one.digest for one in there.values()
           if unused_days is not None and one.unused_s >= unused_days * DAY_S and not one.pids]  # fmt: skip
    removed = []
    for digest in dict.fromkeys([*digests, *old]):
        folder = folder_of(home) / digest
        with alone(folder.with_suffix(".lock")):
            gone = folder.with_name(
                f"{digest}.removed.part"
            )  # not half an environment under its name, if we are killed
            folder.rename(gone)
            shutil.rmtree(gone, ignore_errors=True)
        removed.append(there[digest])
    return removed


def _look(folder: Path, pids: tuple[int, ...]) -> Kept:
    total = own = 0
    for root, _, names in os.walk(folder):
        for name in names:
            found = Path(root, name).lstat()
            total += found.st_size
            own += found.st_size if found.st_nlink == 1 else 0
    lines = (folder / "requirements.txt").read_text().splitlines()
    packages = tuple(f"{pin.group(1)}=={pin.group(2)}" for pin in map(PIN.match, lines) if pin)
    return Kept(folder.name, packages, total, own, max(0.0, time.time() - folder.stat().st_mtime), pids)


def _running(root: Path) -> dict[str, tuple[int, ...]]:
    """Processes by the environment whose interpreter they were started with."""
    start = f"{root}/"
    found: dict[str, tuple[int, ...]] = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            program = path.read_bytes().split(b"\0", 1)[0].decode(errors="replace")
        except OSError:
            continue  # it ended, or it is another user's
        if program.startswith(start):
            digest = program[len(start) :].split("/", 1)[0]
            found[digest] = (*found.get(digest, ()), int(path.parent.name))
    return found
