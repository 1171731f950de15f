"""The service `inference.GRPCInferenceService`: the same door, arms, queues and records as over HTTP.

Every method is told to gRPC as one that takes a stream: then no message is read before the method asks for it, which it does
when it knows the caller (arrivals.py). On the wire a stream of one message is one message.

What the protocol has beyond predictions (loading models, shared memory, streams) is refused as UNIMPLEMENTED: versions
go live by a release, not by a caller's word.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

import msgspec

from lockgate.config_gateway import GatewayConfig
from lockgate.errors import InvalidInput, LockgateError, NotFound
from lockgate.gateway.app import App, Parts, with_a_decent_id
from lockgate.gateway.call import Call
from lockgate.gateway.described import answers, described
from lockgate.gateway.grpc import health, reflection, tensors
from lockgate.gateway.grpc.arrivals import Arrivals
from lockgate.gateway.grpc.installed import require_grpc
from lockgate.gateway.grpc.messages import ASKED, SERVICE, messages
from lockgate.gateway.job import Reply
from lockgate.gateway.lookups import EXTENSIONS, NAME
from lockgate.gateway.refusals import NotOffered, internal, refusal
from lockgate.gateway.router import Served
from lockgate.gateway.watch import Watch
from lockgate.late import late

if TYPE_CHECKING:
    import grpc
else:
    grpc = late("grpc")

CODES = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 408: "DEADLINE_EXCEEDED",
    413: "RESOURCE_EXHAUSTED", 429: "RESOURCE_EXHAUSTED", 501: "UNIMPLEMENTED", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED",
}  # fmt: skip
OURS = ("x-lockgate-", "retry-after")  # headers of a reply that go back as trailing metadata
LONGEST_SENTENCE = 2_000  # of what a client is told: the transport allows 8 KB for all metadata
STREAMS = ("ModelStreamInfer",)
STRANGERS, STRANGERS_S = (
    8,
    2.0,
)  # messages of people without a key that may come at once, and how long each may take
Headers = dict[str, str]
Answer = Callable[[Call, Any], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Scope:
    """What is known of a call before it is answered, as the server of the HTTP side tells it."""

    headers: Headers
    method: str = "POST"  # which every gRPC call is


class Service:
    """Answers each call with a message's bytes, or a status and a sentence. A server's generic handler, by its methods.

    Raises MissingExtra when gRPC is not installed.
    """

    def __init__(self, parts: Parts, app: App, config: GatewayConfig) -> None:
        require_grpc()
        self._parts, self._app = parts, app
        at_once = max(1, round(config.max_bodies_mb / config.max_body_mb))
        self._arrivals = Arrivals(at_once, config.body_timeout_s)
        self._strangers = Arrivals(STRANGERS, STRANGERS_S)
        answers_of: dict[str, Answer] = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "ModelInfer": self._model_infer,
        }
        paths = {f"/{SERVICE}/{name}": answer for name, answer in answers_of.items()}
        paths[health.CHECK] = self._check
        self._health = health.Health(self._ready, lambda: app.draining, (SERVICE,), self._strangers)
        told = reflection.Reflection(lambda: app.draining)
        self._known = {
            **{path: _unary(path, answer, parts.watch) for path, answer in paths.items()},
            health.WATCH: grpc.stream_stream_rpc_method_handler(self._health.watch),
            **{path: grpc.stream_stream_rpc_method_handler(told.stream) for path in reflection.PATHS},
        }

    def service(self, called: Any) -> Any:
        """The handler of a call, None for what belongs to another service."""
        handler = self._known.get(called.method)
        if handler is not None or not called.method.startswith(f"/{SERVICE}/"):
            return handler
        name = called.method.rpartition("/")[2]
        return _refused(name, stream=name in STREAMS)

    def service_name(self) -> str:
        """The service's full name."""
        return SERVICE

    async def _server_live(self, _call: Call, _context: Any) -> Reply:
        return _reply(messages().ServerLiveResponse(live=True))

    async def _server_ready(self, _call: Call, _context: Any) -> Reply:
        return _reply(messages().ServerReadyResponse(ready=self._ready()))

    async def _check(self, _call: Call, context: Any) -> Reply:
        return Reply(200, [], self._health.check(await self._strangers.read(context)))

    async def _server_metadata(self, _call: Call, _context: Any) -> Reply:
        parts = self._parts
        told = {"name": NAME, "version": parts.version, "extensions": EXTENSIONS}
        return _reply(messages().ServerMetadataResponse(**told))

    async def _model_ready(self, call: Call, context: Any) -> Reply:
        asked = _parsed(messages().ModelReadyRequest, await self._sent(call, context))
        served = self._served(asked.name, call)
        planned = self._parts.router.plan.routes[asked.name]
        ready = answers(served, planned, _version(asked.version))
        return _reply(messages().ModelReadyResponse(ready=ready))

    async def _model_metadata(self, call: Call, context: Any) -> Reply:
        asked = _parsed(messages().ModelMetadataRequest, await self._sent(call, context))
        told = described(asked.name, self._served(asked.name, call), _version(asked.version))
        return _reply(messages().ModelMetadataResponse(**told))

    async def _model_infer(self, call: Call, context: Any) -> Reply:
        parts, body = self._parts, await self._sent(call, context)
        request = _parsed(messages().ModelInferRequest, body)
        model = request.model_name
        call.model, call.caller = model, parts.door.admit(call.headers, model)
        parent = call.headers.get("traceparent")
        if parent is not None or parts.watch.on:
            call.trace = parts.watch.tracing.begin(parent)
        left_s = context.time_remaining()
        until_s = inf if left_s is None else time.monotonic() + left_s
        version = _version(request.model_version)
        asked = parts.predictor.ask(model, version, call.caller, call.headers, until_s, trace=call.trace)
        try:
            asked = with_a_decent_id(asked)
            self._app.memory.take(model, len(body))
        except LockgateError as error:
            return await parts.predictor.refuse(asked, error)
        try:
            return await parts.predictor.answer(asked, body, lambda _: tensors.read(request))
        finally:
            self._app.memory.give(model, len(body))

    async def _sent(self, call: Call, context: Any) -> bytes:
        """The message of somebody with a key: which model they ask about stands in it. Raises Unauthorized, and as `read`."""
        self._parts.door.known(call.headers)
        return await self._arrivals.read(context)

    def _ready(self) -> bool:
        self._parts.router.look()
        return self._parts.router.answering and not self._app.draining

    def _served(self, model: str, call: Call) -> Served:
        """The model, for those who may see it. Raises what the door raises, and NotFound."""
        call.caller, call.model = self._parts.door.look(call.headers, model), model
        self._parts.router.look()
        return self._parts.router.served(model)


