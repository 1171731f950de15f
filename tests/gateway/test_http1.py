"""Connections of HTTP/1.1 over real sockets: order, slow and early callers, bodies nobody wants, ends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from math import inf

import pytest
import uvloop

from lockgate.gateway.exchange import CallerGone, Exchange
from lockgate.gateway.http1 import MOST_TURNED, Callers, Connection
from lockgate.gateway.serving import BACKLOG

LIMIT_S = 30.0


class Served:
    """A listener that answers each request with what it was; what it did is noted.

    /early answers without reading, /never not at all, /large with a megabyte, /wait when `go` is set.
    """

    def __init__(self, *, idle_s: float = 60.0, most: int = 100) -> None:
        self.callers = Callers(self.serve, idle_s=idle_s, most=most)
        self.seen: list[str] = []
        self.gone = asyncio.Event()
        self.go = asyncio.Event()
        self.port = 0
        self.writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def serve(self, exchange: Exchange) -> None:
        """Note a request and answer it."""
        self.seen.append(exchange.path)
        if exchange.path == "/early":
            exchange.response_bytes(401, [], b"no")
        elif exchange.path == "/large":
            exchange.response_bytes(200, [], b"x" * 1_000_000)
        elif exchange.whole is not None and exchange.path == "/":
            self.answer(exchange, exchange.whole)
        else:
            task = asyncio.get_running_loop().create_task(self.read(exchange))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def read(self, exchange: Exchange) -> None:
        """Answer when the body is there."""
        try:
            body = await exchange()
        except CallerGone:
            self.gone.set()
            return
        if exchange.path == "/wait":
            await self.go.wait()
        if exchange.path != "/never":
            self.answer(exchange, body)

    def answer(self, exchange: Exchange, body: bytes) -> None:
        """What it was."""
        words = f"{exchange.method} {exchange.path} {len(body)} {body[:9].decode('latin-1')}"
        exchange.response_bytes(200, [("x-was", exchange.method)], words.encode())

    async def asked(
        self, *pieces: bytes, end: bool = False
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection on which these were sent, each apart."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)
        if end:
            writer.write_eof()
        return reader, writer

    async def told(self, *pieces: bytes, end: bool = False) -> bytes:
        """Everything that comes back until the connection ends."""
        reader, writer = await self.asked(*pieces, end=end)
        found = await read_all(reader)
        writer.close()
        return found


@asynccontextmanager
async def listening(**settings: float) -> AsyncIterator[Served]:
    """A listener on a free port."""
    served = Served(**settings)  # type: ignore[arg-type]
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(served.callers), "127.0.0.1", 0, backlog=BACKLOG)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for writer in served.writers:
            writer.transport.abort()
        served.callers.end()
        for connection in list(served.callers.there):
            connection.abort()
        await asyncio.wait_for(served.callers.gone.wait(), LIMIT_S)


def run(what: Callable[[Served], Awaitable[None]], **settings: float) -> None:
    """One test over one listener, under the loop that workers use."""

    async def whole() -> None:
        async with listening(**settings) as served:
            await asyncio.wait_for(what(served), LIMIT_S)

    uvloop.run(whole())


def bodies(found: bytes) -> list[bytes]:
    """The bodies of the answers, by their lengths."""
    made = []
    while found:
        head, _, found = found.partition(b"\r\n\r\n")
        (length,) = [int(line[16:]) for line in head.split(b"\r\n") if line.startswith(b"content-length: ")]
        made.append(found[:length])
        found = found[length:]
    return made


POST = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nabcde"
CLOSE = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def test_requests_sent_ahead_are_answered_in_order() -> None:
    """Five in one piece, one of which has to be waited for; and the same bytes one by one."""
    raw = POST + b"\r\n" + POST.replace(b" / ", b" /wait ") + POST + CLOSE
    wanted = [b"POST / 5 abcde", b"POST /wait 5 abcde", b"POST / 5 abcde", b"GET / 0 "]

    async def ask(served: Served) -> None:
        served.go.set()
        assert bodies(await served.told(raw)) == wanted
        assert bodies(await served.told(*(raw[n : n + 1] for n in range(len(raw))))) == wanted

    run(ask)


def test_who_asks_alone_is_known() -> None:
    """Nobody else asked since the same caller's request before; then a batch need not wait for others."""
    alone: list[bool] = []

    async def ask(served: Served) -> None:
        def serve(exchange: Exchange) -> None:
            alone.append(exchange.alone)
            served.answer(exchange, exchange.whole or b"")

        served.callers.serve = serve
        callers = [await served.asked(), await served.asked()]
        for number in (0, 0, 0, 1, 0, 0):
            callers[number][1].write(POST)
            await callers[number][0].readuntil(b"abcde")

    run(ask)
    assert alone == [False, True, True, False, False, True]


