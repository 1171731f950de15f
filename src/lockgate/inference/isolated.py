"""A model in confined processes of its own: asked one batch at a time each, killed at the deadline, started again."""

from __future__ import annotations

import asyncio
import time

import numpy as np

from lockgate.errors import Conflict, InvalidInput, LockgateError, PredictionFailed, TimedOut
from lockgate.inference.executor import ExecutorKind, ExecutorStatus
from lockgate.inference.pool import Pool
from lockgate.inference.replica import Replica
from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import ANSWER_BYTES, NotAsked, OutOfMemory, RunnerProcess
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest
from lockgate.registry.signature import NUMPY_TYPES, DataType
from lockgate.runner import columns as frames
from lockgate.runner import wire

DEADLINE_S = 30.0
ROOM_BYTES = 16 * 1024 * 1024  # for outputs that the signature does not name, and for text


class IsolatedModel:
    """An executor whose model runs in `replicas` runners.

    A runner that dies, hangs past the deadline, runs out of memory or breaks the protocol is replaced: at once the first
    time, after a growing pause when it happens again before a good answer. The batch that it had fails; one that it never
    had whole is asked of another, once. While every replica pauses, calls raise Unavailable.
    """

    kind = ExecutorKind.ISOLATED

    def __init__(
        self,
        order: Order,
        digest: str,
        manifest: Manifest,
        *,
        deadline_s: float = DEADLINE_S,
        replicas: int = 1,
    ) -> None:
        self._digest, self._manifest, self._deadline_s = digest, manifest, deadline_s
        self._row_bytes = _row_bytes(manifest)
        self._pool = Pool(order, replicas)
        self.lanes = replicas

    @property
    def digest(self) -> str:
        """The sealed package's name."""
        return self._digest

    @property
    def manifest(self) -> Manifest:
        """What was sealed."""
        return self._manifest

    def predict(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Answer n rows, blocking; callers in several threads share the replicas."""
        ends_s = time.monotonic() + (self._deadline_s if deadline_s is None else deadline_s)
        parts, most_bytes = _parts(columns), self._most_bytes(columns)
        try:
            return self._ask(parts, ends_s, most_bytes)
        except NotAsked:
            return self._ask(parts, ends_s, most_bytes)

    async def predict_async(self, columns: Columns, *, deadline_s: float | None = None) -> Columns:
        """Answer n rows on the running event loop. A cancelled call costs its runner the life."""
        ends_s = time.monotonic() + (self._deadline_s if deadline_s is None else deadline_s)
        parts, most_bytes = _parts(columns), self._most_bytes(columns)
        try:
            return await self._ask_async(parts, ends_s, most_bytes)
        except NotAsked:
            return await self._ask_async(parts, ends_s, most_bytes)

    def status(self) -> ExecutorStatus:
        """How the runners fare."""
        replicas = self._pool.statuses()
        ready, starts = self._pool.ready, sum(one.starts for one in replicas)
        return ExecutorStatus(
            self.kind, next((one.pid for one in replicas if one.pid is not None), None), starts,
            max(0, starts - len(replicas)), sum(one.memory_bytes for one in replicas),
            tuple(ready.confined), tuple(ready.unconfined), tuple(replicas),
        )  # fmt: skip

    def warnings(self) -> tuple[str, ...]:
        """What the model's libraries warned of while loading (another version, a deprecated setting)."""
        return tuple(self._pool.ready.warnings)

    def close(self) -> None:
        """End the runners."""
        self._pool.close()

    def _ask(self, parts: list[wire.Buffer], ends_s: float, most_bytes: int) -> Columns:
        replica = self._pool.take(ends_s)
        runner = _runner_of(replica)
        if runner.in_loop:
            self._pool.give(replica, good=False)
            raise Conflict(
                "this model is asked by an event loop", fix="use predict_async, or open it once more"
            )
        try:
            answer = _decoded(runner.ask(wire.Kind.PREDICT, parts, ends_s - time.monotonic(), most_bytes))
        except BaseException as error:
            self._after(replica, runner, error)
            raise
        self._pool.give(replica, good=True)
        return answer

    async def _ask_async(self, parts: list[wire.Buffer], ends_s: float, most_bytes: int) -> Columns:
        replica = await self._pool.take_async(ends_s)
        runner = _runner_of(replica)
        try:
            answer = _decoded(await runner.ask_async(wire.Kind.PREDICT, parts, ends_s, most_bytes))
        except BaseException as error:
            self._after(replica, runner, error)
            raise
        self._pool.give(replica, good=True)
        return answer

    def _after(self, replica: Replica, runner: RunnerProcess, error: BaseException) -> None:
        """A model that raised lives on; one that hung, died, filled its memory or broke the protocol is replaced."""
        if isinstance(error, LockgateError) and not isinstance(error, TimedOut | OutOfMemory):
            if error.__cause__ is None and runner.alive():
                self._pool.give(replica, good=False)
                return
            self._pool.replace(replica)
        else:  # a cancelled call's answer would come when nobody waits for it
            self._pool.replace(replica, counts=not isinstance(error, asyncio.CancelledError))

    def _most_bytes(self, columns: Columns) -> int:
        """How long an answer may be: four times what the signature says, and some room."""
        rows = len(next(iter(columns.values()))) if columns else 0
        return min(ANSWER_BYTES, ROOM_BYTES + 4 * rows * self._row_bytes)


def _row_bytes(manifest: Manifest) -> int:
    """A row of the answer; text and outputs of any length are reckoned with 4 KiB a value."""
    total = 0
    for field in manifest.signature.outputs:
        wide = field.datatype is DataType.BYTES or -1 in field.shape
        size = 4096 if wide else np.dtype(NUMPY_TYPES[field.datatype]).itemsize
        total += size * int(np.prod([max(one, 1) for one in field.shape]))
    return total


def _runner_of(replica: Replica) -> RunnerProcess:
    if replica.runner is None:  # the pool gives only replicas that run
        raise PredictionFailed("the model's process is gone")
    return replica.runner


def _parts(columns: Columns) -> list[wire.Buffer]:
    try:
        return frames.parts(columns)
    except TypeError as error:
        raise InvalidInput("these columns cannot be sent to a model", got=error) from error


def _decoded(body: wire.Buffer) -> Columns:
    try:
        return frames.decode(body)
    except wire.BadFrame as error:
        raise PredictionFailed("the model's process answered what is no table", got=error) from error
