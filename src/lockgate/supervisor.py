"""Starts child processes and starts them again when they die: it waits longer each time, and never gives up.

Every child gets a process group of its own (so Ctrl-C reaches the supervisor alone), dies with the supervisor
(`PR_SET_PDEATHSIG`, so even kill -9 leaves no orphan) and writes its words into `<name>.log`, which is rotated.
SIGTERM, SIGINT or SIGHUP stop the children in order of their rank; a second one stops them at once. SIGUSR1 renews those
that say when they are ready, one after the other: for a renewed certificate or changed settings.
"""

from __future__ import annotations

import fcntl
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import IO

from lockgate.errors import Conflict
from lockgate.renewal import LOOK_S, Renewal
from lockgate.running import CHUNK_BYTES, Child, Event, Running, delay_s, write_pid

__all__ = ["Child", "Event", "Supervisor", "delay_s", "say"]


def say(event: Event) -> None:
    """Write an event to standard error."""
    print(f"lockgate: {event.name} {event.what} {event.detail}".rstrip(), file=sys.stderr, flush=True)


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
            Running(child, folder, tell) for child in sorted(children, key=lambda c: (c.rank, c.name))
        ]
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._asked = 0
        self._renewal = Renewal()

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
                        self._wait(selector, self._next_look(self._renewal.step(time.monotonic())))
                finally:
                    self._stop_all(selector)
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)
            (self._folder / f"{self._name}.pid").unlink(missing_ok=True)
            for descriptor in (self._wake_read, self._wake_write):
                os.close(descriptor)
            self._lock.close()

    def renew(self) -> None:
        """Replace the children that say when they are ready, one after the other, from a signal handler or another thread."""
        self._renewal.begin(self._running)
        with suppress(BlockingIOError):
            os.write(self._wake_write, b"x")

    def _next_look(self, renewing: bool) -> float | None:
        """When to look again though nothing happens; None: never."""
        due = [running.due for running in self._running if running.pid is None]
        return min(due + [time.monotonic() + LOOK_S] * renewing, default=None)

    def _take_signals(self) -> dict[signal.Signals, signal.Handlers]:
        def asked(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        def renew(_number: int, _frame: FrameType | None) -> None:
            self.renew()

        former = {}
        with suppress(ValueError):  # not the main thread: the owner calls stop()
            former[signal.SIGUSR1] = signal.signal(signal.SIGUSR1, renew)
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
                os.read(self._wake_read, CHUNK_BYTES)
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
    write_pid(pid_file, os.getpid())
    return lock