def test_chunks_are_one_body() -> None:
    """In one piece and byte by byte; the request behind them is a request of its own."""
    raw = b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" + CLOSE

    async def ask(served: Served) -> None:
        for pieces in ([raw], [raw[n : n + 1] for n in range(len(raw))]):
            assert bodies(await served.told(*pieces)) == [b"POST / 5 abcde", b"GET / 0 "]
        assert (await served.told(raw.replace(b"3\r\nabc", b"z\r\nabc"))).startswith(b"HTTP/1.1 400 ")

    run(ask)


def test_who_waits_for_a_word_before_the_body_gets_it() -> None:
    """100 Continue when somebody reads the body, and the answer after it."""

    async def ask(served: Served) -> None:
        head = b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"
        reader, writer = await served.asked(head)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"abcde")
        assert bodies(await reader.read()) == [b"POST / 5 abcde"]

    run(ask)


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (b"HEAD / HTTP/1.1\r\nconnection: close\r\n\r\n", b"x-was: HEAD"),
        (b"GET / HTTP/1.0\r\n\r\n", b"connection: close"),
        (b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" + CLOSE, b"connection: keep-alive"),
    ],
)
def test_old_callers_and_heads(raw: bytes, wanted: bytes) -> None:
    """HEAD gets no body; HTTP/1.0 hears whether the connection stays."""

    async def ask(served: Served) -> None:
        found = await served.told(raw)
        assert found.startswith(b"HTTP/1.1 200 OK\r\n")
        assert wanted in found
        assert raw[:4] != b"HEAD" or found.endswith(b"\r\n\r\n")

    run(ask)


def test_an_answer_before_the_body_arrives_whole_and_ends_the_connection() -> None:
    """Though the caller goes on sending: the rest is thrown away, and is no request."""

    async def ask(served: Served) -> None:
        hidden = CLOSE * 20_000
        head = b"POST /early HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(hidden)
        assert bodies(await served.told(head, hidden, end=True)) == [b"no"]
        assert served.seen == ["/early"]

    run(ask)


def test_who_sends_no_more_still_gets_the_answer() -> None:
    """A half-closed connection, which ends with the answer to its last request."""

    async def ask(served: Served) -> None:
        reader, writer = await served.asked(POST.replace(b" / ", b" /wait "), end=True)
        while not served.seen:
            await asyncio.sleep(0.001)
        served.go.set()
        assert bodies(await reader.read()) == [b"POST /wait 5 abcde"]
        writer.close()

    run(ask)


def test_a_caller_who_leaves_in_the_middle_is_noticed() -> None:
    """Who waits for the body hears of it."""

    async def ask(served: Served) -> None:
        _, writer = await served.asked(POST[:-1])
        while not served.seen:
            await asyncio.sleep(0.001)
        writer.transport.abort()
        await served.gone.wait()

    run(ask)


@pytest.mark.parametrize(
    ("raw", "status"),
    [(b"\x16\x03\x01", 400), (b"GET / HTTP/1.1\r\nx : y\r\n\r\n", 400), (b"GET /" + b"a" * 70_000, 431)],
)
def test_what_is_no_request_is_refused_at_once(raw: bytes, status: int) -> None:
    """Without waiting for the end of a head, and with an end of the connection."""

    async def ask(served: Served) -> None:
        assert (await served.told(raw, end=True)).startswith(b"HTTP/1.1 %d " % status)
        assert not served.seen

    run(ask)


def test_too_many_callers_are_turned_away() -> None:
    """The third of two hears 503; when one left there is room again."""

    async def ask(served: Served) -> None:
        there = [await served.asked(POST) for _ in range(2)]
        for reader, _ in there:
            await reader.readuntil(b"abcde")
        assert (await served.told(end=True)).startswith(b"HTTP/1.1 503 ")
        there[0][1].close()
        while len(served.callers.there) > 1:
            await asyncio.sleep(0.001)
        assert bodies(await served.told(CLOSE)) == [b"GET / 0 "]

    run(ask, most=2)


def test_a_flood_past_the_most_is_cut_off() -> None:
    """Of 300 callers without a place few stay to be told so, the others are gone at once; who has a place is answered."""

    async def ask(served: Served) -> None:
        callers = served.callers
        reader, writer = await served.asked(POST)
        await reader.readuntil(b"abcde")
        flood = await asyncio.gather(*(served.asked() for _ in range(300)))
        told, cut = 0, 0
        for one, _ in flood:
            heard = await first_of(one)
            told, cut = told + heard.startswith(b"HTTP/1.1 503 "), cut + (not heard)
        assert told >= MOST_TURNED, "as many as may stay were told"
        assert told + cut == 300
        assert cut > 0
        while len(callers.there) > 1 + MOST_TURNED:
            await asyncio.sleep(0.001)
        assert len(callers.turned) <= MOST_TURNED
        writer.write(POST)
        await reader.readuntil(b"abcde")
        for _, each in flood:
            each.transport.abort()
        while callers.turned:
            await asyncio.sleep(0.001)
        writer.write(CLOSE)  # and there is room for the next one
        await read_all(reader)
        assert bodies(await served.told(CLOSE)) == [b"GET / 0 "]

    run(ask, most=1)


