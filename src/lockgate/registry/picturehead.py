"""The size of a picture from its first bytes, without decoding any of it: standard library only."""

from __future__ import annotations

import struct

_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a length
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # JPEG: start of frame
_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"


def served_kind(body: bytes) -> str | None:
    """`PNG` or `JPEG`, the kinds that callers may send; None for any other bytes.

    >>> served_kind(b"\\xff\\xd8\\xff"), served_kind(b"GIF89a")
    ('JPEG', None)
    """
    return "PNG" if body.startswith(_PNG) else "JPEG" if body.startswith(_JPEG) else None


def size_of(body: bytes) -> tuple[int, int] | None:
    """Width and height in pixels; None for what is no image. TIFF and WebP: 0 x 0, their heads are not read.

    Sources: PNG specification, 11.2.2 IHDR; GIF89a, 18; ITU T.81, B.2.2 (JPEG's frame header); Windows BITMAPINFOHEADER.
    """
    if body.startswith(b"\x89PNG\r\n\x1a\n") and len(body) >= 24:
        width, height = struct.unpack(">II", body[16:24])
        return int(width), int(height)
    if body[:6] in (b"GIF87a", b"GIF89a") and len(body) >= 10:
        width, height = struct.unpack("<HH", body[6:10])
        return int(width), int(height)
    if body.startswith(b"BM") and len(body) >= 26:
        width, height = struct.unpack("<ii", body[18:26])
        return int(width), abs(int(height))
    if body.startswith(b"\xff\xd8"):
        return _jpeg(body)
    if body[:4] in (b"II*\0", b"MM\0*") or (body[:4] == b"RIFF" and body[8:12] == b"WEBP"):
        return 0, 0
    return None


def _jpeg(body: bytes) -> tuple[int, int] | None:
    place = 2
    while place + 9 < len(body) and body[place] == 0xFF:
        marker = body[place + 1]
        if marker in _STANDALONE or marker == 0xFF:
            place += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAMES:
            height, width = struct.unpack(">HH", body[place + 5 : place + 9])
            return int(width), int(height)
        place += 2 + int(struct.unpack(">H", body[place + 2 : place + 4])[0])
    return None
