"""What happens when an arm is done with requests: fall back to live, record, answer. In this order, always.

A canary that raised, was too slow or answered outside its signature is answered for by the live version in the same
request. Whatever the end, the record is in the log before the caller has the answer.
"""

from __future__ import annotations

import logging
import time
from functools import lru_cache
from math import inf

import msgspec

from lockgate.config_gateway import LogMode
from lockgate.errors import (
    InvalidInput,
    LockgateError,
    PredictionFailed,
    TimedOut,
    Unavailable,
)
from lockgate.gateway.beside import answering, pair
from lockgate.gateway.breaker import Breaker
from lockgate.gateway.engine import Engine
from lockgate.gateway.job import Job, Reply, Seat
from lockgate.gateway.metrics import Metrics
from lockgate.gateway.protocols.answer import Answered
from lockgate.gateway.recorder import Recorder
from lockgate.gateway.refusals import InvalidAnswer, internal, refusal, status_of
from lockgate.gateway.router import Router
from lockgate.gateway.rows import output_blocks
from lockgate.gateway.trace import Trace
from lockgate.predictions.record import SLOW, Attempt, Record
from lockgate.traffic import Role

_log = logging.getLogger(__name__)


class Settler:
    """Ends requests. `router` is set once, after both exist."""

    router: Router

    def __init__(self, recorder: Recorder, breaker: Breaker, metrics: Metrics, log: LogMode) -> None:
        self._recorder, self._breaker, self._metrics, self._log = recorder, breaker, metrics, log

    def settle(self, jobs: list[Job]) -> None:
        """Jobs with `outputs` or `error`: each goes to the live version once more, or to its caller."""
        try:
            final = [job for job in map(self._next_step, jobs) if job is not None]
            if final:
                self._finish(final)
        except Exception:  # noqa: BLE001  a defect here must not leave callers waiting for ever
            reply = refusal(internal("settling a batch"))
            for job in jobs:
                job.seat.give(reply)

    def refuse(self, record: Record, error: LockgateError) -> Seat:
        """Record a request of a known model and caller that never reached a version, and say why."""
        record = msgspec.structs.replace(record, status=status_of(error), error=error.sentence())
        reply = refusal(error, _headers(record))
        seat = Seat()
        self._recorder.write(
            [record], lambda written: seat.give(reply if written else self._marked(reply, record.model))
        )
        self._metrics.answered(record, reply.status)
        return seat

    def slow(self, job: Job) -> None:
        """A canary that has no answer when every guard calls it slow: live is asked beside it, the first right answer counts.

        The canary goes on, for the breaker to hear how it ends. The record says `slow`, its time is above the thresholds.
        """
        try:
            found = self._second(job, _attempt(job, SLOW, "no answer yet when it was slow"))
            if found is not None and found[0].error is None:
                second, live = found
                pair(job, second)
                live.batcher.offer(second, force=True)
        except Exception:  # noqa: BLE001  a defect here costs the caller nothing but time: the canary is still asked
            internal("asking live beside a canary")

    def _next_step(self, job: Job) -> Job | None:
        """The job that is at its end, this one or the other at the same request; None while live still tries."""
        if job.arm.role is not Role.CANARY or job.failed is not None:
            return answering(job)
        release, error = job.route.release, job.error
        if error is None:
            self._breaker.succeeded(release)
            return answering(job)
        reason = _reason(error)
        if self._breaker.failed(release, error.sentence()):
            # not in the error's own words: a model's exception often quotes what it was asked
            _log.error("%s/%d gets no more requests here: %s", job.route.model, job.arm.version, reason)
            self.router.settle_in()
        if job.beside is not None:
            job.beside.failed = _attempt(job, reason, error.sentence())  # says more than `slow`
            return answering(job)
        return self._hand_over(job, _attempt(job, reason, error.sentence())) if job.route.fallback else job

    def _hand_over(self, job: Job, failed: Attempt) -> Job | None:
        found = self._second(job, failed)
        if found is None:
            return job
        second, live = found
        if second.error is not None:
            return second
        live.batcher.offer(second, force=True)
        return None

    def _second(self, job: Job, failed: Attempt) -> tuple[Job, Engine] | None:
        """The same request for live; with an error where it does not take it, None where nothing is live."""
        served = self.router.served(job.route.model)
        live = served.route.arm(Role.LIVE)
        if live is None or served.live is None:
            return None
        second = msgspec.structs.replace(
            job,
            arm=live,
            failed=failed,
            outputs=None,
            error=None,
            over=False,
            attempt_s=time.monotonic(),
            deadline_s=min(job.started_s + job.route.deadline_ms / 1000, job.until_s),
            slow_s=inf,
        )
        try:
            second.rows = served.live.decoder.decode(job.sent, job.route.key_field)
        except InvalidInput as refused:
            # without the canary the caller had got the same; rows and layout stay the canary's
            second.error = refused
        else:
            second.layout, second.prediction = served.live.decoder.layout, served.live.prediction
        return second, served.live

    def _finish(self, jobs: list[Job]) -> None:
        now = time.monotonic()
        ends = [_end(job, now) for job in jobs]

        def answer(written: bool) -> None:
            for job, (record, reply) in zip(jobs, ends, strict=True):
                self._metrics.answered(record, reply.status)
                if job.trace is not None:
                    _mark(job, job.trace, now)
                job.seat.give(reply if written else self._marked(reply, record.model))

        self._recorder.write([record for record, _ in ends], answer)

    def _marked(self, reply: Reply, model: str) -> Reply:
        """The reply to a request that is not on record."""
        route = self.router.plan.routes.get(model)
        if self._log is LogMode.SERVE and not (route is not None and route.strict):
            return Reply(reply.status, [*reply.headers, ("x-lockgate-log", "gap")], reply.content)
        return refusal(
            Unavailable(
                "the answer could not be put on record, and is not given without",
                fix="an admin makes room for the prediction log",
            )
        )


