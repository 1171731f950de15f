"""Published values: readers see whole values and growing epochs, whatever happens to writers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from lockgate.published import KEEP, Published

_WRITER = """
import sys
from pathlib import Path
from lockgate.published import Published
shelf = Published(Path(sys.argv[1]), "plan")
print("started", flush=True)
while True:
    shelf.publish(lambda epoch, old: (str(epoch) * 2000).encode())
"""


def test_values_and_epochs_follow_each_other(tmp_path: Path) -> None:
    """Epoch 0 before anything; then 1, 2, 3, each with its value, seen by another reader."""
    writer, reader = Published(tmp_path, "plan"), Published(tmp_path, "plan")
    assert reader.latest() == (0, b"")
    for turn in range(1, 4):
        assert writer.publish(lambda epoch, old: old + str(epoch).encode()) == turn
        assert reader.word() == turn
    assert reader.latest() == (3, b"123")
    assert reader.read(1) == b"1"


def test_a_make_that_raises_publishes_nothing(tmp_path: Path) -> None:
    """The old value stays in force, and the next writer is not locked out."""
    shelf = Published(tmp_path, "plan")
    shelf.publish(lambda _epoch, _old: b"one")
    with pytest.raises(ZeroDivisionError):
        shelf.publish(lambda _epoch, _old: bytes(1 // 0))
    assert shelf.latest() == (1, b"one")
    assert shelf.publish(lambda _epoch, old: old + b"+") == 2


def test_old_values_are_kept_for_slow_readers_and_then_tidied(tmp_path: Path) -> None:
    """A reader that was told of an epoch finds it for the next 50 publications."""
    shelf = Published(tmp_path, "plan")
    for _ in range(KEEP + 5):
        shelf.publish(lambda epoch, _old: str(epoch).encode())
    assert shelf.read(6) == b"6"
    with pytest.raises(FileNotFoundError):
        shelf.read(5)


def test_many_writers_take_turns(tmp_path: Path) -> None:
    """Six threads with shelves of their own: no publication is lost."""

    def publish() -> None:
        shelf = Published(tmp_path, "plan")
        for _ in range(20):
            shelf.publish(lambda _epoch, old: old + b".")
        shelf.close()

    threads = [threading.Thread(target=publish) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Published(tmp_path, "plan").latest() == (120, b"." * 120)


def test_a_killed_writer_leaves_a_valid_word_and_torn_reads_do_not_happen(tmp_path: Path) -> None:
    """kill -9 at five moments under continuous writing: every value ever read is whole and belongs to its epoch."""
    reader = Published(tmp_path, "plan")
    seen = 0
    for turn in range(5):
        with subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path)], stdout=subprocess.PIPE
        ) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            end = time.monotonic() + 0.15 + turn * 0.037
            last = reader.word()
            while time.monotonic() < end or seen <= 20 * (turn + 1):
                epoch, value = reader.latest()
                assert epoch >= last
                assert value == (str(epoch) * 2000).encode() or epoch == 0
                seen, last = seen + 1, epoch
            os.kill(writer.pid, signal.SIGKILL)
        epoch, value = reader.latest()
        assert value == (str(epoch) * 2000).encode()
        heir = Published(tmp_path, "plan")
        after = heir.publish(lambda number, _old: (str(number) * 2000).encode())
        assert after == epoch + 1
        heir.close()
    assert seen > 100
