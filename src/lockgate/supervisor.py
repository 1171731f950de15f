"""Starts child processes and starts them again when they die: it waits longer each time, and never gives up.

Every child gets a process group of its own (so Ctrl-C reaches the supervisor alone), dies with the supervisor
(`PR_SET_PDEATHSIG`, so even kill -9 leaves no orphan) and writes its words into `<name>.log`, which is rotated.
SIGTERM, SIGINT or SIGHUP stop the children in order of their rank; a second one stops them at once.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO

from lockgate.errors import Conflict
from lockgate.rotating import RotatingLog

FIRST_DELAY_S = 0.05  # after the first death
LONGEST_DELAY_S = 5.0  # a child that never stays up is tried again this often
_CHUNK_BYTES = 65_536
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


@dataclass(frozen=True)
class Event:
    """Something that happened to a child, in words for people: `started`, `died`, `stopped` or `killed`."""

    name: str
    what: str
    detail: str
    pid: int


def say(event: Event) -> None:
    """Write an event to standard error."""
    print(f"lockgate: {event.name} {event.what} {event.detail}".rstrip(), file=sys.stderr, flush=True)


def delay_s(deaths: int) -> float:
    """How long to wait before the next start, after that many early deaths.

    >>> delay_s(0), delay_s(3), delay_s(200)
    (0.05, 0.4, 5.0)
    """
    return float(min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(deaths, 30)))


class Supervisor:
    """Keeps children alive until it is told to stop.

    `run` blocks in the calling thread, which must live as long as the children (Linux ties a child's fate to the
    thread that started it). `folder` receives `<name>.pid`, `<name>.log` and the lock that keeps a second supervisor
    out. Raises Conflict when one is running there already.
    """

    def __init__(
        self,
        children: Iterable[Child],
        folder: Path,
        *,
        tell: Callable[[Event], None] = say,
        name: str = "lockgate",
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._tell, self._name = folder, tell, name
        self._lock = _only_one(folder, name)
        self._running = [
            _Running(child, folder, tell) for child in sorted(children, key=lambda c: (c.rank, c.name))
        ]
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._asked = 0

    def stop(self) -> None:
        """Ask for an orderly stop, from a signal handler or another thread. Asked twice: kill at once."""
        self._asked += 1
        with suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def run(self) -> None:
        """Start all children and look after them until `stop` or a signal."""
        former = self._take_signals()
        try:
            with selectors.DefaultSelector() as selector:
                selector.register(self._wake_read, selectors.EVENT_READ, None)
                try:
                    while not self._asked:
                        self._start_due(selector)
                        self._wait(
                            selector, min((r.due for r in self._running if r.pid is None), default=None)
                        )
                finally:
                    self._stop_all(selector)
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            (self._folder / f"{self._name}.pid").unlink(missing_ok=True)
            for descriptor in (self._wake_read, self._wake_write):
                os.close(descriptor)
            self._lock.close()

    def _take_signals(self) -> dict[signal.Signals, signal.Handlers]:
        def asked(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        former = {}
        with suppress(ValueError):  # not the main thread: the owner calls stop()
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                former[number] = signal.signal(number, asked)
        return former  # type: ignore[return-value]

    def _start_due(self, selector: selectors.BaseSelector) -> None:
        now = time.monotonic()
        for running in self._running:
            if running.pid is None and running.due <= now:
                running.start(selector)

    def _wait(self, selector: selectors.BaseSelector, until: float | None) -> None:
        timeout = None if until is None else max(0.0, until - time.monotonic())
        for key, _ in selector.select(timeout):
            if key.data is None:
                os.read(self._wake_read, _CHUNK_BYTES)
                continue
            running, is_log = key.data
            if is_log:
                running.copy_log(selector)
            else:
                running.bury(selector)

    def _stop_all(self, selector: selectors.BaseSelector) -> None:
        for rank in sorted({running.child.rank for running in self._running}):
            group = [running for running in self._running if running.child.rank == rank]
            for running in group:
                running.ask_to_stop()
            deadline = time.monotonic() + max(running.child.stop_s for running in group)
            while any(running.pid for running in group) and time.monotonic() < deadline and self._asked < 2:
                self._wait(selector, deadline)
            for running in group:
                running.kill(selector)


class _Running:
    """One child and what is known of it."""

    def __init__(self, child: Child, folder: Path, tell: Callable[[Event], None]) -> None:
        self.child, self._folder, self._tell = child, folder, tell
        self.pid: int | None = None
        self.due = 0.0  # monotonic time of the next start
        self._deaths = 0
        self._started = 0.0
        self._stopping = False
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
        _write_pid(self._folder / f"{self.child.name}.pid", self.pid)
        self._pidfd = os.pidfd_open(self.pid)
        os.set_blocking(self._output().fileno(), False)
        selector.register(self._pidfd, selectors.EVENT_READ, (self, False))
        selector.register(self._output(), selectors.EVENT_READ, (self, True))
        self._tell(Event(self.child.name, "started", f"as process {self.pid}", self.pid))

    def copy_log(self, selector: selectors.BaseSelector) -> None:
        """Move what the child wrote into its log."""
        chunk = self._output().read(_CHUNK_BYTES)
        if chunk:
            self._log.write(chunk)
        elif chunk == b"":  # every holder closed it; None would mean: nothing to read now
            selector.unregister(self._output())

    def bury(self, selector: selectors.BaseSelector) -> None:
        """Take note of the death and plan the next start, unless it was asked to stop."""
        pid, status = self._end(selector)
        if self._stopping:
            self._tell(Event(self.child.name, "stopped", "" if status == 0 else _words(status), pid))
        else:
            wait = self._put_off()
            self._tell(Event(self.child.name, "died", f"({_words(status)}); next start in {wait:g} s", pid))

    def ask_to_stop(self) -> None:
        """Send SIGTERM and never start it again."""
        self._stopping, self.due = True, float("inf")
        if self.pid is not None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGTERM)

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
        while chunk := self._output().read(_CHUNK_BYTES):
            self._log.write(chunk)
        with suppress(KeyError):
            selector.unregister(self._output())
        self._output().close()
        (self._folder / f"{self.child.name}.pid").unlink(missing_ok=True)
        return pid, status

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


def _only_one(folder: Path, name: str) -> IO[str]:
    lock = (folder / f"{name}.lock").open("a")
    pid_file = folder / f"{name}.pid"
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        owner = pid_file.read_text().strip() if pid_file.exists() else "unknown"
        raise Conflict(
            f"{name} is already running on {folder.parent}",
            got=f"process {owner}",
            fix=f"stop it (kill {owner}) or choose another home folder with --home",
        ) from error
    _write_pid(pid_file, os.getpid())
    return lock


def _write_pid(path: Path, pid: int) -> None:
    temporary = path.with_suffix(".pid.new")
    temporary.write_text(f"{pid}\n")
    temporary.rename(path)


def _words(status: int) -> str:
    return f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
