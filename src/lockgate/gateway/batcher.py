"""Batches without timers: whatever waits while the previous batch runs is the next batch.

An idle arm answers a lone request at once, a busy one fills its batches by itself. A compiled model that is quick runs
on the event loop, a slow one in a thread, an isolated one in its own processes, a batch in each (`lanes`: what waits is
shared out among those that are free); then the loop goes on taking requests.
A request whose deadline passed is not computed. The queue is bounded: past it, callers are told to come back.
"""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from math import inf

from lockgate.errors import InvalidInput, LockgateError, PredictionFailed, TimedOut
from lockgate.gateway.cost import Cost
from lockgate.gateway.divide import Divider
from lockgate.gateway.drain import Drain
from lockgate.gateway.job import Job
from lockgate.gateway.refusals import Limited
from lockgate.gateway.rows import Layout
from lockgate.inference.compiled import CompiledModel
from lockgate.inference.executor import Executor, ExecutorKind
from lockgate.predictions.record import Columns

TURN = 128  # requests in a batch: then another model has its turn on the loop, however many still wait for this one
BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
INLINE_S = 0.001  # a batch that is expected to take longer must not hold up the loop


class Batcher:
    """The queue of one loaded version.

    `settle` gets jobs with `outputs` or `error` set, many at once; `slow` each that has had no answer when it was slow, once.
    """

    def __init__(
        self,
        executor: Executor,
        layout: Layout,
        cost: Cost,
        settle: Callable[[list[Job]], None],
        slow: Callable[[Job], None],
        *,
        limit: int,
        max_rows: int,
    ) -> None:
        self._executor, self._layout, self._cost, self._settle = executor, layout, cost, settle
        self._slow = slow
        self._limit, self._max_rows = limit, max_rows
        self._matrix = executor.matrix if isinstance(executor, CompiledModel) else None
        self._divider = Divider(executor.manifest)
        self._inline = executor.kind is ExecutorKind.COMPILED
        self._queue: deque[Job] = deque()
        self._lanes = executor.lanes
        self._running: list[list[Job]] = []  # a batch a lane
        self._scheduled = False
        self._threads: ThreadPoolExecutor | None = None
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._sweep_s = 0.0  # when it is due
        self._tasks: set[asyncio.Task[None]] = set()
        self._drain = Drain()
        self.batches, self.batched = [0] * (len(BATCH_SIZES) + 1), 0  # by size, and requests in all
        self.computed_s = 0.0  # in this process: what isolated models use is their own processes'

    @property
    def waiting(self) -> int:
        """How many requests are in the queue."""
        return len(self._queue)

    @property
    def idle(self) -> bool:
        """Whether nothing waits and nothing runs."""
        return not self._queue and not self._running

    def offer(self, job: Job, *, force: bool = False, alone: bool = False) -> None:
        """Take a request. Raises Limited when the queue is full, unless a caller must not be turned away (`force`).

        A request that is `alone` is answered before this returns, when nothing runs and the model is quick.
        """
        if len(self._queue) >= self._limit and not force:
            raise Limited(
                f"{len(self._queue)} requests wait for {job.route.model} already",
                fix="come back when the header Retry-After says",
                limit="queue",
                retry_after_s=self._drain.wait_s(len(self._queue), time.monotonic()),
            )
        self._queue.append(job)
        if self._sweeper is not None and job.due_s < self._sweep_s:
            self._sweeper.cancel()
            self._watch()
        if not self._scheduled and len(self._running) < self._lanes:
            if alone and self._inline and len(self._queue) == 1:
                self._turn()
                return
            self._scheduled = True
            self._loop.call_soon(self._turn)

    def close(self) -> None:
        """Let go of the thread, once nothing runs any more."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        if self._threads is not None:
            self._threads.shutdown(wait=False)

    def _turn(self) -> None:
        """Run the next batch, here or apart."""
        self._scheduled = False
        if len(self._running) >= self._lanes:
            return
        batch, rows = self._next()
        if not batch:
            return
        if self._inline and self._cost.expected_s(rows) < INLINE_S:
            for job, outcome in zip(batch, self._answers(batch, rows), strict=True):
                self._note(job, outcome)
            self._settle(batch)
            if self._queue:
                self._scheduled = True
                self._loop.call_soon(self._turn)
            return
        self._running.append(batch)
        task = self._loop.create_task(self._apart(batch, rows))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        self._watch()
        if self._queue and len(self._running) < self._lanes:
            self._turn()

    def _next(self) -> tuple[list[Job], int]:
        """The next batch and its rows, up to `max_rows` (one request may hold more); what is too late is settled at once.

        Its share of what waits, when several lanes are free.
        """
        batch: list[Job] = []
        late: list[Job] = []
        rows, now = 0, time.monotonic()
        most = min(TURN, -(-len(self._queue) // max(1, self._lanes - len(self._running))))
        while self._queue and (
            not batch or (rows + self._queue[0].rows.n <= self._max_rows and len(batch) < most)
        ):
            job = self._queue.popleft()
            if job.over:
                continue
            if job.deadline_s <= now:
                job.expire()
                late.append(job)
                continue
            job.begun_s = now
            batch.append(job)
            rows += job.rows.n
        self._drain.left(len(batch) + len(late), now)
        if late:
            self._settle(late)
        if batch:
            self.batches[bisect_left(BATCH_SIZES, len(batch))] += 1
            self.batched += len(batch)
        return batch, rows

    async def _apart(self, batch: list[Job], rows: int) -> None:
        if self._executor.kind is ExecutorKind.COMPILED:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(1, thread_name_prefix="batch")
            outcomes = await self._loop.run_in_executor(self._threads, self._answers, batch, rows)
        else:
            outcomes = await self._answers_async(batch)
        self._running = [other for other in self._running if other is not batch]
        if self._sweeper is not None and not self._running:
            self._sweeper.cancel()
            self._sweeper = None
        done = [job for job in batch if not job.over]
        for job, outcome in zip(batch, outcomes, strict=True):
            if not job.over:
                self._note(job, outcome)
        if done:
            self._settle(done)
        if self._queue and not self._scheduled:
            self._scheduled = (
                True  # not at once: what arrived meanwhile is decoded first and belongs to the batch
            )
            self._loop.call_soon(self._turn)

    def _note(self, job: Job, outcome: Columns | LockgateError) -> None:
        if isinstance(outcome, LockgateError):
            job.error = outcome
        else:
            job.outputs = outcome

    def _answers(self, batch: list[Job], rows: int) -> list[Columns | LockgateError]:
        """Each request's answer or error. When a whole batch fails, each request is tried by itself."""
        start = time.perf_counter()
        found = self._attempt(batch)
        seconds = time.perf_counter() - start
        self.computed_s += seconds
        self._cost.took(rows, seconds)
        if isinstance(found, PredictionFailed | InvalidInput) and len(batch) > 1:
            return [self._alone(self._attempt([job])) for job in batch]
        return [found] * len(batch) if isinstance(found, LockgateError) else found

    def _attempt(self, batch: list[Job]) -> list[Columns | LockgateError] | LockgateError:
        try:
            if self._matrix is not None:
                answer = self._matrix.answer([job.rows.parts[0] for job in batch])
            else:
                columns = self._layout.columns(self._layout.join([job.rows for job in batch]))
                answer = self._executor.predict(columns, deadline_s=_left_s(batch))
        except LockgateError as error:
            return error
        except Exception as error:  # noqa: BLE001  a defect in a model's graph must cost this batch alone
            return PredictionFailed(f"the model failed: {type(error).__name__}", got=error)
        return self._divider.divide(batch, answer)

    async def _answers_async(self, batch: list[Job]) -> list[Columns | LockgateError]:
        found = await self._attempt_async(batch)
        if isinstance(found, PredictionFailed | InvalidInput) and len(batch) > 1:
            return [self._alone(await self._attempt_async([job])) for job in batch]
        return [found] * len(batch) if isinstance(found, LockgateError) else found

    async def _attempt_async(self, batch: list[Job]) -> list[Columns | LockgateError] | LockgateError:
        left_s = _left_s(batch)
        if left_s <= 0:
            return TimedOut("the time was up before the model was asked again")
        try:
            columns = self._layout.columns(self._layout.join([job.rows for job in batch]))
            answer = await self._executor.predict_async(columns, deadline_s=left_s)
        except LockgateError as error:
            return error
        except Exception as error:  # noqa: BLE001  what the runner's side raises must cost this batch alone
            return PredictionFailed(f"the model failed: {type(error).__name__}", got=error)
        return self._divider.divide(batch, answer)

    @staticmethod
    def _alone(found: list[Columns | LockgateError] | LockgateError) -> Columns | LockgateError:
        return found if isinstance(found, LockgateError) else found[0]

    def _watch(self) -> None:
        """While a batch runs apart: look again when the earliest deadline passes, or the earliest request is slow."""
        earliest = min((job.due_s for job in self._taken() if not job.over), default=None)
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        if earliest is not None:
            self._sweep_s = earliest
            delay_s = max(0.0, earliest - time.monotonic())
            self._sweeper = self._loop.call_later(delay_s + 0.001, self._sweep)

    def _taken(self) -> list[Job]:
        """What runs and what waits."""
        return [*(job for batch in self._running for job in batch), *self._queue]

    def _sweep(self) -> None:
        """Settle what is too late, in the running batch and behind it; the batch itself goes on. Say what is slow."""
        self._sweeper = None
        now = time.monotonic()
        due = [job for job in self._taken() if not job.over and job.due_s <= now]
        late = [job for job in due if job.deadline_s <= now]
        for job in late:
            job.expire()
            job.over = True
        if late:
            self._settle(late)
        for job in due:
            if not job.over:
                job.slow_s = inf
                self._slow(job)
        if due:
            self._queue = deque(job for job in self._queue if not job.over)
        if self._running:
            self._watch()


def _left_s(batch: list[Job]) -> float:
    """Until the most patient request of a batch gives up."""
    return max(job.deadline_s for job in batch) - time.monotonic()
