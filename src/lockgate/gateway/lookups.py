"""The questions that no model answers: server and model health, metadata, the OpenAPI document, the metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from lockgate.errors import NotFound
from lockgate.gateway.call import Call
from lockgate.gateway.described import answers, described
from lockgate.gateway.door import Door
from lockgate.gateway.job import Reply
from lockgate.gateway.openapi import document
from lockgate.gateway.refusals import JSON, WrongMethod
from lockgate.gateway.router import Router, Served
from lockgate.samples import Sample, exposition, gather

NAME = "lockgate"
EXTENSIONS = ["binary_tensor_data"]
_TEXT = ("content-type", "text/plain; charset=utf-8")
_SHOWN = 200  # characters of a path that are repeated to who asked for it


@dataclass(frozen=True)
class Lookups:
    """What the questions are answered from. `draining` says whether the worker is about to stop."""

    worker: str
    version: str
    run: Path
    door: Door
    router: Router
    samples: Callable[[], list[Sample]]
    draining: Callable[[], bool]

    def answer(self, call: Call, steps: list[str]) -> Reply:
        """The reply to a GET or HEAD. Raises NotFound, WrongMethod and what the door raises."""
        only(call, "GET", "HEAD")
        self.router.look()
        plain = _PLAIN.get(call.scope.path)
        if plain is not None:
            call.route = call.scope.path
            return plain(self, call)
        match steps:
            case ["v2", "models", model, *rest]:
                return self._of_model(call, model, rest)
            case ["v1", "models", model]:
                call.route = "/v1/models/{model}"
                ready = self._answers(call, model, None)
                return json_reply({"name": model, "ready": ready}, 200 if ready else 503)
        raise NotFound(
            f"there is nothing at {call.scope.path[:_SHOWN]}",
            fix="predictions: POST /v2/models/NAME/infer or /invocations",
        )

    def _of_model(self, call: Call, model: str, rest: list[str]) -> Reply:
        """Metadata and state of a model or of one version, for those who may see it."""
        match rest:
            case []:
                call.route = "/v2/models/{model}"
                return self._metadata(call, model, None)
            case ["ready"]:
                call.route = "/v2/models/{model}/ready"
                return _state(ready=self._answers(call, model, None))
            case ["versions", version]:
                call.route = "/v2/models/{model}/versions/{version}"
                return self._metadata(call, model, number_of(version))
            case ["versions", version, "ready"]:
                call.route = "/v2/models/{model}/versions/{version}/ready"
                return _state(ready=self._answers(call, model, number_of(version)))
        raise NotFound(f"there is nothing at {call.scope.path[:_SHOWN]}", fix="GET /v2/models/NAME")

    def _served(self, call: Call, model: str) -> Served:
        call.caller = self.door.look(call.headers, model)
        served = self.router.served(model)
        call.model = model
        return served

    def _answers(self, call: Call, model: str, version: int | None) -> bool:
        return answers(self._served(call, model), self.router.plan.routes[model], version)

    def _metadata(self, call: Call, model: str, version: int | None) -> Reply:
        served = self._served(call, model)
        return json_reply(described(model, served, version))

    def _alive(self, _call: Call) -> Reply:
        return json_reply({"status": "alive"})

    def _openapi(self, _call: Call) -> Reply:
        return Reply(200, [JSON], document(self.version))

    def _server(self, _call: Call) -> Reply:
        return json_reply({"name": NAME, "version": self.version, "extensions": EXTENSIONS})

    def _live(self, _call: Call) -> Reply:
        return json_reply({"live": True})

    def _ready(self, _call: Call) -> Reply:
        return _state(ready=self.router.answering and not self.draining())

    def _ping(self, call: Call) -> Reply:
        return Reply(self._ready(call).status, [_TEXT], b"\n")

    def _version(self, _call: Call) -> Reply:
        return Reply(200, [_TEXT], self.version.encode())

    def _models(self, call: Call) -> Reply:
        """KServe's v1: the models that the caller may call."""
        return json_reply({"models": self.door.callable(call.headers, self.router.models)})

    def _metrics(self, call: Call) -> Reply:
        self.door.watch(call.headers, call.scope.client)
        text = exposition(gather(self.run, self.worker, self.samples()))
        return Reply(200, [("content-type", "text/plain; version=0.0.4; charset=utf-8")], text.encode())


_PLAIN: dict[str, Callable[[Lookups, Call], Reply]] = {
    "/": Lookups._alive,
    "/openapi.json": Lookups._openapi,
    "/v1/models": Lookups._models,
    "/v2": Lookups._server,
    "/v2/health/live": Lookups._live,
    "/v2/health/ready": Lookups._ready,
    "/ping": Lookups._ping,
    "/health": Lookups._ping,
    "/version": Lookups._version,
    "/metrics": Lookups._metrics,
}


def only(call: Call, *methods: str) -> None:
    """Raise WrongMethod unless the request uses one of the methods."""
    if call.scope.method not in methods:
        raise WrongMethod(
            f"{call.scope.path[:_SHOWN]} does not take {call.scope.method[:_SHOWN]}",
            allowed=", ".join(methods),
        )


def number_of(version: str) -> int:
    """A version's number in a path. Raises NotFound for anything else."""
    # ASCII only: isdigit alone takes '²', which int refuses
    if not (version.isascii() and version.isdigit()) or len(version) > 9:
        raise NotFound(
            f"'{version[:_SHOWN]}' is not a version", allowed="a number, as in /v2/models/churn/versions/3"
        )
    return int(version)


def json_reply(body: dict[str, Any], status: int = 200) -> Reply:
    """A reply in JSON."""
    return Reply(status, [JSON], msgspec.json.encode(body))


def _state(*, ready: bool) -> Reply:
    return json_reply({"ready": ready}, 200 if ready else 503)
