"""What stands in front of every route: limits of body size, security headers, a net for defects. Plain ASGI."""

from __future__ import annotations

from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lockgate.errors import LockgateError, TooLarge
from lockgate.web.answers import defect, refusal

MEGABYTE = 1_000_000
MAX_JSON_BYTES = 4 * MEGABYTE
UPLOADS = (
    "/versions",
    "/runs",
    "/searches",
    "/labels",
    "/labels/import",
    "/score",
    "/backtest",
    "/answers",
    "/segments",
    "/segment-keys",
)  # the last part of addresses that take files
HEADERS = {
    b"content-security-policy": b"default-src 'self'; img-src 'self' data:; object-src 'none'; "
    b"frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"same-origin",
    b"x-frame-options": b"DENY",
}


class Guards:
    """Wraps the application. `max_upload_bytes` holds for addresses that take files, 4 MB for all others."""

    def __init__(self, app: ASGIApp, max_upload_bytes: int) -> None:
        self._app, self._max_upload_bytes = app, max_upload_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = self._max_upload_bytes if scope["path"].endswith(UPLOADS) else MAX_JSON_BYTES
        guarded = _Guarded(receive, send, limit)
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if announced.isdigit() and int(announced) > limit:
            await _answer(refusal(_too_large(limit)), scope, receive, guarded)
            return
        try:
            await self._app(scope, guarded.receive, guarded.send)
            if guarded.over:
                await _answer(refusal(_too_large(limit)), scope, receive, guarded)
        except LockgateError as error:
            await _answer(refusal(error), scope, receive, guarded)
        except Exception as error:  # noqa: BLE001 - the net below all routes
            await _answer(defect(error), scope, receive, guarded)


class _Guarded:
    """Counts the body of one request and adds headers to its answer."""

    def __init__(self, receive: Receive, send: Send, limit: int) -> None:
        self._receive, self._send, self._left = receive, send, limit
        self.over = self.started = False

    async def receive(self) -> Message:
        """The next part of the body; the client counts as gone once it has sent too much."""
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.over = True
            return {"type": "http.disconnect"}
        return message

    async def send(self, message: Message) -> None:
        """Pass the answer on, unless the body was too large: then the guard itself answers."""
        if self.over and not self.started:
            return
        await self.send_anyway(message)

    async def send_anyway(self, message: Message) -> None:
        """Pass a message on, with the security headers that the route did not set itself."""
        if message["type"] == "http.response.start":
            self.started = True
            message = {**message, "headers": _with_headers(message.get("headers", []))}
        await self._send(message)


async def _answer(response: Any, scope: Scope, receive: Receive, guarded: _Guarded) -> None:
    if not guarded.started:  # else the client has half an answer already and sees it break off
        await response(scope, receive, guarded.send_anyway)


def _with_headers(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    present = {name.lower() for name, _ in headers}
    return [*headers, *((name, value) for name, value in HEADERS.items() if name not in present)]


def _too_large(limit: int) -> TooLarge:
    return TooLarge(
        "the body is too large",
        allowed=f"{limit // MEGABYTE} MB",
        fix="an admin raises console.max_upload_mb in config.yaml for files",
    )
