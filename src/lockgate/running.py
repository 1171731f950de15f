"""One child process: started, its words kept in a log, buried when it dies, asked to stop or to make room for a successor."""

from __future__ import annotations

import ctypes
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lockgate.rotating import RotatingLog

FIRST_DELAY_S = 0.05  # after the first death
LONGEST_DELAY_S = 5.0  # a child that never stays up is tried again this often
CHUNK_BYTES = 65_536
DEATHS, KEPT_DEATHS = ".deaths", 20
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Child:
    """One process to keep alive. Lower ranks are stopped first; `stop_s`: how long it may take before it is killed."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)  # added to the supervisor's own
    rank: int = 0
    stop_s: float = 30.0
    ready: Callable[[int], bool] | None = (
        None  # whether that process does its work; such children can be renewed
    )


@dataclass(frozen=True)
class Event:
    """Something that happened to a child, in words for people: `started`, `died`, `stopped` or `killed`."""

    name: str
    what: str
    detail: str
    pid: int


@dataclass(frozen=True)
class Death:
    """One death of a child, by the clock of the machine."""

    at_us: int
    words: str


def deaths_of(folder: Path, name: str) -> list[Death]:
    """The last deaths of a child, the oldest first; none of those that were asked for."""
    try:
        lines = (folder / f"{name}{DEATHS}").read_text().splitlines()
    except FileNotFoundError:
        return []
    parts = (line.partition(" ") for line in lines)
    return [Death(int(at_us), words) for at_us, _, words in parts if at_us.isdigit()]


def delay_s(deaths: int) -> float:
    """How long to wait before the next start, after that many early deaths.

    >>> delay_s(0), delay_s(3), delay_s(200)
    (0.05, 0.4, 5.0)
    """
    return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(deaths, 30)))


class Running:
    """One child and what is known of it."""

    def __init__(self, child: Child, folder: Path, tell: Callable[[Event], None]) -> None:
        self.child, self._folder, self._tell = child, folder, tell
        self.pid: int | None = None
        self.due = 0.0  # monotonic time of the next start
        self._deaths = 0
        self._started = 0.0
        self._stopping = self._renewing = False
        self._log = RotatingLog(folder / f"{child.name}.log")
        self._process: subprocess.Popen[bytes] | None = None
        self._pidfd = -1

    def start(self, selector: selectors.BaseSelector) -> None:
        """Start the process; a failure to start counts as a death."""
        self._started = time.monotonic()
        try:
            self._process = subprocess.Popen(
                self.child.argv,
                env={**os.environ, **self.child.env},
                stdin=subprocess.DEVNULL,
                process_group=0,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with(os.getpid()),  # noqa: PLW1509
            )
        except OSError as error:
            self._tell(Event(self.child.name, "could not be started:", str(error), 0))
            self._put_off()
            return
        self.pid = self._process.pid
        write_pid(self._folder / f"{self.child.name}.pid", self.pid)
        self._pidfd = os.pidfd_open(self.pid)
        os.set_blocking(self._output().fileno(), False)
        selector.register(self._pidfd, selectors.EVENT_READ, (self, False))
        selector.register(self._output(), selectors.EVENT_READ, (self, True))
        self._tell(Event(self.child.name, "started", f"as process {self.pid}", self.pid))

    def copy_log(self, selector: selectors.BaseSelector) -> None:
        """Move what the child wrote into its log."""
        chunk = self._output().read(CHUNK_BYTES)
        if chunk:
            self._log.write(chunk)
        elif chunk == b"":  # every holder closed it; None would mean: nothing to read now
            selector.unregister(self._output())

    def bury(self, selector: selectors.BaseSelector) -> None:
        """Take note of the death and plan the next start, unless it was asked to stop."""
        pid, status = self._end(selector)
        if self._stopping:
            self._tell(Event(self.child.name, "stopped", "" if status == 0 else _words(status), pid))
        elif self._renewing:
            self._renewing, self.due = False, time.monotonic()
            self._tell(Event(self.child.name, "stopped", "for a successor", pid))
        else:
            wait = self._put_off()
            self._note_death(_words(status))
            self._tell(Event(self.child.name, "died", f"({_words(status)}); next start in {wait:g} s", pid))

    def ask_to_stop(self) -> None:
        """Send SIGTERM and never start it again."""
        self._stopping, self.due = True, float("inf")
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def renew(self) -> None:
        """Send SIGTERM and start it again as soon as it ended."""
        if self.pid is not None:
            self._renewing = True
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

    def end_hard(self) -> None:
        """Kill a process that does not make room; `bury` takes note of it."""
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)

    def kill(self, selector: selectors.BaseSelector) -> None:
        """Kill what is left of it, with everything that it started."""
        if self.pid is not None:
            self._stopping = True
            self._tell(Event(self.child.name, "killed", "because it did not stop in time", self.pid))
            self._end(selector)

    def _end(self, selector: selectors.BaseSelector) -> tuple[int, int]:
        """End the whole process group, keep its last words, let go of everything: process id and exit status."""
        assert self._process is not None  # noqa: S101
        pid, self.pid = self._process.pid, None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        status = self._process.wait()
        selector.unregister(self._pidfd)
        os.close(self._pidfd)
        while chunk := self._output().read(CHUNK_BYTES):
            self._log.write(chunk)
        with suppress(KeyError):
            selector.unregister(self._output())
        self._output().close()
        (self._folder / f"{self.child.name}.pid").unlink(missing_ok=True)
        return pid, status

    def _note_death(self, words: str) -> None:
        """Keep the last deaths where others can read them, whatever becomes of this process."""
        path = self._folder / f"{self.child.name}{DEATHS}"
        try:
            known = deaths_of(self._folder, self.child.name)[1 - KEPT_DEATHS :]
            lines = [
                f"{death.at_us} {death.words}" for death in (*known, Death(time.time_ns() // 1000, words))
            ]
            temporary = path.with_suffix(".new")
            temporary.write_text("\n".join(lines) + "\n")
            temporary.rename(path)
        except OSError as error:  # a full or a failing disk: the death is told all the same
            self._tell(Event(self.child.name, "died, which cannot be noted:", str(error), 0))

    def _put_off(self) -> float:
        lived_s = time.monotonic() - self._started
        self._deaths = max(0, self._deaths - int(lived_s))  # each second of life makes up for one early death
        wait = delay_s(self._deaths)
        self._deaths += 1
        self.due = time.monotonic() + wait
        return wait

    def _output(self) -> IO[bytes]:
        assert self._process is not None  # noqa: S101
        assert self._process.stdout is not None  # noqa: S101
        return self._process.stdout


def _die_with(parent: int) -> Callable[[], None]:
    """What the child does before it becomes its program: be killed when the parent's thread ends."""

    def before_exec() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died between fork and prctl
            os._exit(1)

    return before_exec


def write_pid(path: Path, pid: int) -> None:
    """Note a process id, whole or not at all."""
    temporary = path.with_suffix(".pid.new")
    temporary.write_text(f"{pid}\n")
    temporary.rename(path)


def _words(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