def _unary(path: str, answer: Answer, watch: Watch) -> Any:
    """A method of one message each way. The bytes are parsed inside, so that what cannot be parsed is refused in our words."""

    async def reply_to(_messages: Any, context: Any) -> bytes:
        call, started_s = Call(Scope(_headers(context)), None), time.monotonic()
        call.route = path
        try:
            reply = await answer(call, context)
        except LockgateError as error:
            reply = refusal(error)
        except asyncio.CancelledError:
            raise  # the caller left, or its deadline is over
        except Exception:  # noqa: BLE001  shown by its id only
            reply = refusal(internal("a gRPC call"))
        if watch.on:
            watch.seen(call, reply, started_s)
        told = tuple((name, value) for name, value in reply.headers if name.startswith(OURS))
        if reply.status != 200:
            code = getattr(grpc.StatusCode, CODES.get(reply.status, "INTERNAL"))
            sentence = str(msgspec.json.decode(reply.content)["error"])
            await context.abort(code, sentence[:LONGEST_SENTENCE], told)
        context.set_trailing_metadata(told)
        return reply.content

    return grpc.stream_unary_rpc_method_handler(reply_to)


def _refused(name: str, *, stream: bool) -> Any:
    error = NotOffered(
        f"{name[:80]} is not offered",
        allowed=", ".join(ASKED),
        fix="versions go live by a release: lockgate release NAME/N",
    )

    async def refuse(_messages: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.UNIMPLEMENTED, error.sentence())

    return (grpc.stream_stream_rpc_method_handler if stream else grpc.stream_unary_rpc_method_handler)(refuse)


def _headers(context: Any) -> Headers:
    """The caller's metadata as headers: text only, of a repeated name the first."""
    found: Headers = {}
    for name, value in context.invocation_metadata() or ():
        if isinstance(value, str):
            found.setdefault(name, value)
    return found


def _parsed(message: Any, body: bytes) -> Any:
    try:
        return message.FromString(body)
    except Exception as error:  # protobuf's own class is not known before it is imported
        raise InvalidInput(f"the bytes are not a {message.__name__}", got=error) from error


def _version(text: str) -> int | None:
    """The version that a request names, None when it names none. Raises NotFound."""
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise NotFound(f"'{text[:80]}' is not a version", allowed="a number, or none")
    return int(text)


def _reply(message: Any) -> Reply:
    return Reply(200, [], message.SerializeToString())
