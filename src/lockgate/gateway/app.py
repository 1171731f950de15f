"""The gateway's HTTP face (RSGI): paths, methods, limits and errors. Every error is JSON that says what to do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import msgspec
from granian._granian import RSGIProtocolClosed as ProtocolClosed

from lockgate.config import GatewayConfig
from lockgate.errors import InvalidInput, LockgateError, NotFound
from lockgate.gateway.bodies import BodyReader
from lockgate.gateway.door import Door
from lockgate.gateway.job import Reply
from lockgate.gateway.metrics import Metrics, exposition, gather
from lockgate.gateway.openapi import document
from lockgate.gateway.predict import Predictor, Reader
from lockgate.gateway.protocols import compression, invocations, oip, v1
from lockgate.gateway.recorder import Recorder
from lockgate.gateway.refusals import JSON, NotOffered, WrongMethod, internal, refusal
from lockgate.gateway.router import Router
from lockgate.traffic import Role

NAME = "lockgate"
EXTENSIONS = ["binary_tensor_data"]
_TEXT = ("content-type", "text/plain")


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


class App:
    """One worker's application. `draining` is set when the worker is about to stop."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self.draining = False
        limit_bytes = round(parts.config.max_body_mb * 1_000_000)
        self._bodies = BodyReader(limit_bytes=limit_bytes, timeout_s=parts.config.body_timeout_s)
        self._plain = {
            "/": self._alive,
            "/openapi.json": self._openapi,
            "/v2": self._server,
            "/v2/health/live": self._live,
            "/v2/health/ready": self._ready,
            "/ping": self._ping,
            "/health": self._ping,
            "/version": self._version,
            "/metrics": self._metrics,
        }

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        try:
            reply = await self._reply(scope, protocol)
        except ProtocolClosed:
            return  # the caller left while sending
        except LockgateError as error:
            reply = refusal(error)
        except asyncio.CancelledError:
            raise
        except Exception:  # noqa: BLE001  shown by its id only
            reply = refusal(internal(f"{scope.method} {scope.path}"))
        headers = [*reply.headers, ("connection", "close")] if self.draining else reply.headers
        if scope.method == "HEAD":
            protocol.response_empty(reply.status, headers)
        else:
            protocol.response_bytes(reply.status, headers, reply.content)

    async def _reply(self, scope: Any, protocol: Any) -> Reply:
        path = scope.path
        steps = [unquote(step) if "%" in step else step for step in path.split("/")[1:]]
        match steps:
            case ["v2", "models", model, "infer"]:
                return await self._infer(scope, protocol, model, None)
            case ["v2", "models", model, "versions", version, "infer"]:
                return await self._infer(scope, protocol, model, _number(version))
            case ["invocations"]:
                return await self._invoke(scope, protocol, self._named(scope))
            case ["models", model, "invocations"]:
                return await self._invoke(scope, protocol, model)
            case ["v1", "models", call] if ":" in call:
                return await self._call(scope, protocol, call)
        _only(scope, "GET", "HEAD")
        return self._look_up(scope, steps)

    def _look_up(self, scope: Any, steps: list[str]) -> Reply:
        """The questions that no model answers."""
        self._parts.router.look()
        plain = self._plain.get(scope.path)
        if plain is not None:
            return plain()
        match steps:
            case ["v2", "models", model]:
                return self._metadata(scope, model, None)
            case ["v2", "models", model, "versions", version]:
                return self._metadata(scope, model, _number(version))
            case ["v2", "models", model, "ready"]:
                return _state(ready=self._parts.router.served(model).problem is None)
            case ["v2", "models", model, "versions", version, "ready"]:
                arms = self._parts.router.served(model).route.arms
                return _state(ready=any(arm.version == _number(version) for arm in arms))
            case ["v1", "models", *model]:
                return self._look_up_v1(scope, model)
        raise NotFound(
            f"there is nothing at {scope.path}", fix="predictions: POST /v2/models/NAME/infer or /invocations"
        )

    def _look_up_v1(self, scope: Any, steps: list[str]) -> Reply:
        """KServe's v1: the models that the caller may ask, or whether one answers."""
        if not steps:
            sent = scope.headers.get("authorization"), scope.headers.get("x-api-key")
            return _json({"models": self._parts.door.allowed(*sent, self._parts.router.models)})
        model = "/".join(steps)
        ready = self._parts.router.served(model).problem is None
        return _json({"name": model, "ready": ready}, 200 if ready else 503)

    def _alive(self) -> Reply:
        return _json({"status": "alive"})

    def _openapi(self) -> Reply:
        return Reply(200, [JSON], document(self._parts.version))

    def _server(self) -> Reply:
        return _json({"name": NAME, "version": self._parts.version, "extensions": EXTENSIONS})

    def _live(self) -> Reply:
        return _json({"live": True})

    def _ready(self) -> Reply:
        return _state(ready=self._parts.router.answering and not self.draining)

    def _ping(self) -> Reply:
        return Reply(self._ready().status, [_TEXT], b"\n")

    def _version(self) -> Reply:
        return Reply(200, [_TEXT], self._parts.version.encode())

    async def _infer(self, scope: Any, protocol: Any, model: str, version: int | None) -> Reply:
        headers = scope.headers
        length = headers.get(oip.HEADER_LENGTH)
        return await self._predict(scope, protocol, (model, version), lambda body: oip.read(body, length))

    async def _invoke(self, scope: Any, protocol: Any, model: str) -> Reply:
        kind = scope.headers.get("content-type", "")
        return await self._predict(
            scope, protocol, (model, None), lambda body: (invocations.read(body, kind), invocations.write)
        )

    async def _call(self, scope: Any, protocol: Any, call: str) -> Reply:
        """KServe's v1: NAME:predict."""
        model, _, verb = call.rpartition(":")
        if verb == "predict":
            return await self._predict(scope, protocol, (model, None), lambda body: (v1.read(body), v1.write))
        _only(scope, "POST")
        self._admit(scope.headers, model)
        if verb == "explain":
            raise NotOffered("explanations are not given here", allowed=f"/v1/models/{model}:predict")
        raise NotFound(f"'{verb}' is not a call of the v1 protocol", allowed="predict")

    async def _predict(self, scope: Any, protocol: Any, which: tuple[str, int | None], read: Reader) -> Reply:
        _only(scope, "POST")
        headers = scope.headers
        model, version = which
        caller = self._admit(headers, model)
        asked = self._parts.predictor.ask(model, version, caller, headers)
        try:
            body = await self._bodies.read(protocol, headers)
        except LockgateError as error:
            return _closing(self._parts.predictor.refuse(asked, error))
        reply = await self._parts.predictor.answer(asked, body, read)
        if len(reply.content) >= compression.ANSWER_FROM_BYTES:
            return await _packed(reply, headers.get("accept-encoding"))
        return reply

    def _admit(self, headers: Any, model: str) -> str:
        return self._parts.door.admit(headers.get("authorization"), headers.get("x-api-key"), model)

    def _named(self, scope: Any) -> str:
        """Which model an /invocations request is for: header, query, or the only one there is."""
        named = scope.headers.get("x-lockgate-model") or next(
            iter(parse_qs(scope.query_string).get("model", [])), None
        )
        if named:
            return str(named)
        models = self._parts.router.models
        if len(models) == 1:
            return models[0]
        raise InvalidInput(
            "which model is meant?",
            got=f"{len(models)} models are served here",
            fix="POST /models/NAME/invocations, or send the header X-Lockgate-Model",
        )

    def _metadata(self, scope: Any, model: str, version: int | None) -> Reply:
        self._admit(scope.headers, model)
        served = self._parts.router.served(model)
        if served.problem is not None:
            raise served.problem
        arm = next((a for a in served.route.arms if version in (None, a.version)), None)
        if arm is None:
            raise NotFound(f"version {version} of '{model}' answers no requests")
        engine = served.canary if arm.role is Role.CANARY else served.live
        assert engine is not None  # noqa: S101  the router serves loaded arms only
        versions = [a.version for a in served.route.arms]
        return Reply(200, [JSON], oip.metadata(model, versions, engine.prepared.executor.manifest))

    def _metrics(self) -> Reply:
        own = self._parts.metrics.samples(
            gap=self._parts.recorder.gap, epoch=self._parts.router.plan.epoch, waiting=self.waiting()
        )
        text = exposition(gather(self._parts.run, self._parts.worker, own))
        return Reply(200, [("content-type", "text/plain; version=0.0.4; charset=utf-8")], text.encode())

    def sweep(self) -> None:
        """Give up uploads that take too long; called by the worker's heart."""
        self._bodies.sweep()

    def waiting(self) -> dict[str, int]:
        """How many requests wait in each loaded package's queue."""
        return {
            digest[:19]: engine.batcher.waiting for digest, engine in self._parts.router.engines().items()
        }


def _only(scope: Any, *methods: str) -> None:
    if scope.method not in methods:
        raise WrongMethod(f"{scope.path} does not take {scope.method}", allowed=", ".join(methods))


def _number(version: str) -> int:
    if not version.isdigit() or len(version) > 9:
        raise NotFound(f"'{version}' is not a version", allowed="a number, as in /v2/models/churn/versions/3")
    return int(version)


def _json(body: dict[str, Any], status: int = 200) -> Reply:
    return Reply(status, [JSON], msgspec.json.encode(body))


def _state(*, ready: bool) -> Reply:
    return _json({"ready": ready}, 200 if ready else 503)


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