async def first_of(reader: asyncio.StreamReader) -> bytes:
    """The first bytes that come, none when the connection was cut off."""
    try:
        return await reader.read(100)
    except ConnectionError:
        return b""


def test_who_says_nothing_is_let_go_and_who_waits_is_not() -> None:
    """Before a request, inside its head, and after an answer; a caller who waits for an answer is left alone."""

    async def ask(served: Served) -> None:
        waiting, _ = await served.asked(POST.replace(b" / ", b" /wait "))
        while not served.seen:
            await asyncio.sleep(0.001)
        quiet = [await served.asked(raw) for raw in (b"", b"GET / HT", POST)]
        while len(served.callers.there) > 1:
            served.callers.sweep()
            await asyncio.sleep(0.01)
        for reader, _ in quiet:
            await read_all(reader)
        served.go.set()
        assert (await waiting.readuntil(b"abcde")).startswith(b"HTTP/1.1 200 ")

    run(ask, idle_s=0.05)


def test_who_takes_a_long_answer_slowly_gets_it_whole() -> None:
    """Longer than an idle caller may stay: as long as something is still to be taken, nobody is given up."""

    async def ask(served: Served) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
        served.writers.append(writer)
        writer.write(b"GET /large HTTP/1.1\r\n\r\n" * 10)
        while not served.seen:
            await asyncio.sleep(0.001)
        idle_until = asyncio.get_running_loop().time() + 10 * served.callers.idle_s
        while asyncio.get_running_loop().time() < idle_until:
            served.callers.sweep()
            await asyncio.sleep(0.01)
        total = 0
        while len(served.seen) < 10 or total < 10_000_000:
            piece = await reader.read(1_000_000)
            assert piece
            total += len(piece)

    run(ask, idle_s=0.05)


def test_who_sent_more_than_was_wanted_takes_a_long_answer_slowly() -> None:
    """The answer after which the connection ends: what came behind its request does not cut it short."""

    async def ask(served: Served) -> None:
        def serve(exchange: Exchange) -> None:
            served.seen.append(exchange.path)
            exchange.response_bytes(200, [], b"x" * 20_000_000)

        served.callers.serve = serve
        reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
        served.writers.append(writer)
        writer.write(CLOSE + POST)
        while not served.seen:
            await asyncio.sleep(0.001)
        (connection,) = served.callers.there
        assert connection.until_s == inf
        total = 0
        while piece := await reader.read(1_000_000):
            total += len(piece)
        assert total > 20_000_000
        assert served.seen == ["/"]

    run(ask)


async def read_all(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, softly or not."""
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""


def test_a_caller_who_takes_nothing_is_asked_no_more() -> None:
    """Sixty requests for a megabyte each, and nobody reads: some are not begun; all arrive when the caller reads."""

    async def ask(served: Served) -> None:
        raw = b"GET /large HTTP/1.1\r\n\r\n" * 59 + b"GET /large HTTP/1.1\r\nconnection: close\r\n\r\n"
        narrow = socket.create_connection(("127.0.0.1", served.port))
        narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
        reader, writer = await asyncio.open_connection(sock=narrow, limit=1024)
        served.writers.append(writer)
        writer.write(raw)
        while not served.seen:
            await asyncio.sleep(0.001)
        for _ in range(100):
            await asyncio.sleep(0.001)
        assert len(served.seen) < 60
        total = 0
        while piece := await reader.read(1_000_000):
            total += len(piece)
        assert len(served.seen) == 60
        assert total > 60_000_000
        writer.close()

    run(ask)


def test_at_the_end_who_waits_is_answered_and_the_others_leave() -> None:
    """An idle connection ends at once, a busy one with its answer."""

    async def ask(served: Served) -> None:
        idle, _ = await served.asked(POST)
        await idle.readuntil(b"abcde")
        busy, _ = await served.asked(POST.replace(b" / ", b" /wait "))
        while len(served.seen) < 2:
            await asyncio.sleep(0.001)
        served.callers.end()
        assert await idle.read() == b""
        assert not served.callers.gone.is_set()
        served.go.set()
        found = await busy.read()
        assert bodies(found) == [b"POST /wait 5 abcde"]
        assert b"connection: close" in found
        await served.callers.gone.wait()

    run(ask)


def test_a_header_of_an_answer_is_one_header() -> None:
    """A line end inside of one raises, and nothing is sent."""
    raised: list[ValueError] = []

    async def ask(served: Served) -> None:
        def serve(exchange: Exchange) -> None:
            try:
                exchange.response_bytes(200, [("x", "a\r\ny: b")], b"")
            except ValueError as error:
                raised.append(error)
                exchange.response_bytes(500, [], b"")

        served.callers.serve = serve
        found = await served.told(CLOSE)
        assert found.startswith(b"HTTP/1.1 500 ")
        assert b"y: b" not in found

    run(ask)
    assert len(raised) == 1
