"""Errors that only the gateway knows, and the HTTP reply to any error: status, headers, JSON that says what to do."""

from __future__ import annotations

import logging
import uuid

import msgspec

from lockgate.errors import Busy, LockgateError, PredictionFailed, TimedOut, Unavailable, http_status
from lockgate.gateway.job import Reply

RETRY_AFTER_S = "1"
JSON = ("content-type", "application/json")
_log = logging.getLogger(__name__)


class WrongMethod(LockgateError):
    """The address is there, and takes another method."""


class UploadTooSlow(TimedOut):
    """The caller promised a body and did not send it in time."""


class UnsupportedType(LockgateError):
    """A body of a content type or an encoding that is not read."""


class InvalidAnswer(PredictionFailed):
    """The model answered something that its signature does not allow."""


class InternalError(LockgateError):
    """A defect of lockgate. The log says more, under the id in the sentence."""


_STATUS: dict[type[LockgateError], int] = {
    WrongMethod: 405,
    UploadTooSlow: 408,
    UnsupportedType: 415,
    InvalidAnswer: 500,
    InternalError: 500,
}


def status_of(error: LockgateError) -> int:
    """The HTTP status of an error; the gateway's own kinds too."""
    return _STATUS.get(type(error)) or http_status(error)


def internal(where: str) -> InternalError:
    """Log the exception in hand under a new id, and the error that names the id."""
    name = uuid.uuid4().hex[:12]
    _log.exception("internal error %s at %s", name, where)
    return InternalError(f"internal error {name}", fix="the gateway's own log says more under this id")


def refusal(error: LockgateError, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The reply to an error."""
    status = status_of(error)
    own = [JSON, *headers]
    if isinstance(error, WrongMethod):
        own.append(("allow", str(error.allowed)))
    if isinstance(error, Busy | Unavailable):
        own.append(("retry-after", RETRY_AFTER_S))
    if status == 401:
        own.append(("www-authenticate", "Bearer"))
    return Reply(status, own, msgspec.json.encode(error.as_json()))
