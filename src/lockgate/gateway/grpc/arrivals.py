"""Messages on their way. gRPC hands over whole ones only and says no size before, so the bound is on how many come at once.

What nobody reads yet stays with its caller but for the window of its stream (server.py). So a message is let come when it is
known who sends it, as one of so many: then no flood takes more memory than those may have.
"""

from __future__ import annotations

import asyncio
from typing import Any

from lockgate.errors import InvalidInput
from lockgate.gateway.refusals import Limited, UploadTooSlow

RETRY_AFTER_S = 1.0


class Arrivals:
    """Lets at most `at_once` messages come, each within `timeout_s`; who comes later waits for a place as long."""

    def __init__(self, at_once: int, timeout_s: float) -> None:
        self._places, self._timeout_s = asyncio.Semaphore(at_once), timeout_s

    async def read(self, context: Any) -> bytes:
        """The message of a call. Raises UploadTooSlow, Limited when no place became free, InvalidInput without a message."""
        waiting = True
        try:
            async with asyncio.timeout(self._timeout_s), self._places:
                waiting = False
                body = await context.read()
        except TimeoutError:
            raise (_full() if waiting else _slow(self._timeout_s)) from None
        if not isinstance(body, bytes):  # the transport's mark of the end
            raise InvalidInput("the call ended without a message")
        return body


def _full() -> Limited:
    return Limited(
        "messages that are still arriving fill the room that there is for them",
        fix="try again in a second, or send fewer large requests at once",
        limit="memory",
        retry_after_s=RETRY_AFTER_S,
    )


def _slow(timeout_s: float) -> UploadTooSlow:
    return UploadTooSlow(
        "the message did not arrive in time",
        allowed=f"{timeout_s:g} s",
        fix="send it faster, or in smaller requests",
    )
