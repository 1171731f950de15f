"""Errors that only the gateway knows, and the HTTP reply to any error: status, headers, JSON that says what to do."""

from __future__ import annotations

import logging
import sys
import traceback
import uuid
from math import ceil

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


class NotOffered(LockgateError):
    """A call that a protocol knows and this server does not answer, whoever asks."""


class Limited(Busy):
    """A limit is reached. `limit`: which (`queue`, `memory`, `key`); `retry_after_s`: when the same call may work."""

    def __init__(
        self,
        what: str,
        *,
        limit: str,
        retry_after_s: float,
        got: object = None,
        allowed: object = None,
        fix: str | None = None,
    ) -> None:
        super().__init__(what, got=got, allowed=allowed, fix=fix)
        self.limit, self.retry_after_s = limit, retry_after_s

    @property
    def code(self) -> str:
        """As of any busy answer."""
        return "busy"


class InvalidAnswer(PredictionFailed):
    """The model answered something that its signature does not allow."""


class InternalError(LockgateError):
    """A defect of lockgate. The log says more, under the id in the sentence."""


_STATUS: dict[type[LockgateError], int] = {
    WrongMethod: 405,
    UploadTooSlow: 408,
    UnsupportedType: 415,
    Limited: 429,
    InvalidAnswer: 500,
    InternalError: 500,
    NotOffered: 501,
}


def status_of(error: LockgateError) -> int:
    """The HTTP status of an error; the gateway's own kinds too."""
    return _STATUS.get(type(error)) or http_status(error)


def internal(where: str) -> InternalError:
    """Log the exception in hand under a new id, and the error that names the id.

    Its types and places are logged, never its words: a message often quotes what a caller sent.
    """
    name = uuid.uuid4().hex[:12]
    _log.error("internal error %s at %s\n%s", name, where, _places(sys.exception()))
    return InternalError(f"internal error {name}", fix="the gateway's own log says more under this id")


def _places(error: BaseException | None) -> str:
    """Where an exception and those behind it were raised, without their messages."""
    found = []
    while error is not None:
        found += [*traceback.format_tb(error.__traceback__), f"{type(error).__name__}\n"]
        error = error.__cause__ or error.__context__
    return "".join(found)


def refusal(error: LockgateError, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
    """The reply to an error."""
    status = status_of(error)
    own = [JSON, *headers]
    if isinstance(error, WrongMethod):
        own.append(("allow", str(error.allowed)))
    if isinstance(error, Limited):
        own += [
            ("retry-after", str(max(1, ceil(error.retry_after_s)))),
            ("x-lockgate-retry-ms", str(ceil(error.retry_after_s * 1000))),
            ("x-lockgate-limit", error.limit),
        ]
    elif isinstance(error, Busy | Unavailable):
        own.append(("retry-after", RETRY_AFTER_S))
    if status == 401:
        own.append(("www-authenticate", "Bearer"))
    return Reply(status, own, msgspec.json.encode(error.as_json()))
