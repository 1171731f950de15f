"""Models that are loaded beside what serves take turns, and nobody waits for one that is dead, for ever, or for nothing."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
from pathlib import Path

from lockgate.inference.turn import turn

HOLDS = (
    "import fcntl, os, sys; lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT); fcntl.flock(lock, fcntl.LOCK_EX);"
    "print('held', flush=True); sys.stdin.read()"
)


def never(_seconds: float) -> bool:
    """There is always something to load."""
    return False


def test_one_after_the_other(tmp_path: Path) -> None:
    """Eight threads with descriptors of their own are in the block one at a time."""
    inside: list[int] = []
    most: list[int] = []

    def load(number: int) -> None:
        with turn(tmp_path / "lock", threading.Event().wait, patience_s=60.0) as held:
            inside.append(number)
            most.append(len(inside) if held else 99)
            inside.remove(number)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8


def test_the_kernel_takes_it_from_who_was_killed(tmp_path: Path) -> None:
    """While another process holds it, the patient one waits; killed, it holds nothing any more."""
    path = tmp_path / "lock"
    words = [sys.executable, "-c", HOLDS, str(path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with turn(path, never, patience_s=0.0) as held:
            assert not held
        other.kill()
        with turn(path, threading.Event().wait, patience_s=60.0) as held:
            assert held


def test_who_has_nothing_to_load_any_more_does_not_wait(tmp_path: Path) -> None:
    """A pool that closes ends the wait of its threads."""
    closing = threading.Event()
    closing.set()
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lock, fcntl.LOCK_EX)
    with turn(tmp_path / "lock", closing.wait, patience_s=3_600.0) as held:
        assert not held
    os.close(lock)


def test_without_a_file_nobody_is_waited_for() -> None:
    """The live version, validations and scoring load at once."""
    with turn(None, never) as held:
        assert not held
