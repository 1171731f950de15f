"""The head of an HTTP/1.1 request, read strictly: what two programs could read in two ways is refused.

One regular expression says what a head may look like (RFC 9112, sections 3 and 5): no folded lines, no space before a
colon, no bare line feeds, no control characters. How long the body is must be said once, in one way (section 6.3).
"""

from __future__ import annotations

import re

import msgspec

HEADER_BYTES = 65_536  # of a whole head
MOST_HEADERS = 100
_HEAD = re.compile(
    rb"([A-Z]{1,20}) ([\x21-\x7e]+) HTTP/1\.([01])\r\n((?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n"
)
_START = re.compile(rb"\r?\Z|[A-Z]{0,19}\Z|[A-Z]{1,20} ")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?")
_ONCE = ("content-length", "transfer-encoding", "host")  # headers that stand once, in ASCII
_SIZE_LINE_BYTES = 4096
_TRAILER = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*")
_TRAILER_BYTES = 16_384


class BadRequest(ValueError):
    """Bytes that are no request of HTTP/1.1, or one that can be read in two ways. `status`: what to answer."""

    def __init__(self, words: str, status: int = 400) -> None:
        super().__init__(words)
        self.status = status


class Head(msgspec.Struct, frozen=True):
    """A request without its body. `length` is the body's, None for chunks; `headers` by lower-case name, the first of each."""

    method: str
    path: str
    query_string: str
    headers: dict[str, str]
    length: int | None
    keep: bool  # whether the caller wants to go on with this connection
    minor: int  # of HTTP/1.x


def read_head(raw: bytes) -> Head:
    """The head in its bytes, the empty line included. Raises BadRequest.

    >>> read_head(b"GET /v2?full=1 HTTP/1.1\\r\\nhost: x\\r\\n\\r\\n").path
    '/v2'
    """
    if len(raw) > HEADER_BYTES:
        raise BadRequest("the head is too long", 431)
    found = _HEAD.fullmatch(raw)
    if found is None:
        raise BadRequest("this is no head of an HTTP/1.1 request")
    method, target, minor, lines = found.groups()
    headers, twice = _headers(lines)
    if twice and not twice.isdisjoint(_ONCE):
        raise BadRequest("a header that may stand once stands twice")
    path, _, query = _origin_form(target.decode()).partition("?")
    wish = headers.get("connection")
    keep = minor == b"1"
    if wish is not None:
        wishes = [one.strip() for one in wish.lower().split(",")]
        keep = "close" not in wishes and (keep or "keep-alive" in wishes)
    return Head(method.decode(), path, query, headers, _length(headers, minor), keep, int(minor))


def is_no_request(start: bytes) -> bool:
    """Whether bytes that hold no whole head yet can become none: a handshake of TLS, for one."""
    return _START.match(start) is None


def _headers(lines: bytes) -> tuple[dict[str, str], set[str]]:
    """The first value of each header, and the names that stand more than once. A value that is not UTF-8 is left out."""
    headers: dict[str, str] = {}
    twice: set[str] = set()
    try:
        rows = lines.decode().split("\r\n")
    except UnicodeDecodeError:
        rows = [row.decode("utf-8", "surrogateescape") for row in lines.split(b"\r\n")]
    if len(rows) > MOST_HEADERS + 1:
        raise BadRequest("too many headers", 431)
    del rows[-1]
    for row in rows:
        name, _, value = row.partition(":")
        name = name.lower()
        if name in headers:
            twice.add(name)
            continue
        headers[name] = value.strip("\t ")
    if not lines.isascii():
        if not all(headers.get(name, "").isascii() for name in _ONCE):
            raise BadRequest("a header that says whose request this is, or how long, is not ASCII")
        headers = {name: value for name, value in headers.items() if _is_text(value)}
    return headers, twice


def _is_text(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


def _origin_form(target: str) -> str:
    """A target without scheme and host, which a proxy may send (RFC 9112, section 3.2.2)."""
    if target.startswith("/") or target == "*":
        return target
    scheme, mark, rest = target.partition("://")
    if not mark or scheme.lower() not in ("http", "https"):
        raise BadRequest("the address of a request begins with /")
    return "/" + rest.partition("/")[2]


def _length(headers: dict[str, str], minor: bytes) -> int | None:
    """How long the body is; None: it comes in chunks. Raises BadRequest when that is said twice, or not plainly."""
    length, coding = headers.get("content-length"), headers.get("transfer-encoding")
    if coding is not None:
        if length is not None or minor == b"0" or coding.lower() != "chunked":
            raise BadRequest("the body's length is said in two ways, or in one that is not known")
        return None
    if length is None:
        return 0
    if not (length.isascii() and length.isdigit() and len(length) < 16):
        raise BadRequest("the header Content-Length is not a number")
    return int(length)


class Chunks:
    """Takes a chunked body apart (RFC 9112, section 7.1), however its bytes arrive. `done`: its end was there."""

    def __init__(self) -> None:
        self._held = b""
        self._left = 0  # of the present chunk, with its line end
        self._trailing = 0  # bytes of trailers so far
        self._last = False
        self.done = False

    def feed(self, data: bytes) -> tuple[list[bytes], bytes]:
        """The body's part of this data in one piece, if there is one, and what stands behind the body. Raises BadRequest.

        One piece: a chunk of two bytes that is kept by itself takes thirty times its room.
        """
        pieces: list[bytes] = []
        data, self._held = self._held + data, b""
        place = 0
        while place < len(data) and not self.done:
            if self._left:
                place = self._chunk(data, place, pieces)
                continue
            end = data.find(b"\r\n", place)
            if end < 0:
                if len(data) - place > _SIZE_LINE_BYTES:
                    raise BadRequest("a line between chunks is too long")
                self._held, place = data[place:], len(data)
                break
            self._line(data[place:end])
            place = end + 2
        return [b"".join(pieces)] if len(pieces) > 1 else pieces, data[place:]

    def _chunk(self, data: bytes, place: int, pieces: list[bytes]) -> int:
        have = min(self._left, len(data) - place)
        content = min(have, max(self._left - 2, 0))
        if content:
            pieces.append(data[place : place + content])
        ending = b"\r\n"[max(0, 2 - self._left) :]  # of which a part may have come before
        rest = data[place + content : place + have]
        if not ending.startswith(rest):
            raise BadRequest("a chunk is longer than it says")
        self._left -= have
        return place + have

    def _line(self, line: bytes) -> None:
        """A chunk's length, or after the last chunk a trailer: those are passed over."""
        if self._last:
            self._trailing += len(line)
            self.done = not line
            if self._trailing > _TRAILER_BYTES:
                raise BadRequest("the trailers are too long", 431)
            if line and _TRAILER.fullmatch(line) is None:
                raise BadRequest("a line behind the last chunk is no header")
            return
        found = _SIZE.fullmatch(line)
        if found is None:
            raise BadRequest("a chunk does not say how long it is")
        size = int(found[1], 16)
        self._last = size == 0
        self._left = size + 2 if size else 0
