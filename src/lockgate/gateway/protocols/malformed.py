"""The words for a body that is no JSON of its protocol: what most often went wrong, and what to send."""

from __future__ import annotations

import re

import msgspec

from lockgate.errors import InvalidInput

# beside what msgspec names: bytes in a text that are no UTF-8, and brackets within brackets without end
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
NO_NUMBER = re.compile(rb"[\[:,\s]-?(NaN|Infinity)\b")


def unreadable(what: str, body: bytes, error: Exception, form: str) -> InvalidInput:
    """The refusal of a body. `what` it is not; `form`: what to send, in a few words.

    >>> unreadable("the body is not JSON", b'{"a": NaN}', msgspec.DecodeError("at byte 6"), "send rows").fix
    'JSON knows neither NaN nor Infinity: send null for a missing value'
    """
    if not body.strip():
        return InvalidInput("the body is empty", fix=form)
    if NO_NUMBER.search(body):
        form = "JSON knows neither NaN nor Infinity: send null for a missing value"
    return InvalidInput(what, got=error, fix=form)
