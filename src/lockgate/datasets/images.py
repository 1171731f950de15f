"""A folder of images as a table: a row for each file, with its label, digest and size in pixels, read from its first bytes."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from pathlib import Path

import polars as pl

from lockgate.errors import InvalidInput, NotFound

FILES = "data/files"  # where copies of single files lie in the store, by digest
ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"})
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD9)})  # JPEG markers without a length
_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})  # JPEG: start of frame
SCHEMA = {
    "path": pl.String,
    "label": pl.String,
    "sha256": pl.String,
    "bytes": pl.Int64,
    "width": pl.Int64,
    "height": pl.Int64,
}


def files_of_folder(folder: Path, tell: Callable[[int, int], None] | None = None) -> pl.DataFrame:
    """Every image below a folder, by path. `label`: the folder that it lies in; none for files at the top.

    Raises NotFound, InvalidInput for a folder without images and for a file that is none.
    """
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder}")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise InvalidInput(f"{folder} holds no image", allowed=", ".join(sorted(ENDINGS)))
    rows = []
    for place, path in enumerate(paths):
        if tell is not None:
            tell(place, len(paths))
        body = path.read_bytes()
        size = size_of(body)
        if size is None:
            raise InvalidInput(f"{path.relative_to(folder)} is no whole image", got=f"{len(body)} bytes",
                               fix="take it out, or write it again")  # fmt: skip
        label = path.parent.name if path.parent != folder else None
        rows.append(
            (path.relative_to(folder).as_posix(), label, hashlib.sha256(body).hexdigest(), len(body), *size)
        )
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


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
