"""A model in its own confined process: asked one request at a time, killed at its deadline, started again when it dies."""

from __future__ import annotations

import asyncio
import threading
import time

from lockgate.errors import Conflict, InvalidInput, PredictionFailed, TimedOut, Unavailable
from lockgate.inference.executor import ExecutorKind, ExecutorStatus
from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest
from lockgate.runner import columns as frames
from lockgate.runner import wire

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 30.0
DEADLINE_S = 30.0


class IsolatedModel:
    """An executor whose model runs in a runner.

    A runner that dies, hangs past the deadline or breaks the protocol is replaced: at once the first time, after a
    growing pause when it happens again before a good answer. During a pause calls raise Unavailable.
    """

    kind = ExecutorKind.ISOLATED

    def __init__(
        self, order: Order, digest: str, manifest: Manifest, *, deadline_s: float = DEADLINE_S
    ) -> None:
        self._order, self._digest, self._manifest, self._deadline_s = order, digest, manifest, deadline_s
        self._lock = threading.RLock()
        self._turn: asyncio.Lock | None = None
        self._failures, self._starts, self._not_before_s = 0, 0, 0.0
        self._closed = False
        self._runner: RunnerProcess | None = None
        self._start()

    @property
    def digest(self) -> str:
        """The sealed package's name."""
        return self._digest

    @property
    def manifest(self) -> Manifest:
        """What was sealed."""
        return self._manifest

    def predict(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Answer n rows, blocking; callers in several threads take turns."""
        limit_s = self._deadline_s if deadline_s is None else deadline_s
        body = _encoded(columns)
        with self._lock:
            runner = self._ready()
            if runner.in_loop:
                raise Conflict(
                    "this model is asked by an event loop", fix="use predict_async, or open it once more"
                )
            try:
                answer = _decoded(runner.ask(wire.Kind.PREDICT, body, limit_s))
            except (PredictionFailed, TimedOut) as error:
                self._after(runner, error)
                raise
            self._failures = 0
            return answer

    async def predict_async(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Answer n rows on the running event loop; requests take turns. A cancelled call costs the runner its life."""
        limit_s = self._deadline_s if deadline_s is None else deadline_s
        ends = time.monotonic() + limit_s
        body = _encoded(columns)
        self._turn = self._turn or asyncio.Lock()
        async with self._turn:
            runner = self._runner
            if runner is None or not runner.alive():
                runner = await self._ready_async(ends)
            try:
                answer = _decoded(
                    await runner.ask_async(wire.Kind.PREDICT, body, max(ends - time.monotonic(), 0.001))
                )
            except (PredictionFailed, TimedOut) as error:
                await asyncio.to_thread(self._after, runner, error)
                raise
            except asyncio.CancelledError:
                self._drop(runner)  # its answer would come when nobody waits for it
                raise
            self._failures = 0
            return answer

    def status(self) -> ExecutorStatus:
        """How the runner fares."""
        runner = self._runner
        if runner is None:
            return ExecutorStatus(self.kind, starts=self._starts, restarts=self._starts - 1)
        ready = runner.ready
        return ExecutorStatus(self.kind, runner.pid, self._starts, self._starts - 1, runner.memory_bytes(),
                              tuple(ready.confined), tuple(ready.unconfined))  # fmt: skip

    def warnings(self) -> tuple[str, ...]:
        """What the model's libraries warned of while loading (another version, a deprecated setting)."""
        return tuple(self._runner.ready.warnings) if self._runner else ()

    def close(self) -> None:
        """End the runner."""
        self._closed = True
        with self._lock:
            if self._runner is not None:
                self._drop(self._runner)

    def _ready(self) -> RunnerProcess:
        """The living runner, started if need be."""
        with self._lock:
            if self._runner is not None and self._runner.alive():
                return self._runner
            if self._runner is not None:
                self._count_failure(self._runner)
            self._refuse_early()
            return self._start()

    async def _ready_async(self, ends: float) -> RunnerProcess:
        self._refuse_early()
        starting = asyncio.ensure_future(asyncio.to_thread(self._ready))
        done, _ = await asyncio.wait({starting}, timeout=max(ends - time.monotonic(), 0.001))
        if not done:
            starting.add_done_callback(_heard)  # it goes on, for the next request
            raise TimedOut("the model's process was still starting at the deadline")
        return starting.result()

    def _refuse_early(self) -> None:
        if self._closed:
            raise Unavailable("this model is closed")
        wait_s = self._not_before_s - time.monotonic()
        if wait_s > 0:
            raise Unavailable(
                f"the model's process failed {self._failures} times in a row; it starts again in {wait_s:.1f} s"
            )

    def _start(self) -> RunnerProcess:
        self._starts += 1
        try:
            self._runner = RunnerProcess(self._order)
        except (PredictionFailed, TimedOut, Unavailable):
            self._pause()
            raise
        return self._runner

    def _after(self, runner: RunnerProcess, error: Exception) -> None:
        """A model that raised lives on; one that hung, died or broke the protocol is replaced."""
        if (
            isinstance(error, TimedOut)
            or not runner.alive()
            or isinstance(error.__cause__, OSError | ValueError)
        ):
            self._count_failure(runner)

    def _count_failure(self, runner: RunnerProcess) -> None:
        if self._runner is runner:
            self._pause()
            self._drop(runner)

    def _pause(self) -> None:
        self._failures += 1
        pause_s = (
            0.0 if self._failures == 1 else min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** (self._failures - 2))
        )
        self._not_before_s = time.monotonic() + pause_s

    def _drop(self, runner: RunnerProcess) -> None:
        runner.kill()
        if self._runner is runner:
            self._runner = None


def _encoded(columns: Columns) -> bytes:
    try:
        return frames.encode(columns)
    except TypeError as error:
        raise InvalidInput("these columns cannot be sent to a model", got=error) from error


def _decoded(body: bytearray) -> Columns:
    try:
        return frames.decode(body)
    except wire.BadFrame as error:
        raise PredictionFailed("the model's process answered what is no table", got=error) from error


def _heard(starting: asyncio.Future[RunnerProcess]) -> None:
    """Take note of a failed start that nobody waits for; it is counted already."""
    if not starting.cancelled():
        starting.exception()
