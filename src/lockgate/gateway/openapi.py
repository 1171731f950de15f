"""The OpenAPI document of the gateway, served at /openapi.json: every address, what it takes and every status it gives."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from lockgate.gateway.openapi_shapes import SHAPES, Shape, shape

ERRORS = {
    400: "the input does not fit; the sentence names the field",
    401: "no key, or one that is not known",
    403: "the key has no grant for this model",
    404: "no such model, version or address",
    405: "another method is meant",
    408: "the body did not arrive in time",
    413: "the body is too large",
    415: "a content type or encoding that is not read",
    429: "the queue is full, or a limit is reached",
    500: "the model failed on this request; the record holds why",
    501: "a call that is not offered",
    503: "no version answers now",
    504: "no answer by the deadline",
}
PREDICTING = (400, 401, 403, 404, 405, 408, 413, 415, 429, 500, 503, 504)
ASKING = (401, 403, 404, 405, 429, 500, 503)
PLAIN = (405, 500)
STATE = (401, 403, 404, 405, 429, 500)
_JSON, _BINARY = "application/json", "application/octet-stream"
_BYTES: Shape = {"type": "string", "format": "binary"}
_MODEL = {
    "name": "model",
    "in": "path",
    "required": True,
    "description": "the model's name",
    "schema": {"type": "string", "pattern": "^[a-z0-9][a-z0-9._-]{0,63}$"},
}
_VERSION = {
    "name": "version",
    "in": "path",
    "required": True,
    "description": "one of the versions that answer",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
_HEADERS = [
    ("x-lockgate-key", "the business key"),
    ("x-request-id", "the caller's own name for the request"),
]


@cache
def document(version: str) -> bytes:
    """The document as JSON; made once."""
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "lockgate gateway",
                "version": version,
                "description": "Predictions by the Open Inference Protocol v2, KServe v1 and MLflow's protocol.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": {**_open_inference(), **_mlflow(), **_kserve(), **_plain()},
            "components": {
                "schemas": SHAPES,
                "securitySchemes": {
                    "bearer": {"type": "http", "scheme": "bearer"},
                    "header": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                },
            },
        }
    )


def _open_inference() -> dict[str, Any]:
    model, one = "/v2/models/{model}", "/v2/models/{model}/versions/{version}"
    return {
        "/v2": _get("server", "The server's name, version and extensions", shape("Server")),
        "/v2/health/live": _get("live", "Whether the process lives", shape("Live")),
        "/v2/health/ready": _ready("ready", "Whether every model that should answer can", PLAIN),
        model: _get("model", "Inputs and outputs of a model", shape("Model"), ASKING, (_MODEL,), keyed=True),
        one: _get(
            "version",
            "Inputs and outputs of a version",
            shape("Model"),
            ASKING,
            (_MODEL, _VERSION),
            keyed=True,
        ),
        f"{model}/ready": _ready("modelReady", "Whether a model answers", STATE, (_MODEL,)),
        f"{one}/ready": _ready("versionReady", "Whether a version answers", STATE, (_MODEL, _VERSION)),
        f"{model}/infer": _infer("infer", "A prediction by the version that the plan chooses", (_MODEL,)),
        f"{one}/infer": _infer("inferVersion", "A prediction by that version", (_MODEL, _VERSION)),
    }


def _mlflow() -> dict[str, Any]:
    named = {
        "name": "model",
        "in": "query",
        "required": False,
        "description": "which model; the header x-lockgate-model says it too; not needed where there is one only",
        "schema": _MODEL["schema"],
    }
    asked = {_JSON: {"schema": shape("Invocation")}, "text/csv": {"schema": {"type": "string"}}}
    answer = {_JSON: {"schema": shape("Predictions")}}
    path = "/models/{model}/invocations"
    return {
        "/invocations": _post("invocations", "Predictions by MLflow's protocol", asked, answer, (named,)),
        path: _post(
            "modelInvocations", "Predictions of a model by MLflow's protocol", asked, answer, (_MODEL,)
        ),
        "/ping": _words("ping", "Whether the worker is ready", 503),
        "/health": _words("health", "The same", 503),
        "/version": _words("lockgateVersion", "The version of lockgate"),
    }


def _kserve() -> dict[str, Any]:
    asked, answer = {_JSON: {"schema": shape("V1Request")}}, {_JSON: {"schema": shape("Predictions")}}
    state = _get("v1Model", "Whether a model answers", shape("V1Model"), STATE, (_MODEL,), keyed=True)
    state["get"]["responses"]["503"] = _reply("it does not answer now", {_JSON: {"schema": shape("V1Model")}})
    explain = _post("v1Explain", "Not offered", asked, answer, (_MODEL,))
    explain["post"]["responses"] = _refusals((401, 403, 405, 429, 500, 501))
    return {
        "/": _get("alive", "Whether the process lives", shape("Alive")),
        "/v1/models": _get(
            "v1Models",
            "The models that this key may ask",
            shape("V1Models"),
            (401, 405, 429, 500),
            keyed=True,
        ),
        "/v1/models/{model}": state,
        "/v1/models/{model}:predict": _post(
            "v1Predict", "Predictions by KServe's v1 protocol", asked, answer, (_MODEL,)
        ),
        "/v1/models/{model}:explain": explain,
    }


def _plain() -> dict[str, Any]:
    return {
        "/metrics": _words("metrics", "Numbers for Prometheus, of all workers of the host", 401, 403),
        "/openapi.json": _get("openapi", "This document", {"type": "object"}),
    }


def _get(
    name: str,
    summary: str,
    answer: Shape,
    errors: tuple[int, ...] = PLAIN,
    parameters: tuple[dict[str, Any], ...] = (),
    *,
    keyed: bool = False,
) -> dict[str, Any]:
    replies = {"200": _reply("as asked", {_JSON: {"schema": answer}}), **_refusals(errors)}
    return {"get": _operation(name, summary, parameters, replies, keyed=keyed)}


def _ready(
    name: str, summary: str, errors: tuple[int, ...], parameters: tuple[dict[str, Any], ...] = ()
) -> dict[str, Any]:
    made = _get(name, summary, shape("Ready"), errors, parameters, keyed=bool(parameters))
    made["get"]["responses"]["503"] = _reply("not now", {_JSON: {"schema": shape("Ready")}})
    return made


def _words(name: str, summary: str, *more: int) -> dict[str, Any]:
    plain = {"text/plain": {"schema": {"type": "string"}}}
    replies = {"200": _reply("as asked", plain), **_refusals((*PLAIN, *(m for m in more if m != 503)))}
    if 503 in more:
        replies["503"] = _reply("not now", plain)
    return {"get": _operation(name, summary, (), replies)}


def _infer(name: str, summary: str, parameters: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    length = {
        "name": "inference-header-content-length",
        "in": "header",
        "required": False,
        "description": "how many bytes of the body are JSON, where raw tensors follow it",
        "schema": {"type": "integer", "minimum": 0},
    }
    asked = {_JSON: {"schema": shape("InferRequest")}, _BINARY: {"schema": _BYTES}}
    answer = {_JSON: {"schema": shape("InferResponse")}, _BINARY: {"schema": _BYTES}}
    return _post(name, summary, asked, answer, (*parameters, length))


def _post(
    name: str, summary: str, asked: Shape, answer: Shape, parameters: tuple[dict[str, Any], ...]
) -> dict[str, Any]:
    replies = {"200": {**_reply("the answer", answer), "headers": _answer_headers()}, **_refusals(PREDICTING)}
    own = [
        {"name": key, "in": "header", "required": False, "description": text, "schema": {"type": "string"}}
        for key, text in _HEADERS
    ]
    made = _operation(name, summary, (*parameters, *own), replies, keyed=True)
    return {"post": {**made, "requestBody": {"required": True, "content": asked}}}


def _operation(
    name: str,
    summary: str,
    parameters: tuple[dict[str, Any], ...],
    replies: dict[str, Any],
    *,
    keyed: bool = False,
) -> dict[str, Any]:
    made: dict[str, Any] = {"operationId": name, "summary": summary, "responses": replies}
    if parameters:
        made["parameters"] = list(parameters)
    if keyed:
        made["security"] = [{"bearer": []}, {"header": []}]
    return made


def _answer_headers() -> dict[str, Any]:
    told = {
        "x-lockgate-version": "who answered, as in churn/3",
        "x-lockgate-arm": "live or canary",
        "x-lockgate-request-id": "the id of the record in the log",
    }
    return {name: {"description": text, "schema": {"type": "string"}} for name, text in told.items()}


def _refusals(statuses: tuple[int, ...]) -> dict[str, Any]:
    error = {_JSON: {"schema": shape("Error")}}
    return {str(status): _reply(ERRORS[status], error) for status in sorted(statuses)}


def _reply(description: str, content: Shape) -> dict[str, Any]:
    return {"description": description, "content": content}
