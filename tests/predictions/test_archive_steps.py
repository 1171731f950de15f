"""The archiver killed before each change that it makes to a file: every record is in the table exactly once, each time."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lockgate.config import Home

STEPS = Path(__file__).parent / "steps"
# What an archiver's pass cannot do without; if one of these is missing, the count does not see what happens.
EXPECTED = {
    ("create", "parquet"), ("write", "parquet"), ("link", "json"), ("rename", "box.json"), ("unlink", "seg"),
}  # fmt: skip


class Archivers:
    """Archiver after archiver on one home, each killed before a step that is chosen."""

    def __init__(self, home: Home, library: Path) -> None:
        self.count = 0
        self.process = subprocess.Popen(
            [sys.executable, STEPS / "driver.py", str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "LD_PRELOAD": str(library)},
        )  # fmt: skip

    def run(self, fatal: int) -> tuple[list[str], bool]:
        """One that dies before that step, and one that comes after it; the steps taken, and whether the first one ended.

        Checks that every record so far is archived once, and that no segment is left.
        """
        assert self.process.stdin is not None
        print(fatal, file=self.process.stdin, flush=True)
        self.count += 1
        first, found = self._told(), self._told()
        wanted = {"archived": sorted(f"r{n}" for n in range(self.count)), "hot": []}
        got = {"archived": sorted(found["archived"]), "hot": found["hot"]}
        assert got == wanted, f"killed before step {fatal}: {first['steps'][-1:]}"
        return first["steps"], first["ended"]

    def _told(self) -> Any:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the driver died"
        return json.loads(line)

    def close(self) -> None:
        """End."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)


@pytest.fixture
def start(tmp_path: Path, sqlite_template: Path) -> Iterator[Callable[[], Archivers]]:
    """Starts archivers on a new home with an empty store."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is needed to count steps (Debian: apt install gcc)")
    library = tmp_path / "steps.so"
    words = [compiler, "-shared", "-fPIC", "-O1", "-w", "-o", library, STEPS / "steps.c", "-ldl"]
    subprocess.run(words, check=True)
    running: list[Archivers] = []

    def begin() -> Archivers:
        home = Home(tmp_path / f"home-{len(running)}").prepare()
        shutil.copyfile(sqlite_template, home.database)
        running.append(Archivers(home, library))
        return running[-1]

    yield begin
    for each in running:
        each.close()


def kind(step: str) -> tuple[str, str]:
    """What a step does to which kind of file: `unlink /log/w/0123-ab.seg` is ("unlink", "seg")."""
    what, path = step.split(" ", 1)
    name = re.sub(r"#\d+$", "", path).rsplit("/", 1)[-1]
    return what, name if name in ("box.json", "lock") else name.rsplit(".", 1)[-1]


def test_killed_before_one_step_of_each_kind(start: Callable[[], Archivers]) -> None:
    """The first step of each kind: creating, writing, linking, renaming, removing, of rows, commit, note and segment."""
    archivers = start()
    first, _ = archivers.run(0)
    steps, ended = archivers.run(0)
    assert ended
    assert {kind(step) for step in (*first, *steps)} >= EXPECTED, (first, steps)
    first_of = {kind(step): number for number, step in reversed(list(enumerate(steps, 1)))}
    for number in first_of.values():
        assert not archivers.run(number)[1]


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_killed_before_every_step(start: Callable[[], Archivers]) -> None:
    """Every step of a pass, into an empty store and into a table that is there: once, each time."""
    seen: list[tuple[str, str]] = []
    for new in (True, False):
        archivers, number, ended = start(), 1, False
        archivers.run(0)
        while not ended:
            archivers = start() if new else archivers
            steps, ended = archivers.run(number)
            number += 1
        seen += [kind(step) for step in steps]
        print(f"killed before each of {len(steps)} steps {'of a first pass' if new else 'of a later one'}")
    assert set(seen) >= EXPECTED
