"""Errors that people see: what failed, what was received, what is allowed, what to do next.

One flat tree. `HTTP_STATUS` and `EXIT_STATUS` map each class once, for the JSON API, the gateway and the
command line alike. Anything that is not a `LockgateError` is a defect and is shown as "internal error <id>".
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Any


class LockgateError(Exception):
    """A failure that a person can understand and act on.

    Parameters are sentences or values: `what` failed, what was `got`, what is `allowed`, how to `fix` it.

    >>> print(NotFound("there is no model 'chrun'", allowed="churn, fraud", fix="lockgate model list"))
    there is no model 'chrun'; allowed: churn, fraud; next: lockgate model list
    """

    def __init__(
        self, what: str, *, got: object = None, allowed: object = None, fix: str | None = None
    ) -> None:
        self.what, self.got, self.allowed, self.fix = what, got, allowed, fix
        super().__init__(self.sentence())

    @property
    def code(self) -> str:
        """The name of the class in snake case, stable for programs: `not_found`."""
        name = type(self).__name__
        return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")

    def sentence(self) -> str:
        """Everything known about the failure, in one line."""
        parts = [self.what]
        if self.got is not None:
            parts.append(f"received: {self.got}")
        if self.allowed is not None:
            parts.append(f"allowed: {self.allowed}")
        if self.fix:
            parts.append(f"next: {self.fix}")
        return "; ".join(parts)

    def as_json(self) -> dict[str, object]:
        """The body of an error answer: `{"error": sentence, "code": ..., "what": ..., ...}`."""
        body: dict[str, object] = {"error": self.sentence(), "code": self.code, "what": self.what}
        for name in ("got", "allowed"):
            value = getattr(self, name)
            if value is not None:
                body[name] = str(value)
        if self.fix:
            body["fix"] = self.fix
        return body


class InvalidInput(LockgateError, ValueError):
    """What was given cannot be right, whoever gives it."""


class Unauthorized(LockgateError, PermissionError):
    """Nobody knows who is asking: no key, a wrong key, a revoked key."""


class Forbidden(LockgateError, PermissionError):
    """The person is known and may not do this."""


class NotFound(LockgateError, LookupError):
    """There is no such thing."""


class Conflict(LockgateError):
    """The thing is not in the state that this act needs, or someone else was first."""


class TooLarge(LockgateError):
    """More bytes or rows than allowed."""


class Busy(LockgateError):
    """A queue is full or a limit is reached; the same call may work later."""


class Unavailable(LockgateError):
    """Something that is needed cannot be reached now: a database, a runner, a gateway."""


class TimedOut(LockgateError, TimeoutError):
    """It took longer than it was allowed to."""


class Unsafe(LockgateError):
    """A file holds something that lockgate refuses to load."""


class SealBroken(LockgateError):
    """A package, finding or row differs from what was sealed."""


class PredictionFailed(LockgateError):
    """The model raised, or answered something that its signature does not allow."""


class MissingExtra(LockgateError, ImportError):
    """An optional library is not installed; the sentence names the extra."""


class TrialEnded(BaseException):
    """A search ends a training on its way: no failure, and no `except Exception` of a pipeline holds it up."""


HTTP_STATUS: dict[type[LockgateError], int] = {
    InvalidInput: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    Unsafe: 422,
    Busy: 429,
    PredictionFailed: 500,
    LockgateError: 500,
    SealBroken: 503,
    Unavailable: 503,
    TimedOut: 504,
    MissingExtra: 501,
}

EXIT_STATUS: dict[type[LockgateError], int] = {
    LockgateError: 1,
    InvalidInput: 2,
    Unauthorized: 3,
    Forbidden: 3,
    NotFound: 4,
    Conflict: 5,
    Unsafe: 6,
    SealBroken: 6,
    TooLarge: 2,
    Busy: 7,
    Unavailable: 7,
    TimedOut: 7,
    PredictionFailed: 8,
    MissingExtra: 9,
}


def is_full(error: BaseException) -> bool:
    """Whether an exception of Python or of a library says that a disk, or an account's share of it, is full.

    >>> is_full(OSError(28, "No space left on device")), is_full(ValueError("io error: No space left on device (os error 28)"))
    (True, True)
    >>> is_full(OSError(2, "No such file or directory"))
    False
    """
    if isinstance(error, LockgateError):
        return False
    return getattr(error, "errno", None) in _FULL or "No space left on device" in str(error)


def http_status(error: LockgateError) -> int:
    """The HTTP status of an error: its class's own, else 500."""
    return HTTP_STATUS.get(type(error), 500)


def exit_status(error: LockgateError) -> int:
    """The exit status of an error: its class's own, else 1."""
    return EXIT_STATUS.get(type(error), 1)


def error_from(body: Mapping[str, Any]) -> LockgateError:
    """The error that `as_json` described, as the class that was raised over there.

    >>> error_from(Conflict("it runs", fix="wait").as_json())
    Conflict('it runs; next: wait')
    """
    kind = _BY_CODE.get(str(body.get("code")), LockgateError)
    what = str(body.get("what") or body.get("error"))
    return kind(what, got=body.get("got"), allowed=body.get("allowed"), fix=body.get("fix"))


_FULL = (errno.ENOSPC, errno.EDQUOT)
_BY_CODE = {
    kind("").code: kind
    for kind in list(globals().values())
    if isinstance(kind, type) and issubclass(kind, LockgateError)
}
