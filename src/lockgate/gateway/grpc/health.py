"""`grpc.health.v1.Health`: what probes and balancers ask, of the whole worker or of a service by its name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from typing import TYPE_CHECKING, Any

from lockgate.errors import InvalidInput, LockgateError, NotFound
from lockgate.gateway.grpc.arrivals import Arrivals
from lockgate.gateway.grpc.protofile import ProtoFile, classes_of
from lockgate.late import late

if TYPE_CHECKING:
    import grpc
else:
    grpc = late("grpc")

HEALTH = ProtoFile(
    "grpc/health/v1/health.proto",
    "grpc.health.v1",
    {
        "HealthCheckRequest": "service string",
        "HealthCheckResponse": "status #HealthCheckResponse.ServingStatus",
    },
    {"Health": "Check HealthCheckRequest HealthCheckResponse, Watch HealthCheckRequest *HealthCheckResponse"},
    {"HealthCheckResponse.ServingStatus": "UNKNOWN SERVING NOT_SERVING SERVICE_UNKNOWN"},
)
CHECK, WATCH = "/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"
LOOK_S = 0.2  # how often a watched state is looked at
MOST_WATCHERS = 64  # of one worker: each costs a look every LOOK_S, and nobody needs a key for it


class Health:
    """One worker's health. `ready`: whether it answers; `stopping`: whether it is about to end; `known`: its services;
    `arrivals`: how messages of people without a key come.
    """

    def __init__(
        self,
        ready: Callable[[], bool],
        stopping: Callable[[], bool],
        known: Collection[str],
        arrivals: Arrivals,
    ) -> None:
        self._ready, self._stopping, self._known = ready, stopping, {"", *known}
        self._arrivals = arrivals
        self._watchers = 0

    def check(self, body: bytes) -> bytes:
        """The state now. Raises InvalidInput, and NotFound for a service that is not here."""
        service = _service(body)
        if service not in self._known:
            raise NotFound(
                f"there is no service '{service[:80]}' here", allowed=", ".join(sorted(self._known - {""}))
            )
        return self._state(service)

    async def watch(self, _messages: Any, context: Any) -> AsyncIterator[bytes]:
        """The state now and each time it changes, until the caller leaves or the worker stops."""
        if self._watchers >= MOST_WATCHERS:
            await context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MOST_WATCHERS} others watch already")
        self._watchers += 1
        try:
            service = await self._asked(context)
            told = b""
            while True:
                stopping, state = self._stopping(), self._state(service)
                if state != told:
                    told = state
                    yield state
                if stopping:  # an open stream would hold up the worker's end
                    return
                await asyncio.sleep(LOOK_S)
        finally:
            self._watchers -= 1

    async def _asked(self, context: Any) -> str:
        """The service that is asked about; ends the call when none is."""
        try:
            return _service(await self._arrivals.read(context))
        except LockgateError as error:
            code = "INVALID_ARGUMENT" if isinstance(error, InvalidInput) else "RESOURCE_EXHAUSTED"
            await context.abort(getattr(grpc.StatusCode, code), error.sentence())
            raise  # which the line before does in its own way

    def _state(self, service: str) -> bytes:
        response = classes_of(HEALTH)["HealthCheckResponse"]
        if service not in self._known:
            return bytes(response(status=response.SERVICE_UNKNOWN).SerializeToString())
        return bytes(
            response(status=response.SERVING if self._ready() else response.NOT_SERVING).SerializeToString()
        )


def _service(body: bytes) -> str:
    """The service that is asked about. Raises InvalidInput."""
    request = classes_of(HEALTH)["HealthCheckRequest"]
    try:
        return str(request.FromString(body).service)
    except Exception as error:  # protobuf's own class is not known before it is imported
        raise InvalidInput("the bytes are not a HealthCheckRequest", got=error) from error
