"""The gateway's HTTP face (RSGI): which path is which prediction, limits, errors. Every error is JSON that says what to do."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from lockgate.config_gateway import GatewayConfig
from lockgate.errors import InvalidInput, LockgateError, NotFound
from lockgate.gateway.addresses import Wanted, mlflow_reader, oip_reader, steps_of, v1_reader
from lockgate.gateway.bodies import BodyReader
from lockgate.gateway.breaker import Breaker
from lockgate.gateway.call import Call
from lockgate.gateway.door import Door
from lockgate.gateway.exchange import CallerGone, Exchange
from lockgate.gateway.job import Reply
from lockgate.gateway.lookups import Lookups, number_of, only
from lockgate.gateway.memory import BodyMemory
from lockgate.gateway.metrics import Metrics, State
from lockgate.gateway.predict import LONGEST_ID, Asked, Predictor, Reader, is_decent
from lockgate.gateway.protocols import compression
from lockgate.gateway.recorder import Recorder
from lockgate.gateway.refusals import NotOffered, internal, refusal
from lockgate.gateway.router import Router
from lockgate.gateway.watch import Watch
from lockgate.samples import Sample

# Nothing here is a page: browsers must not guess types, frame it, or keep it.
SAFE = [("x-content-type-options", "nosniff"), ("cache-control", "no-store"), ("server", "lockgate")]


@dataclass(frozen=True)
class Parts:
    """Everything that the HTTP face needs of the worker."""

    config: GatewayConfig
    worker: str
    version: str
    run: Path
    door: Door
    router: Router
    predictor: Predictor
    recorder: Recorder
    metrics: Metrics
    breaker: Breaker
    watch: Watch


class App:
    """One worker's application. `draining` is set when the worker is about to stop; `memory` counts the bodies it holds."""

    def __init__(self, parts: Parts) -> None:
        self._parts, config = parts, parts.config
        self.draining = False
        self._safe = SAFE
        if config.tls is not None:
            self._safe = [*SAFE, ("strict-transport-security", "max-age=31536000")]
        limit_bytes = round(config.max_body_mb * 1_000_000)
        room_bytes = max(round(config.max_bodies_mb * 1_000_000), limit_bytes)
        self.memory = BodyMemory(room_bytes, lambda: len(parts.router.models))
        self._bodies = BodyReader(
            limit_bytes=limit_bytes, timeout_s=config.body_timeout_s, memory=self.memory
        )
        parts.predictor.arriving = self._bodies.arriving
        self._lookups = Lookups(
            parts.worker,
            parts.version,
            parts.run,
            parts.door,
            parts.router,
            self.samples,
            lambda: self.draining,
        )
        self._watching = parts.watch.on
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, exchange: Exchange) -> None:
        """Answer a request as soon as its head is there: without a task of its own when the body came with it."""
        call = Call(exchange, exchange)
        if exchange.whole is None or exchange.headers.get("content-encoding") is not None:
            self._spawn(self.answer(call))
            return
        try:
            self._begin(call, exchange.whole, alone=exchange.alone)
        except LockgateError as error:
            self._finish(call, refusal(error))
        except Exception:  # noqa: BLE001  shown by its id only
            self._finish(call, refusal(internal(_where(call))))

    async def answer(self, call: Call) -> None:
        """Answer one request, reading its body first."""
        try:
            reply = await self._reply(call)
        except CallerGone:
            return
        except LockgateError as error:
            reply = refusal(error)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  shown by its id only
            reply = refusal(internal(_where(call)))
        self._finish(call, reply)

    def _finish(self, call: Call, reply: Reply) -> None:
        """Send a reply."""
        headers = [*reply.headers, *self._safe]
        if reply.status == 429:
            self._parts.metrics.limited(dict(headers).get("x-lockgate-limit", ""))
        if call.trace is not None:
            headers.append(("traceresponse", call.trace.response))
        if self.draining:
            headers.append(("connection", "close"))
        call.protocol.response_bytes(reply.status, headers, reply.content)
        if self._watching:
            self._parts.watch.seen(call, reply, call.started_s)

    def _begin(self, call: Call, body: bytes, *, alone: bool) -> None:
        """Answer a request whose body is there: a prediction when its batch is through, anything else now."""
        steps = steps_of(call.scope.path)
        wanted = self._wanted(call, steps)
        if wanted is None:
            self._finish(call, self._lookups.answer(call, steps))
            return
        model, version, read = wanted
        asked = self._asked(call, model, version)
        held = len(body)
        try:
            asked = with_a_decent_id(asked)
            self._bodies.hold(model, held)
        except LockgateError as error:
            seat, held = self._parts.predictor.refused(asked, error), 0
        else:
            seat = self._parts.predictor.seat(asked, body, read, alone=alone)
        seat.when(lambda reply: self._send(call, reply, held))

    def _send(self, call: Call, reply: Reply, held: int) -> None:
        """Send the reply to a prediction, compressed where that is worth it and wished."""
        if held:
            self.memory.give(call.model, held)
        try:
            if len(reply.content) < compression.ANSWER_FROM_BYTES:
                self._finish(call, reply)
            else:
                self._spawn(self._send_packed(call, reply))
        except Exception:  # noqa: BLE001  shown by its id only; who waits behind this one must not suffer
            self._finish(call, refusal(internal(_where(call))))

    async def _send_packed(self, call: Call, reply: Reply) -> None:
        self._finish(call, await _packed(reply, call.headers.get("accept-encoding")))

    async def _reply(self, call: Call) -> Reply:
        steps = steps_of(call.scope.path)
        wanted = self._wanted(call, steps)
        return self._lookups.answer(call, steps) if wanted is None else await self._predict(call, *wanted)

    def _wanted(self, call: Call, steps: list[str]) -> Wanted | None:
        """Which prediction is asked for, by its path; None: something else. Raises as reading names does."""
        match steps:
            case ["v2", "models", model, "infer"]:
                call.route = "/v2/models/{model}/infer"
                return model, None, oip_reader(call.headers)
            case ["v2", "models", model, "versions", version, "infer"]:
                call.route = "/v2/models/{model}/versions/{version}/infer"
                return model, number_of(version), oip_reader(call.headers)
            case ["invocations"]:
                call.route = "/invocations"
                return self._named(call), None, mlflow_reader(call.headers)
            case ["models", model, "invocations"]:
                call.route = "/models/{model}/invocations"
                return model, None, mlflow_reader(call.headers)
            case ["v1", "models", named] if ":" in named:
                return self._v1(call, *named.rpartition(":")[::2])
        return None

    def _v1(self, call: Call, model: str, verb: str) -> Wanted:
        """KServe's v1: NAME:predict."""
        if verb == "predict":
            call.route = "/v1/models/{model}:predict"
            return model, None, v1_reader
        only(call, "POST")
        self._parts.door.admit(call.headers, model)
        if verb == "explain":
            call.route = "/v1/models/{model}:explain"
            raise NotOffered("explanations are not given here", allowed=f"/v1/models/{model}:predict")
        raise NotFound(f"'{verb[:LONGEST_ID]}' is not a call of the v1 protocol", allowed="predict")

    def _asked(self, call: Call, model: str, version: int | None) -> Asked:
        """A prediction for who may have it. Raises as the door does, and NotFound."""
        only(call, "POST")
        parts = self._parts
        call.caller = parts.door.admit(call.headers, model)
        parent = call.headers.get("traceparent")
        if parent is not None or self._watching:
            call.trace = parts.watch.tracing.begin(parent)
        asked = parts.predictor.ask(model, version, call.caller, call.headers, trace=call.trace)
        call.model = model
        return asked

    async def _predict(self, call: Call, model: str, version: int | None, read: Reader) -> Reply:
        asked, parts = self._asked(call, model, version), self._parts
        try:
            asked = with_a_decent_id(asked)
            body, held = await self._bodies.read(call.protocol, call.headers, model)
        except LockgateError as error:
            return _closing(await parts.predictor.refuse(asked, error))
        try:
            reply = await parts.predictor.answer(asked, body, read)
        finally:
            self.memory.give(model, held)
        if len(reply.content) >= compression.ANSWER_FROM_BYTES:
            return await _packed(reply, call.headers.get("accept-encoding"))
        return reply

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _named(self, call: Call) -> str:
        """Which model an /invocations request is for: header, query, or the only one that the caller may call."""
        named = call.headers.get("x-lockgate-model") or next(
            iter(parse_qs(call.scope.query_string).get("model", [])), None
        )
        if named:
            return str(named)
        models = self._parts.door.callable(call.headers, self._parts.router.models)
        if len(models) == 1:
            return models[0]
        raise InvalidInput(
            "which model is meant?",
            got=f"{len(models)} models may be called with this key",
            fix="POST /models/NAME/invocations, or send the header X-Lockgate-Model",
        )

    def sweep(self) -> None:
        """Give up uploads that take too long, and write what was watched; called by the worker's heart."""
        self._bodies.sweep()
        if self._watching:
            self._parts.watch.flush()

    def samples(self) -> list[Sample]:
        """This worker's numbers now."""
        parts = self._parts
        return parts.metrics.samples(
            State(
                gap=parts.recorder.gap,
                epoch=parts.router.plan.epoch,
                bodies_bytes=self.memory.held_bytes,
                engines=parts.router.engines(),
                routes=parts.router.plan.routes,
                tripped=parts.breaker.tripped,
                lost_traces=parts.watch.lost,
            )
        )


def _where(call: Call) -> str:
    return f"{call.method} {call.route or 'a path'}"


def with_a_decent_id(asked: Asked) -> Asked:
    """The request, unless its caller's id is one that must not go into logs and other people's tools. Raises InvalidInput."""
    name = asked.inference_id
    if name is None or is_decent(name):
        return asked
    raise InvalidInput(
        "the header X-Request-Id cannot be used",
        got=f"{len(name)} characters",
        allowed=f"at most {LONGEST_ID} printable characters",
    )


async def _packed(reply: Reply, accepted: str | None) -> Reply:
    """A large reply, compressed for a caller who asks for that."""
    kind = None if accepted is None else compression.chosen(accepted)
    if kind is None:
        return reply
    headers = [*reply.headers, ("content-encoding", kind), ("vary", "accept-encoding")]
    return Reply(reply.status, headers, await compression.packed(reply.content, kind))


def _closing(reply: Reply) -> Reply:
    """A refusal before the body was read: its rest must not be taken for the next request."""
    return Reply(reply.status, [*reply.headers, ("connection", "close")], reply.content)
