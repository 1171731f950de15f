"""Reads request bodies within limits: the server below has neither a size limit nor a time-out of its own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from lockgate.errors import InvalidInput, TooLarge
from lockgate.gateway.predict import Headers
from lockgate.gateway.refusals import UploadTooSlow

DRAIN_BYTES = (
    64 * 1024 * 1024
)  # read and thrown away before a refusal, so that the caller reads it and not a broken pipe


class Stream(Protocol):
    """What is used of the server's protocol object."""

    async def __call__(self) -> bytes:
        """The whole body."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces."""
        ...


async def read_body(stream: Stream, headers: Headers, *, limit_bytes: int, timeout_s: float) -> bytes:
    """The body. Raises TooLarge, InvalidInput and UploadTooSlow."""
    length = headers.get("content-length")
    if length is not None and not length.isdigit():
        raise InvalidInput("the header Content-Length is not a number", got=length)
    try:
        async with asyncio.timeout(timeout_s):
            if length is not None and int(length) <= limit_bytes:
                return await stream()
            return await _in_pieces(stream, limit_bytes, None if length is None else int(length))
    except TimeoutError as error:
        raise UploadTooSlow(
            "the body did not arrive in time",
            allowed=f"{timeout_s:g} s",
            fix="send it faster, or in smaller requests",
        ) from error


async def _in_pieces(stream: Stream, limit_bytes: int, length: int | None) -> bytes:
    pieces, size, refused = [], 0, length is not None
    async for piece in stream:
        size += len(piece)
        refused = refused or size > limit_bytes
        if not refused:
            pieces.append(piece)
        elif size > limit_bytes + DRAIN_BYTES:
            break
        else:
            pieces.clear()
    if refused:
        raise TooLarge(
            "the body is too large",
            got=f"{length or size} bytes",
            allowed=f"{limit_bytes} bytes",
            fix="send fewer rows at once, or score a table: lockgate score",
        )
    return b"".join(pieces)
