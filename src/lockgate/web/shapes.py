"""The shapes of answers, for OpenAPI: made from the same types that are sent, so that the description is true."""

from __future__ import annotations

from typing import Any

import msgspec

REFERENCE = "#/components/schemas/{name}"
_ERROR = {
    "type": "object",
    "required": ["error", "code", "what"],
    "properties": {
        "error": {"type": "string", "description": "everything that is known, in one line"},
        "code": {"type": "string", "description": "stable, for programs: not_found"},
        "what": {"type": "string", "description": "what failed"},
        "got": {"type": "string", "description": "what was received"},
        "allowed": {"type": "string"},
        "fix": {"type": "string", "description": "what to do next"},
    },
}
_MEANINGS = {
    400: "what was sent cannot be right",
    401: "nobody knows who is asking",
    403: "this person may not do this",
    404: "there is no such thing",
    409: "not in this state, or someone else was first",
    413: "more bytes or rows than allowed",
    422: "a file holds something that is refused",
    429: "too many at once",
    503: "something that is needed cannot be reached",
}
EVERYWHERE = (400, 401, 403, 404, 409, 413, 429, 503)


def says(
    kind: type | None = None, *, many: bool = False, media: str = "application/json"
) -> dict[int | str, Any]:
    """The `responses` of a route: what it answers when all is well, and the errors that any route can give."""
    schema: dict[str, Any] = (
        {"type": "object"} if kind is None else {"$ref": REFERENCE.format(name=kind.__name__)}
    )
    if many:
        schema = {"type": "array", "items": schema}
    if media != "application/json":
        schema = {"type": "string", "format": "binary"}
    error = {"application/json": {"schema": {"$ref": REFERENCE.format(name="Error")}}}
    faults: dict[int | str, Any] = {
        code: {"description": _MEANINGS[code], "content": error} for code in EVERYWHERE
    }
    return {200: {"description": "as asked", "content": {media: {"schema": schema}}}, **faults}


def components(kinds: tuple[type, ...]) -> dict[str, Any]:
    """The schemas of all kinds of answers, by name."""
    _, schemas = msgspec.json.schema_components(kinds, schema_hook=_anything, ref_template=REFERENCE)
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schemas))
    return {**plain, "Error": _ERROR}


def _anything(kind: type) -> dict[str, Any]:
    """`object` in a type: any JSON value."""
    if kind is object:
        return {"description": "any JSON value"}
    raise NotImplementedError(f"no schema for {kind}")
