"""Checks on a Ray cluster: one process a check on whichever machine has a core free; models stay with the owner.

Tables go out once, as objects of the cluster; a question comes back with its table and is answered here, so no model, key or
database leaves this machine. A machine that dies costs its checks another try elsewhere.
"""

from __future__ import annotations

import queue
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.checks.asking import Broker
from lockgate.checks.base import could_not_run
from lockgate.checks.evidence import Evidence
from lockgate.checks.running.answering import Desk, answers_path
from lockgate.checks.running.connection import START_S, connected
from lockgate.checks.running.folder import write_evidence
from lockgate.checks.running.messages import (
    Answered,
    AskMetric,
    AskRows,
    Done,
    FromProcess,
    Told,
    pack,
    unpack,
)
from lockgate.checks.running.node import Heard, Node
from lockgate.checks.running.pool import CheckState, Ran, Step, Watch
from lockgate.checks.suite import CHECKS
from lockgate.late import late

if TYPE_CHECKING:
    import ray
else:
    ray = late("ray")

TRIES = 3  # of a check whose machine went away
LOOK_S = 0.2
CLOSE_S = 5.0


@dataclass(frozen=True)
class RayCluster:
    """Runs checks on the cluster at `address` (`ray://HOST:10001`). `folder`: where tables lie here meanwhile."""

    address: str
    folder: Path | None = None

    def run(
        self, evidence: Evidence, checks: Sequence[str], broker: Broker | None, watch: Watch
    ) -> list[Ran]:
        """See `pool.Pool`. Raises MissingExtra, Unavailable when there is no cluster, Conflict for another lockgate there."""
        with (
            tempfile.TemporaryDirectory(prefix="checks-", dir=self.folder) as place,
            connected(self.address),
        ):
            folder = write_evidence(evidence, Path(place))
            turn = _Turn(folder, checks, broker, watch)
            (folder / "asked").mkdir()
            try:
                return turn.run()
            finally:
                turn.close()


class _Running:
    """One try of a check. `ref`: what it is asked now; None while the owner answers its question."""

    def __init__(self, check: str, evidence: Any, tries: int) -> None:
        limits = CHECKS[check].limits
        self.check, self.tries, self.rows, self.heard = check, tries, 0, False
        self.began_s = time.monotonic()
        self.node = ray.remote(Node).options(num_cpus=1, max_restarts=0, max_task_retries=0).remote(evidence)
        self.ref: Any = self.node.begin.remote(check, limits.time_s, limits.memory_bytes)

    def listen(self, answer: bytes = b"", body: bytes = b"") -> None:
        """Pass an answer on, and wait for what comes next."""
        self.ref = self.node.hear.remote(answer, body)


