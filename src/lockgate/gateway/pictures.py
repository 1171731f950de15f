"""Pictures that callers send: base64 of JPEG or PNG, or tensors of pixels. Nothing is decoded here, only heads are read.

A picture's head says how many pixels it would become, so one that would fill a runner's memory is refused before it is queued.
"""

from __future__ import annotations

import binascii
import struct
import zlib
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.gateway.refusals import UnsupportedType
from lockgate.gateway.sent import Sent
from lockgate.registry.picturehead import served_kind, size_of
from lockgate.registry.signature import IMAGE, Field

MOST_PIXELS = 64_000_000  # as much as a served package decodes unless it says less
TYPES = ("image/jpeg", "image/png", "image/jpg")
BYTES_OF = "b64"  # how other servers mark base64 in JSON: {"b64": "..."}
_PNG = b"\x89PNG\r\n\x1a\n"


def is_type(content_type: str) -> bool:
    """Whether a body calls itself a picture; media types may be written in any case (RFC 9110, 8.3.1).

    >>> is_type("Image/PNG"), is_type("application/json")
    (True, False)
    """
    return content_type[:6].lower() == "image/"


def read(body: bytes, content_type: str) -> Sent:
    """A body that is one picture. Raises UnsupportedType, InvalidInput for an empty one."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in TYPES:
        raise UnsupportedType(
            "pictures of this type are not read", got=content_type[:80], allowed="image/jpeg, image/png"
        )
    if not body:
        raise InvalidInput("the body is empty", fix="send the picture's own bytes")
    return Sent(columns={IMAGE: [b64encode(body).decode("ascii")]}, media=IMAGE)


def pictured(sent: Sent, fields: Sequence[Field]) -> Sent:
    """A body that is one picture, under the name of the only input that takes one. Raises InvalidInput without one."""
    takers = [field.name for field in fields if field.media == IMAGE]
    if len(takers) != 1:
        raise InvalidInput("this model takes no picture as its body", fix="send its inputs by name, as JSON")
    ((_, cells),) = sent.columns.items()
    return Sent(columns={takers[0]: cells})


def cells(wanted: Field, values: Any) -> np.ndarray:
    """The pictures of one input as base64 texts, `(n,)`. Pixels `[n, h, w, 3]` of 0 to 255 become PNGs: nothing is lost.

    Raises InvalidInput naming the input and the row.
    """
    listed = values.tolist() if isinstance(values, np.ndarray) and values.dtype == object else values
    if isinstance(listed, np.ndarray) or (
        isinstance(listed, list) and listed and isinstance(listed[0], list)
    ):
        if isinstance(listed, list) and all(
            isinstance(row, list) and len(row) == 1 and isinstance(row[0], str) for row in listed
        ):
            listed = [row[0] for row in listed]  # [n, 1]: a column of a matrix
        else:
            return _from_pixels(wanted, listed)
    if not isinstance(listed, list):
        raise InvalidInput(f"the input '{wanted.name}' must be a list of pictures", got=type(values).__name__)
    made = np.empty(len(listed), dtype=object)
    made[:] = [_text(wanted, cell, row) for row, cell in enumerate(listed)]
    return made


def _text(wanted: Field, cell: Any, row: int) -> str:
    if isinstance(cell, dict) and set(cell) == {BYTES_OF}:
        cell = cell[BYTES_OF]
    if not isinstance(cell, str) or not cell:
        raise InvalidInput(
            f"the input '{wanted.name}' holds no picture in row {row}",
            got="an empty text" if cell == "" else "null" if cell is None else type(cell).__name__,
            allowed="base64 of a JPEG or PNG",
        )
    text = cell.partition(",")[2] if cell.startswith("data:") else cell
    try:
        body = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"the input '{wanted.name}' is no base64 in row {row}", got=error) from error
    kind, size = served_kind(body), size_of(body)
    if kind is None or size is None:
        raise InvalidInput(
            f"the input '{wanted.name}' is no whole picture in row {row}",
            got=f"bytes that begin with {body[:8].hex(' ')}"
            if kind is None
            else f"a {kind} of {len(body)} bytes without a size",
            allowed="JPEG, PNG",
        )
    if not 0 < size[0] * size[1] <= MOST_PIXELS:
        raise InvalidInput(
            f"the input '{wanted.name}' has too many pixels in row {row}",
            got=f"{size[0]} x {size[1]}",
            allowed=f"{MOST_PIXELS:,}",
            fix="send it smaller: the model looks at a few hundred pixels a side",
        )
    return text


def _from_pixels(wanted: Field, values: Any) -> np.ndarray:
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"the input '{wanted.name}' is not pixels in rows of equal length") from error
    if array.ndim != 4 or array.shape[3] != 3 or 0 in array.shape:
        raise InvalidInput(
            f"the input '{wanted.name}' has another shape",
            got=list(array.shape),
            allowed=["rows", "height", "width", 3],
            fix="send pixels as [rows, height, width, red green blue], or base64 of a JPEG or PNG",
        )
    if array.dtype.kind not in "iuf" or not (array >= 0).all() or not (array <= 255).all() or (
        array.dtype.kind == "f" and not (array == np.floor(array)).all()
    ):  # fmt: skip
        raise InvalidInput(f"the input '{wanted.name}' must be whole numbers from 0 to 255")
    made = np.empty(len(array), dtype=object)
    made[:] = [b64encode(png_of(one)).decode("ascii") for one in array.astype(np.uint8)]
    return made


def png_of(pixels: np.ndarray) -> bytes:
    """`[height, width, 3]` uint8 as a PNG whose bytes are stored, not packed (PNG specification, 5.3 and 11.2).

    >>> size_of(png_of(np.zeros((2, 5, 3), np.uint8)))
    (5, 2)
    """
    height, width = pixels.shape[:2]
    lines = np.zeros((height, 1 + 3 * width), dtype=np.uint8)  # each begins with its filter: 0, none
    lines[:, 1:] = pixels.reshape(height, -1)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"".join(
        [
            _PNG,
            _chunk(b"IHDR", head),
            _chunk(b"IDAT", zlib.compress(lines.tobytes(), 0)),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
