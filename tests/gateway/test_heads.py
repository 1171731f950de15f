"""Heads and chunks of HTTP/1.1: read in one way or not at all; held against h11, another strict reader."""

from __future__ import annotations

from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.gateway.heads import HEADER_BYTES, BadRequest, Chunks, is_no_request, read_head

START = b"POST /v2/models/churn/infer HTTP/1.1\r\nhost: x\r\n"


def test_a_head_is_taken_apart() -> None:
    """Method, path and query, the first of each header by lower-case name, the length, whether the connection stays."""
    head = read_head(
        b"POST /a/b?c=d?e HTTP/1.1\r\nHost: x\r\nX-One:  1 \r\nx-one: 2\r\nContent-Length: 7\r\nx-bad: \xff\r\n\r\n"
    )
    assert (head.method, head.path, head.query_string) == ("POST", "/a/b", "c=d?e")
    assert head.headers == {"host": "x", "x-one": "1", "content-length": "7"}
    assert (head.length, head.keep, head.minor) == (7, True, 1)
    assert read_head(b"GET http://h:1/p?q HTTP/1.1\r\n\r\n").path == "/p"
    assert read_head("GET / HTTP/1.1\r\nx: ä\r\n\r\n".encode()).headers == {"x": "ä"}


@pytest.mark.parametrize(
    ("minor", "wish", "keep"),
    [(1, b"", True), (1, b"connection: close\r\n", False), (1, b"connection: x, Close\r\n", False),
     (0, b"", False), (0, b"connection: Keep-Alive\r\n", True)],
)  # fmt: skip
def test_who_wants_to_stay(minor: int, wish: bytes, keep: bool) -> None:
    """HTTP/1.1 stays unless it says close, 1.0 leaves unless it says keep-alive."""
    assert read_head(b"GET / HTTP/1.%d\r\n%s\r\n" % (minor, wish)).keep is keep


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.1\r\nhost : x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\x00y\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\ny: z\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"get / HTTP/1.1\r\n\r\n",
        b"GET a HTTP/1.1\r\n\r\n",
        b"GET ftp://x/ HTTP/1.1\r\n\r\n",
        b"GET /\xe4 HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n",
        START + b"content-length: 1\r\ncontent-length: 1\r\n\r\n",
        START + b"content-length: 1, 1\r\n\r\n",
        START + b"content-length: +1\r\n\r\n",
        START + b"content-length: \r\n\r\n",
        START + "content-length: ٣\r\n\r\n".encode(),
        START + b"content-length: 5\xff\r\n\r\n",
        START + b"content-length: 5\r\ntransfer-encoding: \xffchunked\r\n\r\n",
        START + "transfer-encoding: chun\u212aed\r\n\r\n".encode(),
        START.replace(b": x", b": \xff") + b"\r\n",
        START + b"content-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
        START + b"transfer-encoding: gzip, chunked\r\n\r\n",
        START + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        START.replace(b"1.1", b"1.0") + b"transfer-encoding: chunked\r\n\r\n",
        START + b"".join(b"x%d: y\r\n" % n for n in range(100)) + b"\r\n",
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(raw: bytes) -> None:
    """Ambiguous lengths, folded lines, bare line ends, control characters, too many headers: ErrBadRequest."""
    with pytest.raises(BadRequest):
        read_head(raw)


def test_a_head_has_an_end_however_fast_it_comes() -> None:
    """Headers too long or too many: 431, whether the head was waited for or there at once."""
    for lines in (b"x: %s\r\n" % (b"y" * HEADER_BYTES), b"".join(b"x%d: y\r\n" % n for n in range(101))):
        with pytest.raises(BadRequest) as refused:
            read_head(START + lines + b"\r\n")
        assert refused.value.status == 431


NAMES = st.sampled_from(
    [b"host", b"Content-Length", b"content-length", b"Transfer-Encoding", b"x-a", b"x b", b"", b"x\x0b", b"connection"]
)  # fmt: skip
VALUES = st.sampled_from(
    [b"5", b"05", b"-5", b"5 ", b"5,5", b"chunked", b"Chunked", b"identity", b"x", b"", b"\x00", b"\t7", b"\xff", b"1e1"]
)  # fmt: skip
COLONS = st.sampled_from([b": ", b":", b" : ", b":\t", b""])
ENDS = st.sampled_from([b"\r\n"] * 8 + [b"\n", b"\r", b"\r\n "])