class _Turn:
    """One run of a suite."""

    def __init__(self, folder: Path, checks: Sequence[str], broker: Broker | None, watch: Watch) -> None:
        self._checks, self._watch, self._folder = checks, watch, folder
        files = [path for path in folder.rglob("*") if path.is_file()]
        self._evidence = ray.put({str(path.relative_to(folder)): path.read_bytes() for path in files})
        self._desk = Desk(broker)
        self._answers: queue.SimpleQueue[tuple[_Running, Answered]] = queue.SimpleQueue()
        self._ran: dict[str, Ran] = {}
        self._running: list[_Running] = []
        self._heard_s = time.monotonic()

    def run(self) -> list[Ran]:
        """Until every check has ended."""
        for name in self._checks:
            self._watch(Step(name, CheckState.WAITING))
            self._running.append(_Running(name, self._evidence, 1))
        while len(self._ran) < len(self._checks):
            asked = {each.ref: each for each in self._running if each.ref is not None}
            ready = ray.wait(list(asked), num_returns=1, timeout=LOOK_S)[0] if asked else []
            for ref in ready:
                self._hear(asked[ref], ref)
            self._pass_on(LOOK_S if not asked else 0.0)
            if time.monotonic() - self._heard_s > START_S:
                self._give_up()
        return [self._ran[name] for name in self._checks]

    def close(self) -> None:
        """End what still runs."""
        self._desk.close()
        for each in list(self._running):
            self._forget(each)

    def _hear(self, running: _Running, ref: Any) -> None:
        try:
            heard: Heard = ray.get(ref)
        except ray.exceptions.RayError as error:
            self._lost(running, error)
            return
        self._heard_s = time.monotonic()
        running.ref = None
        if not running.heard:
            running.heard = True
            self._watch(Step(running.check, CheckState.RUNNING))
        messages = [unpack(message) for message in heard.messages]
        for message in messages:
            if isinstance(message, Told):
                self._watch(Step(running.check, CheckState.RUNNING, message.done, message.of, message.what))
        if heard.used is not None:
            self._ended(running, heard, messages)
        elif messages and isinstance(messages[-1], AskRows | AskMetric):
            self._ask(running, messages[-1], heard.body)
        else:
            running.listen()

    def _ask(self, running: _Running, question: AskRows | AskMetric, body: bytes) -> None:
        """Keep the question's table here and let the desk answer; its name is its content's."""
        path = self._folder / "asked" / Path(question.path).name
        path.write_bytes(body)
        local = msgspec.structs.replace(question, path=str(path))
        if isinstance(local, AskRows) and not answers_path(local).exists():
            running.rows += local.rows
        left = CHECKS[running.check].limits.rows - running.rows
        self._desk.answer(local, left, lambda said: self._answers.put((running, said)))

    def _pass_on(self, wait_s: float) -> None:
        try:
            running, said = self._answers.get(timeout=wait_s) if wait_s else self._answers.get_nowait()
        except queue.Empty:
            return
        if running in self._running:
            running.listen(pack(said), Path(said.path).read_bytes() if said.path else b"")

    def _ended(self, running: _Running, heard: Heard, messages: list[FromProcess]) -> None:
        used, name = heard.used, running.check
        self._forget(running)
        if used is None:
            return
        done = messages[-1] if messages else None
        if isinstance(done, Done):
            self._ran[name] = Ran(
                name, done.findings, done.kept, used.wall_s, done.cpu_s, used.peak_bytes, running.rows
            )
            self._watch(Step(name, CheckState.DONE))
            return
        self._ran[name] = Ran(
            name, [used.stopped(heard.stopped)], {}, used.wall_s, 0.0, used.peak_bytes, running.rows
        )
        self._watch(Step(name, CheckState.STOPPED, what=heard.stopped))

    def _lost(self, running: _Running, error: Exception) -> None:
        """The machine went away, or its process: once more elsewhere, or "could not run"."""
        self._forget(running)
        if running.tries < TRIES:
            self._watch(Step(running.check, CheckState.WAITING, what="its machine went away: once more"))
            self._running.append(_Running(running.check, self._evidence, running.tries + 1))
            return
        self._stop(running, f"its machine in the cluster went away {TRIES} times ({type(error).__name__})")

    def _give_up(self) -> None:
        for running in list(self._running):
            self._forget(running)
            self._stop(running, f"no machine of the cluster said anything for {START_S:g} seconds")

    def _stop(self, running: _Running, reason: str) -> None:
        finding = could_not_run(running.check, "the whole check", f"The check was stopped: {reason}.",
                                "See that the cluster has machines, or run the checks here: --compute local.")  # fmt: skip
        self._ran[running.check] = Ran(running.check, [finding], wall_s=time.monotonic() - running.began_s)
        self._watch(Step(running.check, CheckState.STOPPED, what=reason))

    def _forget(self, running: _Running) -> None:
        """Its process ends and its files go; a machine that went away takes both along."""
        self._running.remove(running)
        if running.heard:
            ray.wait([running.node.close.remote()], timeout=CLOSE_S)
        ray.kill(running.node)
