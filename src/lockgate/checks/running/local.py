"""Checks in processes of this box: a few that run one check after another, replaced when a check takes one down.

Each check has a limit of time and of memory. Tables are mapped from files; models stay with the owner, who answers the
checks' questions one at a time and keeps the answers by the table's content.
"""

from __future__ import annotations

import os
import selectors
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lockgate.checks.asking import Broker
from lockgate.checks.evidence import Evidence
from lockgate.checks.running.answering import Desk
from lockgate.checks.running.child import Child
from lockgate.checks.running.folder import write_evidence
from lockgate.checks.running.messages import Answered, AskMetric, AskRows, Done, FromProcess, Told
from lockgate.checks.running.pool import CheckState, Ran, Step, Watch
from lockgate.checks.suite import CHECKS

LOOK_S = 0.05  # how often limits are looked at
MOST_PROCESSES = 8


@dataclass(frozen=True)
class LocalProcesses:
    """Runs checks in `processes` processes (default: one a core). `folder`: where tables lie meanwhile."""

    processes: int | None = None
    folder: Path | None = None

    def run(
        self, evidence: Evidence, checks: Sequence[str], broker: Broker | None, watch: Watch
    ) -> list[Ran]:
        """See `pool.Pool`."""
        with tempfile.TemporaryDirectory(prefix="checks-", dir=self.folder) as place:
            folder = write_evidence(evidence, Path(place))
            (folder / "asked").mkdir()
            cores = self.processes or min(len(os.sched_getaffinity(0)), MOST_PROCESSES)
            turn = _Turn(folder, checks, broker, watch, min(cores, len(checks)))
            try:
                return turn.run()
            finally:
                turn.close()


class _Turn:
    """One run of a suite."""

    def __init__(
        self, folder: Path, checks: Sequence[str], broker: Broker | None, watch: Watch, processes: int
    ) -> None:
        self._checks, self._watch, self._folder = checks, watch, folder
        self._waiting = deque(checks)
        self._ran: dict[str, Ran] = {}
        self._selector = selectors.DefaultSelector()
        self._desk = Desk(broker)
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._wake, False)
        self._selector.register(self._wake, selectors.EVENT_READ)
        self._answers: deque[tuple[Child, Answered]] = deque()
        self._children = [self._start(processes) for _ in range(processes)]
        for name in checks:
            watch(Step(name, CheckState.WAITING))

    def run(self) -> list[Ran]:
        """Until every check has ended."""
        self._hand_out()
        while len(self._ran) < len(self._checks):
            for key, _ in self._selector.select(LOOK_S):
                if key.data is not None:
                    self._hear(key.data)
            self._pass_on()
            for child in list(self._children):
                reason = child.broken_limit()
                if reason:
                    self._stopped(child, reason)
            self._hand_out()
        return [self._ran[name] for name in self._checks]

    def close(self) -> None:
        """End every process."""
        self._desk.close()
        for child in self._children:
            child.kill()
        self._selector.close()
        os.close(self._wake)
        os.close(self._woken)

    def _start(self, processes: int) -> Child:
        child = Child(self._folder, threads=max(1, (os.cpu_count() or 1) // processes))
        self._selector.register(child.socket, selectors.EVENT_READ, child)
        return child

    def _hand_out(self) -> None:
        for child in self._children:
            if child.check is None and self._waiting:
                name = self._waiting.popleft()
                child.begin(name, CHECKS[name].limits)
                self._watch(Step(name, CheckState.RUNNING))

    def _hear(self, child: Child) -> None:
        if child not in self._children:
            return
        messages = child.received()
        if messages is None:
            self._stopped(child, child.last_words())
            return
        for message in messages:
            self._act(child, message)

    def _act(self, child: Child, message: FromProcess) -> None:
        if isinstance(message, Told):
            self._watch(Step(str(child.check), CheckState.RUNNING, message.done, message.of, message.what))
        elif isinstance(message, Done):
            used = child.end()
            self._ran[used.check] = Ran(
                used.check,
                message.findings,
                message.kept,
                used.wall_s,
                message.cpu_s,
                used.peak_bytes,
                used.rows,
            )
            self._watch(Step(used.check, CheckState.DONE))
        elif isinstance(message, AskRows | AskMetric):
            self._desk.answer(message, child.budget(message), lambda said: self._answered(child, said))

    def _answered(self, child: Child, said: Answered) -> None:
        """Called by the desk's thread: the loop is woken and passes it on."""
        self._answers.append((child, said))
        os.write(self._woken, b"!")

    def _pass_on(self) -> None:
        try:
            os.read(self._wake, 4096)
        except BlockingIOError:
            return
        while self._answers:
            child, said = self._answers.popleft()
            if child in self._children:
                child.reply(said)

    def _stopped(self, child: Child, reason: str) -> None:
        """A check took its process down: it is "could not run", and another process takes the place."""
        self._selector.unregister(child.socket)
        self._children.remove(child)
        child.kill()
        if child.check is not None:
            used = child.end()
            self._ran[used.check] = Ran(
                used.check, [used.stopped(reason)], {}, used.wall_s, 0.0, used.peak_bytes, used.rows
            )
            self._watch(Step(used.check, CheckState.STOPPED, what=reason))
        if self._waiting:
            self._children.append(self._start(len(self._children) + 1))
