"""One checking process as its owner sees it: started, told, heard, measured against its limits, ended."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lockgate.checks.base import Limits, could_not_run
from lockgate.checks.finding import Finding
from lockgate.checks.running.answering import answers_path
from lockgate.checks.running.messages import (
    RECEIVE_BYTES,
    Answered,
    AskMetric,
    AskRows,
    FromProcess,
    Inbox,
    Run,
    ToProcess,
    send,
)

_PAGE = os.sysconf("SC_PAGE_SIZE")
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "LOKY_MAX_CPU_COUNT",
)
_HARD = 1.25  # the kernel refuses memory beyond that many times the limit, should it grow between two looks
_GRACE_S = 5.0
_GIB = 1024**3


@dataclass(frozen=True)
class Used:
    """What a check has used."""

    check: str
    wall_s: float
    peak_bytes: int
    rows: int

    def stopped(self, reason: str) -> Finding:
        """The finding about a check that took its process down."""
        return could_not_run(self.check, "the whole check", f"The check was stopped: {reason}.",
                             "Where it was too large or too slow, give it fewer rows or columns; else the log holds its last "
                             "words. The other checks are not affected.")  # fmt: skip


class Child:
    """A process that runs checks. `check`: what it runs now."""

    def __init__(self, folder: Path, threads: int) -> None:
        self.socket, theirs = socket.socketpair()
        self._log = (folder / "processes.log").open("ab")
        environment = {**os.environ, **dict.fromkeys(_THREADS, str(threads))}
        with theirs:
            command = [
                sys.executable,
                "-P",
                "-m",
                "lockgate.checks.running.process",
                str(folder),
                str(theirs.fileno()),
            ]
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log, env=environment,
                pass_fds=(theirs.fileno(),),
            )  # fmt: skip
        self.check: str | None = None
        self._limits, self._inbox = Limits(), Inbox()
        self._began_s, self._base_bytes, self._peak_bytes, self._rows = 0.0, 0, 0, 0

    def begin(self, check: str, limits: Limits) -> None:
        """Tell it to run a check. A process that is gone is noticed elsewhere."""
        self.check, self._limits, self._rows = check, limits, 0
        self._began_s = time.monotonic()
        self._base_bytes, self._peak_bytes = self._own_bytes(), 0
        self._say(Run(check, int(limits.memory_bytes * _HARD)))

    def end(self) -> Used:
        """It has ended its check, one way or another."""
        used = Used(str(self.check), time.monotonic() - self._began_s, self._peak_bytes, self._rows)
        self.check = None
        return used

    def received(self) -> list[FromProcess] | None:
        """What it says; None when it is gone or talks nonsense."""
        try:
            data = self.socket.recv(RECEIVE_BYTES)
            return self._inbox.feed(data) if data else None
        except (OSError, msgspec.DecodeError):
            return None

    def reply(self, said: Answered) -> None:
        """Answer its question. A process that is gone is noticed elsewhere."""
        self._say(said)

    def budget(self, question: AskRows | AskMetric) -> int:
        """Rows that the check may still ask for, after this question; negative when it asks too many."""
        if isinstance(question, AskRows) and not answers_path(question).exists():
            self._rows += question.rows
        return self._limits.rows - self._rows

    def broken_limit(self) -> str:
        """In words, which limit its check broke; empty while all is well."""
        if self.check is None:
            return ""
        if time.monotonic() - self._began_s > self._limits.time_s:
            return f"it needed more than {self._limits.time_s:g} seconds"
        now = self._own_bytes() - self._base_bytes
        self._peak_bytes = max(self._peak_bytes, now)
        if now > self._limits.memory_bytes:
            return f"it needed more than {self._limits.memory_bytes / _GIB:.2g} GiB of memory"
        return ""

    def last_words(self) -> str:
        """In words, how it ended by itself."""
        try:
            status = self._process.wait(_GRACE_S)
        except subprocess.TimeoutExpired:
            return "its process closed the connection"
        if status < 0:
            return f"its process was ended by the signal {signal.Signals(-status).name}"
        return f"its process ended with status {status}"

    def kill(self) -> None:
        """End it at once. Twice does no harm."""
        self._process.kill()
        self._process.wait()
        self.socket.close()
        self._log.close()

    def _say(self, message: ToProcess) -> None:
        try:
            send(self.socket, message)
        except OSError:
            return

    def _own_bytes(self) -> int:
        """Memory of its own now: what is resident and not mapped from files."""
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()
        except (OSError, ProcessLookupError):
            return 0
        return max(0, int(pages[1]) - int(pages[2])) * _PAGE if len(pages) > 2 else 0
