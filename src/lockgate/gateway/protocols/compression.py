"""Compressed bodies: what callers send as gzip or deflate, and large answers to those who ask for them compressed.

A few kilobytes can inflate to gigabytes, so the limit on bodies holds for the inflated bytes, and no more is ever inflated.
"""

from __future__ import annotations

import asyncio
import zlib

from lockgate.errors import InvalidInput, TooLarge
from lockgate.gateway.refusals import UnsupportedType

ENCODINGS = ("gzip", "deflate")  # in the order in which we choose for an answer
ANSWER_FROM_BYTES = 16_384  # below it a caller would wait longer for the packing than for the bytes
PACK_APART_BYTES = 65_536  # from here on a thread does it: the loop must not stand still
INFLATE_APART_BYTES = 4_096  # fewer, because a byte may become a thousand
MEMBERS = 16  # of one gzip body; honest ones have one, or a few that were written one after the other
LEVEL = 1  # the quickest: numbers as text pack well with any
_GZIP_OR_ZLIB, _BARE = zlib.MAX_WBITS | 32, -zlib.MAX_WBITS
_WINDOW = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}


async def inflated(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    """The body as it was before it was packed. Raises UnsupportedType, InvalidInput and TooLarge."""
    kind = encoding.strip().lower()
    if kind in ("", "identity"):
        return body
    if kind == "x-gzip":
        kind = "gzip"
    if kind not in ENCODINGS:
        raise UnsupportedType(
            "the body's content encoding is not one of those that are read",
            got=encoding[:80],
            allowed=", ".join(ENCODINGS),
            fix="send the body uncompressed, or as gzip",
        )
    if len(body) < INFLATE_APART_BYTES:
        return inflate(body, kind, limit_bytes)
    return await asyncio.to_thread(inflate, body, kind, limit_bytes)


def inflate(body: bytes, kind: str, limit_bytes: int) -> bytes:
    """The same for a known kind, at once. Gzip may have several members; deflate may lack its header (some clients)."""
    bare = kind == "deflate" and not _has_zlib_header(body)
    pieces: list[bytes] = []
    left, rest = limit_bytes, body
    try:
        while rest or not pieces:
            if len(pieces) == MEMBERS:
                raise InvalidInput(f"the {kind} body has too many parts", allowed=MEMBERS)
            unpacker = zlib.decompressobj(_BARE if bare else _GZIP_OR_ZLIB)
            piece = unpacker.decompress(rest, left + 1)
            if len(piece) > left:
                raise TooLarge(
                    "the body is too large once it is inflated",
                    got=f"more than {limit_bytes} bytes",
                    allowed=f"{limit_bytes} bytes",
                    fix="send fewer rows at once, or score a table: lockgate score",
                )
            if not unpacker.eof:
                raise InvalidInput(f"the {kind} body ends too early", got=f"{len(body)} bytes")
            pieces.append(piece)
            left -= len(piece)
            rest = unpacker.unused_data
    except zlib.error as error:
        raise InvalidInput(
            f"the body is not {kind}, as its header Content-Encoding says", got=error
        ) from error
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def chosen(accepted: str) -> str | None:
    """The encoding for an answer by the header Accept-Encoding; None: as it is.

    >>> chosen("gzip, deflate"), chosen("deflate;q=0.5, br"), chosen("gzip;q=0, identity"), chosen("*")
    ('gzip', 'deflate', None, 'gzip')
    """
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, more = part.strip().partition(";")
        weights[name.strip()] = _weight(more)
    others = weights.get("*", 0.0)
    best = max(ENCODINGS, key=lambda kind: weights.get(kind, others))
    return best if weights.get(best, others) > 0 else None


async def packed(content: bytes, kind: str) -> bytes:
    """An answer's bytes as `chosen` said."""
    if len(content) < PACK_APART_BYTES:
        return _pack(content, kind)
    return await asyncio.to_thread(_pack, content, kind)


def _pack(content: bytes, kind: str) -> bytes:
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, _WINDOW[kind])
    return packer.compress(content) + packer.flush()


def _weight(parameters: str) -> float:
    """The q of one part of Accept-Encoding; 1 where none is said, 0 where it is no number."""
    name, _, value = parameters.strip().partition("=")
    if name.strip() != "q":
        return 1.0
    try:
        return float(value)
    except ValueError:
        return 0.0


def _has_zlib_header(body: bytes) -> bool:
    """RFC 1950: method 8, and the first two bytes are a multiple of 31."""
    return len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2], "big") % 31 == 0
