"""One prediction request: who asks, what for, which version answers, and in whose queue it waits."""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf
from typing import Any, Protocol

import msgspec

from lockgate.clock import Clock
from lockgate.errors import InvalidInput, LockgateError, NotFound
from lockgate.gateway.decode import key_cells
from lockgate.gateway.engine import Engine
from lockgate.gateway.job import Job, Reply, Seat
from lockgate.gateway.protocols.answer import Answered, Body
from lockgate.gateway.refusals import Limited, internal
from lockgate.gateway.router import Router, Served
from lockgate.gateway.rows import Rows
from lockgate.gateway.sent import Sent
from lockgate.gateway.settle import Settler
from lockgate.gateway.trace import Trace
from lockgate.predictions.record import Attempt, Record
from lockgate.traffic import Arm, Role, Route, assign

Writer = Callable[[Answered], Body]
Reader = Callable[[bytes], tuple[Sent, Writer]]


class Headers(Protocol):
    """What is used of the server's header object."""

    def get(self, key: str, default: Any = None) -> Any:
        """The first header of that name."""
        ...


LONGEST_ID = 200  # characters of a caller's own request id


def is_decent(name: str | None) -> bool:
    """Whether a caller's own request id may go into records, logs and other people's tools."""
    return name is None or (len(name) <= LONGEST_ID and name.isprintable())


class Asked(msgspec.Struct, frozen=True):
    """A request of a known caller for a known model, its body not yet read."""

    id: str
    at_us: int
    started_s: float
    model: str
    version: int | None  # that the caller named
    caller: str
    key: str | None
    inference_id: str | None
    until_s: float = inf  # when the caller stops waiting, by the monotonic clock
    trace: Trace | None = None


class Choice(msgspec.Struct, frozen=True):
    """Which arm answers a request, and what was said about it before."""

    arm: Arm
    engine: Engine
    assigned: Role
    weight: float
    rows: Rows
    failed: Attempt | None = None


class Predictor:
    """Takes decoded requests to their queues.

    `arriving` says how many requests are being read: with others on their way, or in here, a request waits for the next
    turn of the loop, so that they become one batch; a lone one is answered at once.
    """

    def __init__(self, router: Router, settler: Settler, clock: Clock, make_id: Callable[[], str]) -> None:
        self._router, self._settler, self._clock, self._make_id = router, settler, clock, make_id
        self._inside = 0
        self.arriving: Callable[[], int] = _nobody

    def ask(
        self,
        model: str,
        version: int | None,
        caller: str,
        headers: Headers,
        until_s: float = inf,
        *,
        trace: Trace | None = None,
    ) -> Asked:
        """Note the time and the headers that concern a prediction. Raises NotFound for a model that is not served."""
        self._router.served(model)
        return Asked(
            self._make_id(),
            self._clock.now_us(),
            time.monotonic(),
            model,
            version,
            caller,
            headers.get("x-lockgate-key"),
            headers.get("x-request-id"),
            until_s,
            trace,
        )

    async def answer(self, asked: Asked, body: bytes, read: Reader) -> Reply:
        """The reply; the record is in the log by then."""
        self._inside += 1
        try:
            return await self.seat(asked, body, read, alone=self._inside == 1 and not self.arriving()).taken()
        finally:
            self._inside -= 1

    def seat(self, asked: Asked, body: bytes, read: Reader, *, alone: bool = False) -> Seat:
        """Where the reply to a request will be, its record in the log by then; an `alone` one is answered at once."""
        try:
            return self._place(asked, *read(body), alone)
        except LockgateError as error:
            return self.refused(asked, error)
        except Exception:  # noqa: BLE001  a defect is shown by its id only, and is on record like any other end
            return self.refused(asked, internal(f"a request to {asked.model}"))

    async def refuse(self, asked: Asked, error: LockgateError) -> Reply:
        """The reply to a request that no version saw; recorded with the version that would have answered."""
        return await self.refused(asked, error).taken()

    def refused(self, asked: Asked, error: LockgateError) -> Seat:
        """Where that reply will be."""
        served = self._router.served(asked.model)
        arm = served.route.arm(Role.LIVE) or served.route.arm(Role.CANARY)
        record = Record(
            id=asked.id,
            at_us=asked.at_us,
            latency_us=round((time.monotonic() - asked.started_s) * 1e6),
            model=asked.model,
            version=arm.version if arm else 0,
            digest=arm.digest if arm else "",
            epoch=self._router.plan.epoch,
            release=served.route.release,
            stage=served.route.stage,
            key=asked.key,
            inference_id=asked.inference_id if is_decent(asked.inference_id) else None,
            caller=asked.caller,
            trace=None if asked.trace is None else asked.trace.trace_id,
        )
        return self._settler.refuse(record, error)

    def _place(self, asked: Asked, sent: Sent, write: Writer, alone: bool) -> Seat:
        served = self._router.served(asked.model)
        if served.problem is not None:
            raise served.problem
        key, unit = _keys(asked, sent, served.route.key_field)
        choice = _choose(served, asked, sent, unit)
        route = served.route
        until_s = asked.until_s
        if sent.timeout_s is not None:
            until_s = min(until_s, asked.started_s + sent.timeout_s)
        overall_s = min(asked.started_s + route.deadline_ms / 1000, until_s)
        on_canary = choice.arm.role is Role.CANARY and served.live is not None and route.fallback
        own_s = asked.started_s + route.canary_deadline_ms / 1000 if on_canary else overall_s
        job = Job(
            id=asked.id,
            at_us=asked.at_us,
            started_s=asked.started_s,
            route=route,
            epoch=self._router.plan.epoch,
            arm=choice.arm,
            assigned=choice.assigned,
            weight=choice.weight,
            rows=choice.rows,
            layout=choice.engine.decoder.layout,
            prediction=choice.engine.prediction,
            sent=sent,
            write=write,
            seat=Seat(),
            deadline_s=min(own_s, overall_s),
            slow_s=_slow_s(asked, route) if on_canary else inf,
            caller=asked.caller,
            key=key,
            inference_id=sent.inference_id or asked.inference_id,
            forced=asked.version is not None,
            trace=asked.trace,
            failed=choice.failed,
            until_s=until_s,
        )
        self._offer(job, choice.engine, alone=alone, falls_back=on_canary)
        return job.seat

    def _offer(self, job: Job, engine: Engine, *, alone: bool, falls_back: bool) -> None:
        try:
            engine.batcher.offer(job, alone=alone)
        except Limited as error:
            if not falls_back:
                raise
            job.error = error  # a canary that cannot keep up is no reason to turn a caller away
            self._settler.settle([job])


