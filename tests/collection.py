"""How the whole suite is gathered and in which order its files run: each test process imports all of it, which counts.

Three savings. Examples in docstrings are looked for where there are any. What pytest makes of test modules (asserts that
explain themselves) is written down, each file by one process. Long files are spread over the run, so that others compute while
they wait for servers, and none of them is alone at the end; `--no-loadscope-reorder` makes pytest-xdist keep that order.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parent
# Files and folders that take a process 15 seconds or more: they start boxes, kill processes, or train and check much.
LONG = (
    "system/",
    "cli/",
    "faults/test_away.py",
    "faults/test_hosts.py",
    "submission/test_submit.py",
    "client/test_words.py",
    "test_supervisor.py",
    "release/test_crashes.py",
    "release/test_shadow.py",
    "release/test_shadow_verdict.py",
    "wiring/test_load.py",
    "web/api/test_bounds.py",
    "gateway/test_canary.py",
    "checks/test_suite.py",
    "checks/test_back_test.py",
    "checks/test_running.py",
)
SPREAD_OVER = 0.5  # the share of the other files that have begun when the last long one begins; the last are examples, soon done


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[Any], list[Any]]:
    """Look for examples only in files that have some: no tests do, and one module of five."""
    found = yield
    if file_path.is_relative_to(TESTS):
        return [one for one in found if type(one).__name__ != "DoctestModule"]
    return found if not found or ">>> " in file_path.read_text() else []


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Of a whole run, import this process's share of the test modules before all others."""
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, False
    worker = getattr(session.config, "workerinput", None)
    if worker is not None and [Path(one).name for one in session.config.args] == ["tests", "lockgate"]:
        for path in share_of(int(worker["workerid"].removeprefix("gw")), worker["workercount"]):
            _import(".".join(path.relative_to(TESTS.parent).with_suffix("").parts))
    try:
        return (yield)
    finally:
        sys.dont_write_bytecode = before


def share_of(worker: int, workers: int) -> list[Path]:
    """Every so many-th test module, for one of so many processes."""
    return sorted(TESTS.rglob("test_*.py"))[worker::workers]


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except (ImportError, pytest.skip.Exception):  # said when it is collected
        sys.modules.pop(name, None)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files in the order of `in_order`; tests of a file keep theirs."""
    files: dict[Path, list[pytest.Item]] = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    items[:] = [
        item for path in in_order({path: len(own) for path, own in files.items()}) for item in files[path]
    ]


def in_order(tests: dict[Path, int]) -> list[Path]:
    """The files, by how many tests each has: most first, and the long ones spread evenly over the first half."""
    long, other = [], []
    for path in sorted(tests, key=lambda path: -tests[path]):
        place = path.relative_to(TESTS).as_posix() if path.is_relative_to(TESTS) else ""
        (long if place.startswith(LONG) else other).append(path)
    apart = SPREAD_OVER * len(other) / max(len(long), 1)
    places = [(number * apart, 0, path) for number, path in enumerate(long)]
    places += [(number, 1, path) for number, path in enumerate(other)]
    return [path for *_, path in sorted(places)]
