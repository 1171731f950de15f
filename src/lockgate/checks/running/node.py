"""What a machine of a Ray cluster does for one check: it keeps a checking process, its limits and its tables.

The process is the one of `local.py`. Nothing here asks a model: questions go back to the owner as bytes, and so do findings.
"""

from __future__ import annotations

import importlib.metadata
import platform
import selectors
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from lockgate.checks.base import Limits
from lockgate.checks.running.answering import answers_path
from lockgate.checks.running.child import Child, Used
from lockgate.checks.running.messages import (
    Answered,
    AskMetric,
    AskRows,
    Done,
    FromProcess,
    pack,
    unpack_answered,
)

LOOK_S = 0.05  # how often limits are looked at
HEAR_S = 1.0  # the owner hears from a check that often at least


@dataclass(frozen=True)
class Heard:
    """What a check did since it was last heard: `messages` packed, `body` the table that its question is about.

    `stopped`: why its process is no more; `used` once it has ended, one way or another.
    """

    messages: tuple[bytes, ...] = ()
    body: bytes = b""
    stopped: str = ""
    used: Used | None = None


def versions() -> tuple[str, str]:
    """Of lockgate and of Python, on this machine."""
    return importlib.metadata.version("lockgate"), platform.python_version()


class Node:
    """One check on this machine. `evidence`: the files of its folder (see `folder.py`) by their paths in it."""

    def __init__(self, evidence: dict[str, bytes]) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lockgate-checks-"))
        for name, body in evidence.items():
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body)
        (self._folder / "asked").mkdir()
        self._child = Child(self._folder, threads=1)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._child.socket, selectors.EVENT_READ)
        self._asked: AskRows | AskMetric | None = None

    def begin(self, check: str, time_s: float, memory_bytes: int) -> Heard:
        """Start the check."""
        self._child.begin(check, Limits(time_s=time_s, memory_bytes=memory_bytes))
        return Heard()

    def hear(self, answer: bytes, body: bytes) -> Heard:
        """Pass on the owner's answer (empty: there is none) and wait, a second at most, for what the check does next."""
        if answer:
            self._child.reply(self._at_home(unpack_answered(answer), body))
        until_s = time.monotonic() + HEAR_S
        while time.monotonic() < until_s:
            if self._selector.select(LOOK_S):
                messages = self._child.received()
                if messages is None:
                    return self._end(stopped=self._child.last_words())
                if messages:
                    return self._told(messages)
            if reason := self._child.broken_limit():
                return self._end(stopped=reason)
        return Heard()

    def close(self) -> None:
        """End the process and take its files away."""
        self._selector.close()
        self._child.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _told(self, messages: list[FromProcess]) -> Heard:
        packed = tuple(pack(message) for message in messages)
        last = messages[-1]
        if isinstance(last, Done):
            return self._end(packed)
        if not isinstance(last, AskRows | AskMetric):
            return Heard(packed)
        self._asked = last
        return Heard(packed, Path(last.path).read_bytes())

    def _at_home(self, said: Answered, body: bytes) -> Answered:
        """The owner's answer with the answers in a file of this machine."""
        if not said.path or not isinstance(self._asked, AskRows):
            return said
        path = answers_path(self._asked)
        path.write_bytes(body)
        return Answered(path=str(path))

    def _end(self, messages: tuple[bytes, ...] = (), stopped: str = "") -> Heard:
        return Heard(messages, stopped=stopped, used=self._child.end())
