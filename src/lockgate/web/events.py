"""Server-sent events: one value, sent at once and again whenever it changes, for as long as the browser listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import StreamingResponse

from lockgate.errors import LockgateError
from lockgate.web.answers import encode

EVERY_S = 1.0
ALIVE_S = 15.0  # a comment at least so often, so that proxies keep the connection


async def stream(request: Request, look: Callable[[], bytes], name: str) -> StreamingResponse:
    """The stream of a value's changes. `look` reads it (JSON bytes) and may block; what it raises first is an answer."""
    first = await run_in_threadpool(look)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(
        _changes(request, look, name, first), media_type="text/event-stream", headers=headers
    )


async def _changes(
    request: Request, look: Callable[[], bytes], name: str, first: bytes
) -> AsyncIterator[bytes]:
    seen, quiet_s = first, 0.0
    yield _event(name, first)
    while not await request.is_disconnected():
        await asyncio.sleep(EVERY_S)
        try:
            now = await run_in_threadpool(look)
        except LockgateError as error:  # a right that was taken away, a database that is gone
            yield _event("error", encode(error.as_json()))
            return
        quiet_s += EVERY_S
        if now != seen:
            seen, quiet_s = now, 0.0
            yield _event(name, now)
        elif quiet_s >= ALIVE_S:
            quiet_s = 0.0
            yield b": still here\n\n"


def _event(name: str, body: bytes) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + body + b"\n\n"
