"""The runners of one model: whoever is free takes the next batch; whoever failed is started again beside them.

Callers that wait and callers on an event loop take from the same pool. Starting happens in threads, so the loop goes on
and the other replicas answer meanwhile.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque

from lockgate.errors import LockgateError, TimedOut, Unavailable
from lockgate.inference.replica import Replica, ReplicaState, ReplicaStatus
from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess
from lockgate.inference.turn import turn


class Pool:
    """`count` runners of one order. The first is started at once and must load; the others follow in threads.

    Raises PredictionFailed, TimedOut or Unavailable when the first does not start.
    """

    def __init__(self, order: Order, count: int) -> None:
        self._order = order
        self._changed = threading.Condition()
        self._replicas = [Replica(number) for number in range(count)]
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = threading.Event()
        self.ready = self._begin(self._replicas[0]).ready
        self._threads = [self._revive(replica) for replica in self._replicas[1:]]

    def take(self, ends_s: float) -> Replica:
        """A free replica, waiting for one until `ends_s` (monotonic).

        Raises Unavailable when the model is closed or every replica pauses after failures, TimedOut.
        """
        with self._changed:
            while True:
                found = self._free()
                if found is not None:
                    return found
                if not self._changed.wait(max(ends_s - time.monotonic(), 0.0)) and time.monotonic() >= ends_s:
                    raise self._late()

    async def take_async(self, ends_s: float) -> Replica:
        """The same on the running event loop."""
        self._loop = self._loop or asyncio.get_running_loop()
        while True:
            with self._changed:
                found = self._free()
                if found is not None:
                    return found
                turn: asyncio.Future[None] = self._loop.create_future()
                self._waiting.append(turn)
            try:
                async with asyncio.timeout(max(ends_s - time.monotonic(), 0.0)):
                    await turn
            except BaseException as error:
                if turn.done() and not turn.cancelled():
                    self._wake(everyone=False)  # its turn came with its end: the next one's now
                if isinstance(error, TimeoutError):
                    raise self._late() from None
                raise
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)

    def give(self, replica: Replica, *, good: bool) -> None:
        """Put a replica back; `good`: it has answered, so its failures are forgotten."""
        with self._changed:
            if good:
                replica.failures = 0
            replica.state = ReplicaState.FREE
            self._tell()

    def replace(self, replica: Replica, *, counts: bool = True) -> None:
        """End a replica's runner and start another, after its pause. `counts`: as a failure."""
        with self._changed:
            if counts:
                replica.failed()
            else:
                replica.state = ReplicaState.STARTING
            runner, replica.runner = replica.runner, None
            self._tell()
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        self._threads.append(self._revive(replica, runner))

    def statuses(self) -> list[ReplicaStatus]:
        """How each replica fares."""
        found = []
        for one in self._replicas:
            runner = one.runner
            pid, memory = (runner.pid, runner.memory_bytes()) if runner is not None else (None, 0)
            found.append(ReplicaStatus(one.state, pid, one.starts, one.failures, memory))
        return found

    def close(self) -> None:
        """End every runner, and wait for those that are being started."""
        self._closing.set()
        with self._changed:
            self._tell(everyone=True)
        for replica in self._replicas:
            if replica.runner is not None:
                replica.runner.kill()
        for thread in self._threads:
            thread.join()

    def _free(self) -> Replica | None:
        """The free replica with the lowest number, so that the others stay idle when one is enough."""
        if self._closing.is_set():
            raise Unavailable("this model is closed")
        for replica in self._replicas:
            if replica.state is ReplicaState.FREE:
                replica.state = ReplicaState.BUSY
                return replica
        if all(one.state is ReplicaState.PAUSING and one.wait_s() > 0 for one in self._replicas):
            first = min(self._replicas, key=Replica.wait_s)
            raise Unavailable(
                f"the model's process failed {first.failures} times in a row; it starts again in {first.wait_s():.1f} s"
            )
        return None

    def _late(self) -> TimedOut:
        if any(one.state is ReplicaState.BUSY for one in self._replicas):
            return TimedOut("every process of the model was busy until the deadline")
        return TimedOut("the model's process was still starting at the deadline")

    def _begin(self, replica: Replica) -> RunnerProcess:
        replica.starts += 1
        where = self._order.turn
        with turn(where() if where else None, self._closing.wait):
            if self._closing.is_set():
                raise Unavailable("this model is closed")
            runner = RunnerProcess(self._order)
        with self._changed:
            replica.runner = runner
            replica.state = ReplicaState.FREE
            self._tell()
        return runner

    def _revive(self, replica: Replica, old: RunnerProcess | None = None) -> threading.Thread:
        thread = threading.Thread(target=self._start_again, args=(replica, old), daemon=True)
        thread.start()
        return thread

    def _start_again(self, replica: Replica, old: RunnerProcess | None) -> None:
        """End the old runner, then start until one lives or the pool is closed."""
        if old is not None:
            old.kill()
        while not self._closing.wait(replica.wait_s()):
            try:
                runner = self._begin(replica)
            except (LockgateError, OSError):  # no descriptors or no room for its folder: that passes, too
                with self._changed:
                    replica.failed()
                    self._tell(everyone=True)  # who waits hears that there is a pause
                continue
            if self._closing.is_set():
                runner.kill()
            return

    def _tell(self, *, everyone: bool = False) -> None:
        """Wake who waits for a replica: callers in threads, and one on the loop (or all of them)."""
        self._changed.notify_all()
        if not self._waiting or self._loop is None or self._loop.is_closed():
            return
        self._loop.call_soon_threadsafe(self._wake, everyone)

    def _wake(self, everyone: bool) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                if not everyone:
                    return