def _slow_s(asked: Asked, route: Route) -> float:
    return inf if route.slow_ms is None else asked.started_s + route.slow_ms / 1000


def _nobody() -> int:
    return 0


def _keys(asked: Asked, sent: Sent, key_field: str | None) -> tuple[str | None, str | None]:
    """The business key for the record, and the one by which the request sticks to an arm.

    A request of several rows may hold several keys: it sticks by the first, and the record has none of its own (the
    column of keys is recorded with the rows).
    """
    key = sent.key or asked.key
    if key is None and key_field is not None:
        cells = key_cells(sent, key_field)
        if cells:
            return (cells[0] if len(set(cells)) == 1 else None), cells[0]
    return key, key


def _choose(served: Served, asked: Asked, sent: Sent, unit: str | None) -> Choice:
    """The arm for a request, and its rows as that arm takes them. Raises InvalidInput and NotFound."""
    route = served.route
    # Without a canary the only arm is the live one: most requests, most of the time.
    arm, weight = (route.arms[0], 0.0) if served.canary is None else assign(route, unit, asked.id)
    if asked.version is not None:
        arm = next((a for a in route.arms if a.version == asked.version), None)
        if arm is None:
            there = ", ".join(str(a.version) for a in route.arms)
            raise NotFound(f"version {asked.version} of '{asked.model}' answers no requests", allowed=there)
    if arm is None:
        raise NotFound(f"no version of '{asked.model}' answers requests")
    engine = served.canary if arm.role is Role.CANARY else served.live
    assert engine is not None  # noqa: S101  the router serves loaded arms only
    try:
        return Choice(arm, engine, arm.role, weight, engine.decoder.decode(sent, route.key_field))
    except InvalidInput as error:
        live = route.arm(Role.LIVE)
        if arm.role is not Role.CANARY or live is None or served.live is None or not route.fallback:
            raise
        # Callers may not send yet what the canary wants: that is no fault of its answers, but it is on record.
        rows = served.live.decoder.decode(sent, route.key_field)
        attempt = Attempt(arm.version, arm.digest, "input", error.sentence(), 0)
        return Choice(live, served.live, arm.role, weight, rows, attempt)
