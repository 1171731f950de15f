"""Columns as bytes: neighbours of one type and shape form a block, numbers raw and little-endian, text as UTF-8.

body    u32 number of blocks, u32 zero, then the blocks
block   u8 type, u8 dimensions per row, u16 columns, u32 rows, u32 bytes of names, u32 each dimension,
        names (each u16 length + UTF-8), zeros up to a multiple of 8, data, zeros up to a multiple of 8
data    numbers: column after column. Text: u32 length of each value (0xFFFFFFFF: missing), then the bytes
"""

from __future__ import annotations

import functools
import math
import struct

import numpy as np

from .wire import BadFrame

Columns = dict[str, np.ndarray]
BLOCK = struct.Struct("<BBHII")
START = struct.Struct("<II")
MISSING = 0xFFFFFFFF
TEXT = 10
TYPES = (
    (0, "BOOL", "?"), (1, "UINT8", "u1"), (2, "INT8", "i1"), (3, "INT16", "<i2"), (4, "INT32", "<i4"),
    (5, "INT64", "<i8"), (6, "FP16", "<f2"), (7, "FP32", "<f4"), (8, "FP64", "<f8"), (TEXT, "BYTES", "O"),
)  # fmt: skip
CODES = {np.dtype(kind): code for code, _, kind in TYPES}
DTYPES = {code: np.dtype(kind) for code, _, kind in TYPES}
NAMES = {np.dtype(kind): name for _, name, kind in TYPES}


def encode(columns: Columns) -> bytes:
    """Columns (n rows each) as a body. Raises TypeError for a type that the protocol does not know."""
    groups = _groups(columns)
    parts = [START.pack(len(groups), 0)]
    for names, code, array in groups:
        text = b"".join(struct.pack("<H", len(raw)) + raw for raw in [name.encode() for name in names])
        shape = array.shape[1:]
        head = BLOCK.pack(code, len(shape), len(names), array.shape[0], len(text))
        parts.append(_padded(head + struct.pack(f"<{len(shape)}I", *shape) + text))
        arrays = [columns[name] for name in names]
        parts.append(_padded(_text(arrays) if code == TEXT else b"".join(_raw(one, code) for one in arrays)))
    return b"".join(parts)


def decode(body: bytes | bytearray | memoryview) -> Columns:
    """The columns of a body; numbers are views into it. Raises BadFrame for anything malformed."""
    columns: Columns = {}
    try:
        count, _ = START.unpack_from(body, 0)
        place = START.size
        for _ in range(count):
            place = _block(body, place, columns)
    except (struct.error, ValueError, KeyError, OverflowError) as error:
        raise BadFrame(f"not columns: {error}") from error
    return columns


def _groups(columns: Columns) -> list[tuple[list[str], int, np.ndarray]]:
    groups: list[tuple[list[str], int, np.ndarray]] = []
    for name, array in columns.items():
        code = TEXT if array.dtype.kind in "OUS" else CODES.get(array.dtype.newbyteorder("<"))
        if code is None:
            raise TypeError(f"column '{name}' has type {array.dtype}, which the protocol does not know")
        if array.ndim == 0:
            raise TypeError(f"column '{name}' has no rows: a single value")
        if groups and groups[-1][1] == code and groups[-1][2].shape == array.shape:
            groups[-1][0].append(name)
        else:
            groups.append(([name], code, array))
    return groups


def _raw(array: np.ndarray, code: int) -> bytes:
    return np.ascontiguousarray(array, dtype=DTYPES[code]).tobytes()


def _text(arrays: list[np.ndarray]) -> bytes:
    values = [value for array in arrays for value in array.ravel().tolist()]
    raw = [None if missing(value) else _bytes(value) for value in values]
    lengths = np.array([MISSING if value is None else len(value) for value in raw], dtype="<u4")
    return lengths.tobytes() + b"".join(value for value in raw if value is not None)


def missing(value: object) -> bool:
    """Whether a value of a text column is missing: None, or the NaN that pandas puts there."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 8)


def _block(body: bytes | bytearray | memoryview, place: int, columns: Columns) -> int:
    code, dimensions, count, rows, name_bytes = BLOCK.unpack_from(body, place)
    place += BLOCK.size
    shape = struct.unpack_from(f"<{dimensions}I", body, place)
    place += 4 * dimensions
    names = _names(bytes(body[place : place + name_bytes]), count)
    place += name_bytes
    place += -place % 8
    each = rows
    for size in shape:
        each *= size
    if code == TEXT:
        flat, place = _texts(body, place, each * count)
    else:
        dtype = DTYPES[code]
        flat = (
            np.frombuffer(body, dtype=dtype, count=each * count, offset=place)
            if each * count
            else np.empty(0, dtype)
        )
        place += flat.nbytes
    for number, name in enumerate(names):
        columns[name] = flat[number * each : (number + 1) * each].reshape((rows, *shape))
    return place + -place % 8


def _texts(body: bytes | bytearray | memoryview, place: int, count: int) -> tuple[np.ndarray, int]:
    if count * 4 > len(body) - place:
        raise ValueError("text is cut off")
    lengths = np.frombuffer(body, dtype="<u4", count=count, offset=place).tolist() if count else []
    place += 4 * count
    flat = np.empty(count, dtype=object)
    for number, length in enumerate(lengths):
        if length == MISSING:
            continue
        if length > len(body) - place:
            raise ValueError("text is cut off")
        flat[number] = bytes(body[place : place + length]).decode()
        place += length
    return flat, place


@functools.lru_cache(maxsize=4096)  # the same names come with every request
def _names(raw: bytes, count: int) -> tuple[str, ...]:
    names, place = [], 0
    for _ in range(count):
        (size,) = struct.unpack_from("<H", raw, place)
        if size > len(raw) - place - 2:
            raise ValueError("a name is cut off")
        names.append(raw[place + 2 : place + 2 + size].decode())
        place += 2 + size
    return tuple(names)