@given(
    method=st.sampled_from([b"GET", b"POST", b"get", b"P OST", b""]),
    target=st.sampled_from([b"/", b"/a?b", b"http://x/y", b"*", b"/ ", b"/\x7f", b"x"]),
    version=st.sampled_from([b"1.1", b"1.0", b"1.2", b"2.0", b"01.1"]),
    lines=st.lists(st.tuples(NAMES, COLONS, VALUES, ENDS), max_size=4),
)
def test_what_is_accepted_another_reader_accepts_and_reads_alike(
    method: bytes, target: bytes, version: bytes, lines: list[tuple[bytes, bytes, bytes, bytes]]
) -> None:
    """Whatever we take, h11 takes as well, with the same method, and with a body of the same length."""
    first = b"%s %s HTTP/%s\r\n" % (method, target, version)
    raw = first + b"".join(b"".join(line) for line in lines) + b"\r\n"
    try:
        head = read_head(raw)
    except BadRequest:
        return
    other = h11.Connection(h11.SERVER)
    if head.minor == 1 and "host" not in head.headers and b"host" not in raw.lower():
        raw = first + b"host: x\r\n" + raw[len(first) :]  # h11 insists on it, we do not
    other.receive_data(raw)
    found = other.next_event()
    assert isinstance(found, h11.Request)
    assert found.method.decode() == head.method
    framing = {name.decode(): value for name, value in found.headers}
    chunked = framing.get("transfer-encoding", b"").lower() == b"chunked"
    assert (head.length is None) is chunked
    assert chunked or head.length == int(framing.get("content-length", b"0"))


@given(
    body=st.lists(st.binary(min_size=1, max_size=40), max_size=6),
    rest=st.binary(max_size=20),
    cuts=st.lists(st.integers(0, 400), max_size=8),
)
def test_chunks_come_out_as_they_went_in(body: list[bytes], rest: bytes, cuts: list[int]) -> None:
    """However the bytes are cut on their way; what follows the body is not touched."""
    raw = (
        b"".join(b"%x;a=b\r\n%s\r\n" % (len(one), one) for one in body) + b"0\r\nx-trailer: y\r\n\r\n" + rest
    )
    places = sorted({min(cut, len(raw)) for cut in cuts} | {0, len(raw)})
    chunks, found, behind = Chunks(), [], b""
    for start, stop in pairwise(places):
        if chunks.done:
            behind += raw[start:stop]
            continue
        pieces, left = chunks.feed(raw[start:stop])
        found += pieces
        behind += left
    assert chunks.done
    assert (b"".join(found), behind) == (b"".join(body), rest)


def test_many_small_chunks_take_no_more_room_than_one() -> None:
    """What came together is kept in one piece."""
    assert Chunks().feed(b"2\r\nab\r\n" * 1000) == ([b"ab" * 1000], b"")


@pytest.mark.parametrize(
    "raw", [b"zz\r\n", b"-1\r\n", b"+1\r\n", b"0x1\r\n", b"1 1\r\n", b"\r\n", b"2\r\nabX\r\n", b"2\r\nab\n\r\n",
            b"f" * 16 + b"\r\n", b"1" * 5000, b"0\r\n" + b"x: y\r\n" * 5000,
            b"0\r\nx: y\n\nGET / HTTP/1.1\r\n", b"0\r\nx\r\n", b"0\r\nx : y\r\n"],
)  # fmt: skip
def test_chunks_that_are_none_are_refused(raw: bytes) -> None:
    """A length that is no plain number, a chunk longer than it says, lines without end."""
    with pytest.raises(BadRequest):
        Chunks().feed(raw)


@pytest.mark.parametrize(
    ("start", "wrong"),
    [(b"", False), (b"G", False), (b"GET ", False), (b"GET /a", False), (b"\x16\x03\x01", True), (b"get ", True),
     (b"A" * 25, True)],
)  # fmt: skip
def test_a_beginning_that_leads_nowhere_is_known_early(start: bytes, wrong: bool) -> None:
    """A handshake of TLS is no method."""
    assert is_no_request(start) is wrong
