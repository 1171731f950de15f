"""Whatever bytes come on a connection, however they are cut: no exception, and always the same answers."""

from __future__ import annotations

import asyncio
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.gateway.exchange import CallerGone, Exchange
from lockgate.gateway.http1 import Callers, Connection

TURNS = 15  # of the loop, after which nothing moves any more


class Wire(asyncio.Transport):
    """A transport in memory: what was written, and whether reading goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.closed = self.paused = self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Keep it; after the end nothing may come."""
        assert not self.ended
        self.written += bytes(data)

    def write_eof(self) -> None:
        """No more will be written."""
        self.ended = True

    def close(self) -> None:
        """The end."""
        self.closed = self.ended = True

    def abort(self) -> None:
        """The end, at once."""
        self.close()

    def is_closing(self) -> bool:
        """Whether it has ended."""
        return self.closed

    def pause_reading(self) -> None:
        """Let the caller wait."""
        self.paused = True

    def resume_reading(self) -> None:
        """Read on."""
        self.paused = False


async def answers(pieces: list[bytes], end_after: int | None = None, turns: int = TURNS) -> bytes:
    """What is written to a caller who sends these; each request is answered with what it was.

    `end_after`: turns of the loop until it is noticed that the caller sends no more; then the connection must end.
    """
    tasks = set()

    def serve(exchange: Exchange) -> None:
        tasks.add(asyncio.get_running_loop().create_task(answer(exchange)))

    async def answer(exchange: Exchange) -> None:
        try:
            body = await exchange()
        except CallerGone:
            return
        exchange.response_bytes(200, [], f"{exchange.method} {exchange.path} {body!r}".encode())

    callers, wire = Callers(serve, idle_s=60, most=10), Wire()
    connection = Connection(callers)
    connection.connection_made(wire)
    for piece in pieces:
        if wire.closed:
            break
        connection.data_received(piece)
        for turn in range(turns):
            if turn == end_after and not wire.closed and not connection.eof_received():
                wire.close()
                connection.connection_lost(None)
            await asyncio.sleep(0)
        assert not (wire.paused and not wire.closed)  # everything was answered, or is awaited
    assert wire.closed or end_after is None
    connection.connection_lost(None)
    await asyncio.gather(*tasks)
    assert not callers.there
    return re.sub(rb"date: [^\r]*\r\n", b"", wire.written)


@pytest.mark.parametrize("turn", range(8))
def test_who_sends_no_more_is_answered_to_the_last_request(turn: int) -> None:
    """Whenever the end is noticed, between two answers as well; half a request behind them is none."""
    raw = b"GET /a HTTP/1.1\r\n\r\n" + b"POST /b HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc" * 2
    for more in (b"", b"GET /c HT", b"POST /c HTTP/1.1\r\ncontent-length: 3\r\n\r\nab"):
        found = asyncio.run(answers([raw + more], end_after=turn))
        assert re.findall(rb"(?:GET|POST) /[^']*'[^']*'", found) == [
            b"GET /a b''",
            b"POST /b b'abc'",
            b"POST /b b'abc'",
        ]


def test_nobody_is_asked_for_a_body_that_was_refused() -> None:
    """A broken chunk that comes before anybody could ask for the body: one answer, and nothing behind it."""
    head = b"POST / HTTP/1.1\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\r\n"
    found = asyncio.run(answers([head + b"3\r\nab", b"cX"], turns=0))
    assert re.findall(rb"HTTP/1.1 (\d+)", found) == [b"400"]


HEADERS = st.sampled_from(
    [
        *(b"content-length: 3\r\n", b"content-length: 03\r\n", b"content-length: 3, 3\r\n"),
        *(b"transfer-encoding: chunked\r\n", b"expect: 100-continue\r\n", b"connection: close\r\n"),
        *(b"connection: upgrade\r\nupgrade: h2c\r\n", b"x : y\r\n", b"x: y\r\n z\r\n", b"\r\n"),
    ]
)
STARTS = st.sampled_from(
    [
        *(b"GET / HTTP/1.1\r\n", b"POST /a HTTP/1.1\r\n", b"POST /a HTTP/1.0\r\n", b"PUT x HTTP/1.1\r\n"),
        *(b"\r\n", b"abc"),
    ]
)
CHUNKS = st.sampled_from(
    [
        *(b"3\r\nabc\r\n", b"0\r\n\r\n", b"0\r\nx: y\r\n\r\n"),
        *(b"3\r\nabcd\r\n", b"zz\r\n", b"1;a=b\r\nq\r\n"),
    ]
)
WHOLE = st.sampled_from(
    [
        b"GET /b HTTP/1.1\r\n\r\n",
        b"POST /c HTTP/1.1\r\ncontent-length: 3\r\n\r\nabc",
        b"POST /d HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ]
)
JUNK = st.one_of(STARTS, CHUNKS, HEADERS, st.binary(max_size=6))


@pytest.mark.parametrize("pieces", [[b"\r\n\r\n"], [b"\r\n", b"\r\n"], [b"\r", b"\n\r", b"\n"]])
def test_one_empty_line_before_a_request_is_passed_over_and_no_second(pieces: list[bytes]) -> None:
    """However they come; before the next request one more."""
    assert asyncio.run(answers(pieces)).startswith(b"HTTP/1.1 400 ")
    one = b"\r\nGET /a HTTP/1.1\r\n\r\n"
    assert asyncio.run(answers([one, one])).count(b"HTTP/1.1 200 ") == 2


@settings(max_examples=60, deadline=None)
@given(
    good=st.lists(WHOLE, max_size=4),
    junk=st.lists(JUNK, max_size=6),
    more=st.lists(WHOLE, max_size=1),
    cuts=st.lists(st.floats(0, 1), min_size=1, max_size=5),
)
def test_however_bytes_are_cut_the_answers_are_the_same(
    good: list[bytes], junk: list[bytes], more: list[bytes], cuts: list[float]
) -> None:
    """Requests, then bodies, chunks and nonsense in any order: in one piece and in many."""
    raw = b"".join([*good, *junk, *more])
    places = sorted({0, len(raw)} | {round(cut * len(raw)) for cut in cuts})
    whole = asyncio.run(answers([raw]))
    assert asyncio.run(answers([raw[start:stop] for start, stop in pairwise(places)])) == whole
