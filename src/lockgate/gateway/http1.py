"""HTTP/1.1 on the worker's own event loop: connections, their requests one after the other, answers.

No thread stands between the socket and the application: a request that came whole is handed over in the very call that
brought its last byte. What a caller sends ahead waits until the request before is answered. A request that is answered
before its body was read ends its connection, softly: the rest is read and thrown away, so that the answer arrives.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from math import inf
from typing import cast

from lockgate.gateway.exchange import Exchange
from lockgate.gateway.heads import HEADER_BYTES, BadRequest, Chunks, Head, is_no_request, read_head
from lockgate.gateway.written import Headers, refusal_of, written

LINGER_BYTES = 64 * 1024 * 1024  # of a body that nobody wants any more
LINGER_S = 2.0
MOST_TURNED = 64  # callers past the most who are told so at once; each stays LINGER_S at the longest
REMEMBERED_BYTES = 4096  # of a head, for each connection
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Callers:
    """All connections of one listener. `serve` gets each request as soon as its head is there, and must not raise.

    Past `most` a caller is told so (503); past MOST_TURNED of those who are being told, it is cut off without a word.
    """

    def __init__(self, serve: Callable[[Exchange], None], *, idle_s: float, most: int) -> None:
        self.serve, self.idle_s, self.most = serve, idle_s, most
        self.there: set[Connection] = set()
        self.turned: set[Connection] = set()  # of them: those who are being told that there is no room
        self.ending = False
        self.latest: Connection | None = None  # who asked last
        self.gone = asyncio.Event()  # everybody, after the end was said

    def sweep(self) -> None:
        """Let go of those who have said nothing for too long; called now and then."""
        now_s = time.monotonic()
        for connection in [one for one in self.there if one.until_s < now_s]:
            connection.abort()

    def end(self) -> None:
        """No further requests: connections end, those with an unanswered one as soon as it is answered."""
        self.ending = True
        for connection in list(self.there):
            connection.end()
        self.left()

    def left(self) -> None:
        """Note when nobody is there any more."""
        if self.ending and not self.there:
            self.gone.set()


class Connection(asyncio.Protocol):
    """One caller's connection. `until_s`: when it is given up unless something happens (monotonic)."""

    _transport: asyncio.Transport
    _head: Head

    def __init__(self, callers: Callers) -> None:
        self._callers = callers
        self._loop = asyncio.get_running_loop()
        self._held = b""  # bytes that belong to no request yet
        self._raw = b""  # the head of the request before, which is often this one's as well, to the byte
        self._looked = 0  # of them, in search of the end of a head
        self._passed = False  # an empty line before the request that is awaited
        self._exchange: Exchange | None = None  # that waits for its answer
        self._chunks: Chunks | None = None
        self._left = 0  # of the body, when its length is known
        self._paused = self._stuck = False
        self._over = False  # the caller sends no more
        self._ahead = False  # what it sent ahead is looked at in the loop's next turn
        self._lingers = 0  # bytes that may still be thrown away; then nothing is read
        self.until_s = time.monotonic() + callers.idle_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A caller came."""
        self._transport = cast(asyncio.Transport, transport)
        callers = self._callers
        callers.there.add(self)
        if len(callers.there) - len(callers.turned) <= callers.most:
            return
        if len(callers.turned) < MOST_TURNED:
            callers.turned.add(self)
            self._refuse(503)
        else:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """The connection is over."""
        self._callers.there.discard(self)
        self._callers.turned.discard(self)
        if self._callers.latest is self:
            self._callers.latest = None
        self._callers.left()
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.leave()

    def data_received(self, data: bytes) -> None:
        """Bytes came: of a new request, of a body, of the request after this one, or of what nobody wants."""
        exchange = self._exchange
        if self._lingers:
            self._lingers -= len(data)
            if self._lingers <= 0:
                self._transport.abort()
        elif exchange is None:
            self._held = self._held + data if self._held else data
            self._next()
        elif exchange.complete:
            self._held += data
            self._pause()
        else:
            self._body(exchange, data)

    def eof_received(self) -> bool:
        """The caller sends no more: who waits for an answer still gets it."""
        self._over = True
        waits = self._ahead if self._exchange is None else self._exchange.complete
        return waits and not self._lingers

    def pause_writing(self) -> None:
        """The caller does not take its answers: no further request of its is looked at before it does."""
        self._stuck = True
        self.until_s = inf  # who takes nothing at all is given up by the kernel; who is slow has time
        self._pause()

    def resume_writing(self) -> None:
        """It took them."""
        self._stuck = False
        if self._exchange is None:
            self.until_s = time.monotonic() + (LINGER_S if self._lingers else self._callers.idle_s)
        self._go_on()

    def peer(self) -> str:
        """Address and port of the caller."""
        name = self._transport.get_extra_info("peername")
        return f"{name[0]}:{name[1]}" if name else ""

    def invite(self, exchange: Exchange) -> None:
        """Somebody wants the body: say so to a caller who waits for that (RFC 9110, section 10.1.1)."""
        waits = exchange.headers.get("expect", "").lower() == "100-continue" and exchange.head.minor
        if waits and exchange is self._exchange and not exchange.complete:
            self._transport.write(_CONTINUE)

    def resume(self) -> None:
        """Read on."""
        if self._paused and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()

    def answer(self, exchange: Exchange, status: int, headers: Headers, content: bytes) -> None:
        """Write an answer, and go on with the next request or end."""
        if exchange is not self._exchange:
            return
        head = exchange.head
        keep = head.keep and exchange.complete and not self._callers.ending
        keep = keep and not (self._over and not self._held)
        pieces, keep = written(status, headers, content, head, keep=keep)
        self._exchange = None
        if len(pieces) == 1:
            self._transport.write(pieces[0])
        else:
            self._transport.writelines(pieces)
        if not keep:
            self._finish(read=exchange.complete and not self._held)
            return
        if self._held or self._paused:
            self._ahead = True
            self._loop.call_soon(self._go_on)
        else:
            self.until_s = time.monotonic() + self._callers.idle_s

    def abort(self) -> None:
        """End it at once."""
        self._transport.abort()

    def end(self) -> None:
        """End it, now or after the answer that is awaited."""
        if self._exchange is None and not self._lingers:
            self._transport.close()

    def _next(self) -> None:
        """Begin with the request whose head is there."""
        held = self._held
        if not self._passed and held.startswith(
            b"\r\n"
        ):  # one empty line before a request (RFC 9112, section 2.2)
            held = self._held = held[2:]
            self._passed = True
        end = held.find(b"\r\n\r\n", self._looked) + 4
        if end < 4:
            self._looked = max(0, len(held) - 3)
            if len(held) > HEADER_BYTES:
                self._refuse(431)
            elif is_no_request(held):
                self._refuse(400)
            return
        self._looked, self._passed = 0, False
        raw = held[:end]
        if raw != self._raw:
            try:
                self._head = read_head(raw)
            except BadRequest as bad:
                self._refuse(bad.status)
                return
            self._raw = raw if end <= REMEMBERED_BYTES else b""
        head, callers = self._head, self._callers
        self.until_s = inf
        exchange = self._exchange = Exchange(self, head)
        exchange.alone, callers.latest = callers.latest is self, self
        length, have = head.length, len(held) - end
        if length is not None and length <= have:
            exchange.whole, exchange.complete = held[end : end + length], True
            self._held = held[end + length :]
        else:
            self._held, self._left = b"", length or 0
            self._chunks = Chunks() if length is None else None
            if have and not self._body(exchange, held[end:]):
                return
        callers.serve(exchange)

    def _body(self, exchange: Exchange, data: bytes) -> bool:
        """Bytes of a body, and perhaps of what follows it; whether they can be that."""
        if self._chunks is None:
            piece, rest = data[: self._left], data[self._left :]
            self._left -= len(piece)
            pieces, complete = [piece], not self._left
        else:
            try:
                pieces, rest = self._chunks.feed(data)
            except BadRequest as bad:
                self._refuse(bad.status)
                return False
            complete = self._chunks.done
        self._held = rest
        if not exchange.put(pieces, complete=complete) or rest:
            self._pause()
        return True

    def _go_on(self) -> None:
        """Look at what was sent ahead, and read on."""
        self._ahead = False
        if self._exchange is not None or self._stuck or self._lingers or self._transport.is_closing():
            return
        if self._held:
            self._next()
        waits = self._ahead if self._exchange is None else self._exchange.complete
        if self._over and not (waits or self._lingers):
            self._transport.close()  # what is left is no whole request, and will not become one
        elif self._exchange is None and not (self._lingers or self._stuck):
            self.until_s = time.monotonic() + self._callers.idle_s
            self.resume()

    def _refuse(self, status: int) -> None:
        """Say that no request can be read here, and end."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.leave()
        self._transport.write(refusal_of(status))
        self._finish(read=False)

    def _finish(self, *, read: bool) -> None:
        """End after an answer. Closing with bytes unread would take the answer from the caller: they are read first."""
        self._held = b""
        if read or self._transport.is_closing():
            self._transport.close()
            return
        self.until_s = (
            inf if self._stuck else time.monotonic() + LINGER_S
        )  # who is slow has time here as well
        self._lingers = LINGER_BYTES
        self._transport.write_eof()
        self.resume()

    def _pause(self) -> None:
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()
