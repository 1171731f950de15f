"""The gateway's HTTP face (RSGI): which path is which prediction, limits, errors. Every error is JSON that says what to do."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from granian._granian import RSGIProtocolClosed as ProtocolClosed

from lockgate.config_gateway import GatewayConfig
from lockgate.errors import InvalidInput, LockgateError, NotFound
from lockgate.gateway.bodies import BodyReader
from lockgate.gateway.breaker import Breaker
from lockgate.gateway.call import Call
from lockgate.gateway.door import Door
from lockgate.gateway.job import Reply
from lockgate.gateway.lookups import Lookups, number_of, only
from lockgate.gateway.memory import BodyMemory
from lockgate.gateway.metrics import Metrics, State
from lockgate.gateway.predict import LONGEST_ID, Asked, Predictor, Reader, is_decent
from lockgate.gateway.protocols import compression, invocations, oip, v1
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

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        started_s = time.monotonic() if self._watching else 0.0
        call = Call(scope, protocol)
        try:
            reply = await self._reply(call)
        except ProtocolClosed:
            return  # the caller left while sending
        except LockgateError as error:
            reply = refusal(error)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  shown by its id only
            reply = refusal(internal(f"{call.method} {call.route or 'a path'}"))
        headers = reply.headers + self._safe
        if reply.status == 429:
            self._parts.metrics.limited(dict(headers).get("x-lockgate-limit", ""))
        if call.trace is not None:
            headers.append(("traceresponse", call.trace.response))
        if self.draining:
            headers.append(("connection", "close"))
        if scope.method == "HEAD":
            protocol.response_empty(reply.status, headers)
        else:
            protocol.response_bytes(reply.status, headers, reply.content)
        if self._watching:
            self._parts.watch.seen(call, reply, started_s)

    async def _reply(self, call: Call) -> Reply:
        path = call.scope.path
        steps = [unquote(step) if "%" in step else step for step in path.split("/")[1:]]
        match steps:
            case ["v2", "models", model, "infer"]:
                call.route = "/v2/models/{model}/infer"
                return await self._infer(call, model, None)
            case ["v2", "models", model, "versions", version, "infer"]:
                call.route = "/v2/models/{model}/versions/{version}/infer"
                return await self._infer(call, model, number_of(version))
            case ["invocations"]:
                call.route = "/invocations"
                return await self._invoke(call, self._named(call))
            case ["models", model, "invocations"]:
                call.route = "/models/{model}/invocations"
                return await self._invoke(call, model)
            case ["v1", "models", named] if ":" in named:
                return await self._call(call, *named.rpartition(":")[::2])
        return self._lookups.answer(call, steps)

    async def _infer(self, call: Call, model: str, version: int | None) -> Reply:
        length = call.headers.get(oip.HEADER_LENGTH)
        return await self._predict(call, model, version, lambda body: oip.read(body, length))

    async def _invoke(self, call: Call, model: str) -> Reply:
        kind = call.headers.get("content-type", "")
        return await self._predict(
            call, model, None, lambda body: (invocations.read(body, kind), invocations.write)
        )

    async def _call(self, call: Call, model: str, verb: str) -> Reply:
        """KServe's v1: NAME:predict."""
        if verb == "predict":
            call.route = "/v1/models/{model}:predict"
            return await self._predict(call, model, None, lambda body: (v1.read(body), v1.write))
        only(call, "POST")
        self._parts.door.admit(call.headers, model)
        if verb == "explain":
            call.route = "/v1/models/{model}:explain"
            raise NotOffered("explanations are not given here", allowed=f"/v1/models/{model}:predict")
        raise NotFound(f"'{verb[:LONGEST_ID]}' is not a call of the v1 protocol", allowed="predict")

    async def _predict(self, call: Call, model: str, version: int | None, read: Reader) -> Reply:
        only(call, "POST")
        headers, parts = call.headers, self._parts
        call.caller = parts.door.admit(headers, model)
        parent = headers.get("traceparent")
        if parent is not None or self._watching:
            call.trace = parts.watch.tracing.begin(parent)
        asked = parts.predictor.ask(model, version, call.caller, headers, trace=call.trace)
        call.model = model
        try:
            asked = with_a_decent_id(asked)
            body, held = await self._bodies.read(call.protocol, headers, model)
        except LockgateError as error:
            return _closing(await parts.predictor.refuse(asked, error))
        try:
            reply = await parts.predictor.answer(asked, body, read)
        finally:
            self.memory.give(model, held)
        if len(reply.content) >= compression.ANSWER_FROM_BYTES:
            return await _packed(reply, headers.get("accept-encoding"))
        return reply

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
