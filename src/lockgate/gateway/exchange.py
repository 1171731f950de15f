"""One HTTP/1.1 request as the application gets it: its head, its body as it arrives, and the way back to its caller."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

from lockgate.gateway.heads import Head
from lockgate.gateway.written import Headers

WAITING_BYTES = 262_144  # of a body that nobody takes yet; then the caller's kernel has to wait


class CallerGone(ConnectionError):
    """The caller left before the whole body was there."""


class Line(Protocol):
    """What an exchange needs of its connection."""

    def peer(self) -> str:
        """Address and port of the caller."""
        ...

    def invite(self, exchange: Exchange) -> None:
        """Somebody wants the body."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    def answer(self, exchange: Exchange, status: int, headers: Headers, content: bytes) -> None:
        """Write an answer."""
        ...


class Exchange:
    """One request and the way back to its caller. Calling it gives the body; iterating gives the body in pieces.

    `whole` is the body, if it came with the head; `alone`: nobody else has asked since this caller's request before.
    """

    __slots__ = (
        "_connection", "_gone", "_have", "_pieces", "_waiting", "alone", "complete", "head", "headers", "method", "path",
        "query_string", "whole",
    )  # fmt: skip

    def __init__(self, connection: Line, head: Head) -> None:
        self._connection, self.head = connection, head
        self.method, self.path, self.query_string = head.method, head.path, head.query_string
        self.headers = head.headers
        self.whole: bytes | None = None
        self.complete = self._gone = self.alone = False
        self._pieces: list[bytes] = []
        self._have = 0
        self._waiting: asyncio.Future[None] | None = None

    @property
    def client(self) -> str:
        """The caller's address and port."""
        return self._connection.peer()

    async def __call__(self) -> bytes:
        """The whole body. Raises CallerGone."""
        if self.whole is None:
            self.whole = b"".join([piece async for piece in self])
        return self.whole

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in pieces, as they arrive. Raises CallerGone."""
        if self.whole is not None:
            yield self.whole
            return
        self._connection.invite(self)
        while True:
            pieces, self._pieces, self._have = self._pieces, [], 0
            for piece in pieces:
                yield piece
            if self._pieces:
                continue
            if self.complete:
                return
            if self._gone:
                raise CallerGone("the caller left")
            self._connection.resume()
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None

    def put(self, pieces: list[bytes], *, complete: bool) -> bool:
        """Pieces of the body came; whether there is room for more."""
        self._pieces += pieces
        self._have += sum(map(len, pieces))
        self.complete = complete
        self._wake()
        return self._have < WAITING_BYTES

    def leave(self) -> None:
        """The rest of the body will not come."""
        self._gone = True
        self._wake()

    def response_bytes(self, status: int, headers: Headers, content: bytes) -> None:
        """Answer, once; a caller who left cannot be answered. To HEAD only the head and the length that GET would have.

        Raises ValueError for headers with line ends.
        """
        self._connection.answer(self, status, headers, content)

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)
