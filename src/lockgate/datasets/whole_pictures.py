"""Whether a picture's bytes are whole, told from its container alone: nothing is decoded, so nothing in it can do harm.

Sources: PNG specification, 5.3 (chunks and their CRC) and 11.2.5 IEND; ITU T.81, B.1.1.3 (EOI); GIF89a, 27 (trailer);
BITMAPFILEHEADER; RIFF (length of the chunk); TIFF 6.0, section 2 (offset of the first directory).
"""

from __future__ import annotations

import struct
import zlib

from lockgate.registry.picturehead import size_of

_PNG = b"\x89PNG\r\n\x1a\n"
_CUT = "it is cut off"


def why_torn(body: bytes) -> str | None:
    """Why a picture cannot be read; None for one that is whole.

    >>> why_torn(b""), why_torn(b"GIF89a")
    ('it is empty', 'it is cut off')
    """
    if not body:
        return "it is empty"
    size = size_of(body)
    if size is None:
        return "it is no image" if not body.startswith((_PNG, b"\xff\xd8", b"GIF8", b"BM")) else _CUT
    if body.startswith(_PNG):
        return _png(body)
    if 0 in size and not body.startswith((b"II*\0", b"MM\0*", b"RIFF")):
        return "it has no pixels"
    return None if _ends(body) else _CUT


def _ends(body: bytes) -> bool:
    """Whether the end that its kind promises is there; bytes after it do no harm."""
    if body.startswith(b"\xff\xd8"):
        return b"\xff\xda" in body and body.rfind(b"\xff\xd9") > body.find(b"\xff\xda")
    if body.startswith(b"GIF8"):
        return body.rstrip(b"\0").endswith(b";")
    if body.startswith(b"BM"):
        return len(body) >= int.from_bytes(body[2:6], "little")
    if body.startswith(b"RIFF"):
        return len(body) >= int.from_bytes(body[4:8], "little") + 8
    little = body.startswith(b"II")
    return len(body) > int.from_bytes(body[4:8], "little" if little else "big") + 2


def _png(body: bytes) -> str | None:
    place, pixels = len(_PNG), False
    while place + 12 <= len(body):
        (length,) = struct.unpack(">I", body[place : place + 4])
        kind, end = body[place + 4 : place + 8], place + 8 + length
        if end + 4 > len(body):
            return _CUT
        if zlib.crc32(body[place + 4 : end]) != struct.unpack(">I", body[end : end + 4])[0]:
            return "its checksum is wrong"
        pixels |= kind == b"IDAT"
        if kind == b"IEND":
            return None if pixels else "it has no pixels"
        place = end + 4
    return _CUT
