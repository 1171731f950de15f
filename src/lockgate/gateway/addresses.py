"""What the addresses of predictions mean: the steps of a path, and how the body is read that is sent there."""

from __future__ import annotations

from urllib.parse import unquote

from lockgate.gateway import pictures
from lockgate.gateway.predict import Headers, Reader, Writer
from lockgate.gateway.protocols import invocations, oip, v1
from lockgate.gateway.sent import Sent

Wanted = tuple[str, int | None, Reader]  # a model, the version that was named, and how to read the body


def steps_of(path: str) -> list[str]:
    """The steps of a path, as they were meant.

    >>> steps_of("/v2/models/a%2Fb/infer")
    ['v2', 'models', 'a/b', 'infer']
    """
    steps = path.split("/")[1:]
    return [unquote(step) for step in steps] if "%" in path else steps


def oip_reader(headers: Headers) -> Reader:
    """The Open Inference Protocol: JSON, and tensors as bytes behind it where a header says how long the JSON is.

    A body that is one picture, by its content type, is answered as if it had come as base64 in JSON.
    """
    kind = headers.get("content-type")
    if kind is not None and pictures.is_type(kind):
        return lambda body: (pictures.read(body, kind), oip.write)
    length = headers.get(oip.HEADER_LENGTH)
    return lambda body: oip.read(body, length)


def mlflow_reader(headers: Headers) -> Reader:
    """MLflow's forms, by their content type."""
    kind = headers.get("content-type", "")
    if pictures.is_type(kind):
        return lambda body: (pictures.read(body, kind), invocations.write)
    return lambda body: (invocations.read(body, kind), invocations.write)


def v1_reader(body: bytes) -> tuple[Sent, Writer]:
    """KServe's first protocol."""
    return v1.read(body), v1.write
