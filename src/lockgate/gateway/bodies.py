"""Reads request bodies within limits: the server below has neither a size limit nor a time-out of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Protocol

from lockgate.errors import InvalidInput, TooLarge
from lockgate.gateway.memory import BodyMemory, Room
from lockgate.gateway.predict import Headers
from lockgate.gateway.protocols.compression import inflated
from lockgate.gateway.refusals import UploadTooSlow

# Read and thrown away before a refusal, so that the caller sees the refusal and not a broken pipe.
DRAIN_BYTES = 64 * 1024 * 1024


class Stream(Protocol):
    """What is used of the server's protocol object."""

    async def __call__(self) -> bytes:
        """The whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces."""
        ...


class BodyReader:
    """Reads bodies. `sweep` must be called a few times a second: it gives up uploads that take too long.

    (One timer for all costs a request a tenth of what a timer of its own would.)
    """

    def __init__(self, *, limit_bytes: int, timeout_s: float, memory: BodyMemory) -> None:
        self._limit_bytes, self._timeout_s, self._memory = limit_bytes, timeout_s, memory
        self._since: dict[asyncio.Task[object], float] = {}
        self._overdue: set[asyncio.Task[object]] = set()

    async def read(self, stream: Stream, headers: Headers, model: str) -> tuple[bytes, int]:
        """The body, inflated, and how many bytes are held for it: the caller gives them back to the memory.

        Raises TooLarge, InvalidInput, UnsupportedType, UploadTooSlow, and Limited when there is no room.
        """
        length = headers.get("content-length")
        if length is not None and not length.isdigit():
            raise InvalidInput("the header Content-Length is not a number")
        size = None if length is None else int(length)
        if size is not None and size > self._limit_bytes and headers.get("expect") is not None:
            raise _too_large(size, self._limit_bytes)  # who asks first is told before it sends
        room = Room(self._memory, model)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  the server runs each request in one
        self._since[task] = time.monotonic()
        try:
            if size is not None and size <= self._limit_bytes:
                room.grow(size)
                body = await stream()
            else:
                body = await _in_pieces(stream, self._limit_bytes, size, room)
            encoding = headers.get("content-encoding")
            if encoding is not None:
                body = await inflated(body, encoding, self._limit_bytes)
                room.grow(len(body) - room.size_bytes)
        except BaseException as error:
            room.clear()
            if task not in self._overdue or not isinstance(error, asyncio.CancelledError):
                raise
            task.uncancel()
            raise UploadTooSlow(
                "the body did not arrive in time",
                allowed=f"{self._timeout_s:g} s",
                fix="send it faster, or in smaller requests",
            ) from None
        finally:
            del self._since[task]
            self._overdue.discard(task)
        return body, room.size_bytes

    def hold(self, model: str, size_bytes: int) -> None:
        """Keep room for a body that is there already. Raises TooLarge, and Limited when there is no room."""
        if size_bytes > self._limit_bytes:
            raise _too_large(size_bytes, self._limit_bytes)
        self._memory.take(model, size_bytes)

    def arriving(self) -> int:
        """How many bodies are being read."""
        return len(self._since)

    def sweep(self) -> None:
        """Give up what has taken too long."""
        limit = time.monotonic() - self._timeout_s
        for task, since in list(self._since.items()):
            if since < limit and task not in self._overdue:
                self._overdue.add(task)
                task.cancel()


async def _in_pieces(stream: Stream, limit_bytes: int, length: int | None, room: Room) -> bytes:
    pieces, size, refused = [], 0, length is not None
    async for piece in stream:
        size += len(piece)
        refused = refused or size > limit_bytes
        if not refused:
            room.grow(len(piece))
            pieces.append(piece)
        elif size > limit_bytes + DRAIN_BYTES:
            break
        else:
            pieces.clear()
            room.clear()
    if refused:
        raise _too_large(length or size, limit_bytes)
    return b"".join(pieces)


def _too_large(size_bytes: int, limit_bytes: int) -> TooLarge:
    return TooLarge(
        "the body is too large",
        got=f"{size_bytes} bytes",
        allowed=f"{limit_bytes} bytes",
        fix="send fewer rows at once, or score a table: lockgate score",
    )
