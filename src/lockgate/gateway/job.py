"""One request on its way through the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf

import msgspec

from lockgate.errors import LockgateError, TimedOut
from lockgate.gateway.protocols.answer import Answered, Body
from lockgate.gateway.rows import Layout, Rows
from lockgate.gateway.sent import Sent
from lockgate.gateway.trace import Trace
from lockgate.predictions.record import Attempt, Columns
from lockgate.traffic import Arm, Role, Route


class Reply(msgspec.Struct, frozen=True):
    """What goes back over HTTP."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


class Seat(msgspec.Struct, eq=False):
    """Where the reply to a request is put, for one who asks for it: now or when it is there."""

    reply: Reply | None = None
    _then: Callable[[Reply], None] | None = None

    def give(self, reply: Reply) -> None:
        """Answer, once."""
        if self.reply is None:
            self.reply = reply
            if self._then is not None:
                self._then(reply)

    def when(self, then: Callable[[Reply], None]) -> None:
        """Tell `then` the reply, as soon as there is one. It must not raise: others wait behind it."""
        if self.reply is None:
            self._then = then
        else:
            then(self.reply)

    async def taken(self) -> Reply:
        """The reply, as soon as there is one."""
        if self.reply is not None:
            return self.reply
        waiting: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._then = lambda reply: None if waiting.done() else waiting.set_result(reply)
        return await waiting


class Job(msgspec.Struct, eq=False):
    """A decoded request: what it asks, what became of it so far, and who waits for it.

    `started_s` and the deadlines are of the monotonic clock. `outputs` or `error` is set when an arm is done with it.
    """

    id: str
    at_us: int
    started_s: float
    route: Route
    epoch: int
    arm: Arm  # that answers, or tries to
    assigned: Role
    weight: float
    rows: Rows
    layout: Layout  # of the rows
    prediction: str  # the output that is the prediction itself
    sent: Sent  # kept for the live version, which may have to answer instead
    write: Callable[[Answered], Body]
    seat: Seat
    deadline_s: float  # of the present attempt
    caller: str
    key: str | None = None
    inference_id: str | None = None
    forced: bool = False  # the caller named the version
    until_s: float = inf  # when the caller stops waiting
    slow_s: float = inf  # when live is asked beside this attempt, unless it is over by then
    beside: Job | None = None  # the other attempt at the same request, until this one ends
    attempt_s: float = msgspec.field(default_factory=time.monotonic)
    failed: Attempt | None = None
    outputs: Columns | None = None
    error: LockgateError | None = None
    trace: Trace | None = None
    begun_s: float = 0.0  # when its batch was taken from the queue
    over: bool = False  # settled: a late result is dropped

    @property
    def due_s(self) -> float:
        """When something is to be done about it, whatever its model does."""
        return min(self.slow_s, self.deadline_s)

    def expire(self) -> None:
        """Note that the time was up before an answer was there."""
        waited_ms = (time.monotonic() - self.attempt_s) * 1000
        self.error = TimedOut(
            f"version {self.route.model}/{self.arm.version} did not answer in time",
            got=f"{waited_ms:.0f} ms",
            fix="send fewer rows at once, or try again later",
        )
