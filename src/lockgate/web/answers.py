"""How values and errors become JSON answers: one place, so that every route speaks alike."""

from __future__ import annotations

import logging
import secrets
from typing import Any

import msgspec
import numpy as np
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from lockgate.errors import (
    Busy,
    InvalidInput,
    LockgateError,
    NotFound,
    Unauthorized,
    Unavailable,
    http_status,
)

JSON = "application/json"
RETRY_AFTER_S = 1
# What SQLite's driver and PostgreSQL say of an integer beyond theirs; PostgreSQL of a text with NUL, too.
TOO_LARGE = (OverflowError, DataError)
log = logging.getLogger("lockgate.web")


def answer(value: object, status: int = 200) -> Response:
    """Any value of the house (Structs, dataclasses, enums, NaN as null) as a JSON answer."""
    return Response(encode(value), status, media_type=JSON)


def encode(value: object) -> bytes:
    """JSON bytes; numpy scalars and arrays are taken along."""
    return msgspec.json.encode(value, enc_hook=_plain)


def plain(value: object) -> Any:
    """A value of the house as it will look in JSON, made once."""
    return msgspec.json.decode(encode(value))


def refusal(error: LockgateError) -> Response:
    """An error as JSON with its own status."""
    headers = {}
    if isinstance(error, Unauthorized):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, Busy | Unavailable):
        headers["retry-after"] = str(RETRY_AFTER_S)
    return Response(encode(error.as_json()), http_status(error), headers=headers, media_type=JSON)


def defect(error: BaseException) -> Response:
    """Something that nobody foresaw: logged with an id, and only the id is shown."""
    number = secrets.token_hex(6)
    log.error("internal error %s", number, exc_info=error)
    return Response(encode(unforeseen(number)), 500, media_type=JSON)


def unforeseen(number: str) -> dict[str, str]:
    """The body for a defect that was logged under a number."""
    what, fix = f"internal error {number}", "find this number in the logs below run/ of the home folder"
    return {"error": f"{what}; next: {fix}", "code": "internal", "what": what, "fix": fix}


def known_error(error: Exception) -> LockgateError:
    """What FastAPI, Starlette, and databases that are given too large a number raise, said in our way."""
    if isinstance(error, LockgateError):
        return error
    if isinstance(error, RequestValidationError):
        return _invalid(error.errors())
    if isinstance(error, DataError) and "NUL (0x00)" in str(error.orig):
        return InvalidInput("a text of this request holds a NUL character", allowed="text without it")
    if isinstance(error, TOO_LARGE):
        return InvalidInput(
            "a number of this request is larger than any that is kept", allowed=f"at most {2**31 - 1}"
        )
    if isinstance(error, HTTPException) and error.status_code == 404:
        return NotFound("there is no such address", fix="the addresses are listed at /api/docs")
    detail = getattr(error, "detail", error)
    return InvalidInput("this request cannot be read", got=detail)


def refused(_request: Request, error: Exception) -> Response:
    """Exception handler for everything with a known meaning."""
    if isinstance(error, HTTPException) and error.status_code not in (400, 404):
        body = {"error": str(error.detail), "code": "http", "what": str(error.detail)}
        return Response(encode(body), error.status_code, headers=error.headers, media_type=JSON)
    return refusal(known_error(error))


def _invalid(errors: Any) -> InvalidInput:
    """The first mistake of a request, with its place; the number of further ones."""
    first = errors[0]
    place = ".".join(str(step) for step in first["loc"] if step not in ("body", "query", "path"))
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    got = None if first["type"] in ("missing", "json_invalid") else _short(first.get("input"))
    return InvalidInput(f"{place or 'the body'}: {first['msg'].lower()}{more}", got=got)


def _short(value: object, most: int = 80) -> str:
    text = repr(value)
    return text if len(text) <= most else text[:most] + "..."


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise NotImplementedError(f"{type(value).__name__} has no JSON form")