def _reason(error: LockgateError) -> str:
    if isinstance(error, TimedOut):
        return "timeout"
    return "invalid" if isinstance(error, InvalidAnswer) else "error"


def _attempt(job: Job, reason: str, words: str) -> Attempt:
    """What became of a canary's try, until now."""
    spent_us = round((time.monotonic() - job.attempt_s) * 1e6)
    return Attempt(job.arm.version, job.arm.digest, reason, words, spent_us)


def _end(job: Job, now_s: float) -> tuple[Record, Reply]:
    """The record and the reply of one request."""
    error, body = job.error, None
    if error is None and job.outputs is not None:
        try:
            body = job.write(Answered(job.outputs, job.route.model, job.arm.version, job.id, job.prediction))
        except InvalidInput as refused:  # it asked for an output that there is not
            error = refused
    record = _record(job, error, now_s)
    if body is not None and error is None:
        return record, Reply(
            200, [("content-type", body.content_type), *_headers(record), *body.headers], body.content
        )
    assert error is not None  # noqa: S101  a settled job has one or the other
    return record, refusal(_told(error, job), _headers(record))


def _record(job: Job, error: LockgateError | None, now_s: float) -> Record:
    return Record(
        id=job.id,
        at_us=job.at_us,
        latency_us=round((now_s - job.started_s) * 1e6),
        model=job.route.model,
        version=job.arm.version,
        digest=job.arm.digest,
        role=job.arm.role,
        assigned=job.assigned,
        weight=job.weight,
        epoch=job.epoch,
        release=job.route.release,
        stage=job.route.stage,
        forced=job.forced,
        key=job.key,
        inference_id=job.inference_id,
        caller=job.caller,
        status=200 if error is None else status_of(error),
        rows=job.rows.n,
        inputs=job.layout.blocks(job.rows),
        outputs=[] if job.outputs is None else output_blocks(job.outputs),
        error=None if error is None else error.sentence(),
        failed=job.failed,
        trace=None if job.trace is None else job.trace.trace_id,
    )


def _mark(job: Job, trace: Trace, done_s: float) -> None:
    """When the request's steps ended, for its trace."""
    trace.decoded_s, trace.begun_s = job.attempt_s, job.begun_s
    trace.done_s, trace.logged_s = done_s, time.monotonic()


def _told(error: LockgateError, job: Job) -> LockgateError:
    """What the caller hears: of a failure inside a model only that it failed, and where to look."""
    if not isinstance(error, PredictionFailed):
        return error
    return PredictionFailed(
        f"version {job.route.model}/{job.arm.version} failed on this request",
        fix=f"the record says why: request {job.id}",
    )


def _headers(record: Record) -> tuple[tuple[str, str], ...]:
    if not record.version:
        return (("x-lockgate-request-id", record.id),)
    return (*_marks(record.model, record.version, record.role), ("x-lockgate-request-id", record.id))


@lru_cache(1024)
def _marks(model: str, version: int, role: Role) -> tuple[tuple[str, str], tuple[str, str]]:
    """What all answers of one arm bear."""
    return ("x-lockgate-version", f"{model}/{version}"), ("x-lockgate-arm", role.value)
