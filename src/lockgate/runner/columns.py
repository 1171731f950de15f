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
from typing import NamedTuple

import numpy as np

from .wire import BadFrame, Buffer

Columns = dict[str, np.ndarray]
BLOCK = struct.Struct("<BBHII")
START = struct.Struct("<II")
MISSING = 0xFFFFFFFF
TEXT = 10
TYPES = (
    (0, "BOOL", "?"), (1, "UINT8", "u1"), (2, "INT8", "i1"), (3, "INT16", "<i2"), (4, "INT32", "<i4"),
    (5, "INT64", "<i8"), (6, "FP16", "<f2"), (7, "FP32", "<f4"), (8, "FP64", "<f8"), (TEXT, "BYTES", "O"),
    (11, "UINT16", "<u2"), (12, "UINT32", "<u4"), (13, "UINT64", "<u8"),
)  # fmt: skip
CODES = {np.dtype(kind): code for code, _, kind in TYPES}
DTYPES = {code: np.dtype(kind) for code, _, kind in TYPES}
NAMES = {np.dtype(kind): name for _, name, kind in TYPES}


class Block(NamedTuple):
    """Columns of one type and shape: `data` is (columns, rows, *shape)."""

    names: tuple[str, ...]
    data: np.ndarray


def parts(columns: Columns) -> list[Buffer]:
    """Columns (n rows each) as the buffers of a body: the arrays themselves where their bytes are as on the wire.

    Raises TypeError for a type that the protocol does not know.
    """
    groups = _groups(columns)
    found: list[Buffer] = [START.pack(len(groups), 0)]
    for code, shape, members in groups:
        names = tuple([name for name, _ in members])
        found.append(_head(code, shape, names))
        if code == TEXT:
            text = _text([array for _, array in members])
            found.append(text + bytes(-len(text) % 8))
        elif members[0][1].size:
            found += [_raw(array, code) for _, array in members]
            gap = -len(members) * members[0][1].nbytes % 8
            if gap:
                found.append(bytes(gap))
    return found


def encode(columns: Columns) -> bytes:
    """Columns as one body."""
    return b"".join(parts(columns))


def decode(body: Buffer) -> Columns:
    """The columns of a body; numbers are views into it. Raises BadFrame for anything malformed."""
    return columns_of(blocks(body))


def columns_of(blocks: list[Block]) -> Columns:
    """Blocks as columns by name: views, nothing is copied."""
    return {name: array for block in blocks for name, array in zip(block.names, block.data)}


def blocks(body: Buffer) -> list[Block]:
    """The blocks of a body; numbers are views into it. Raises BadFrame for anything malformed."""
    try:
        count, _ = START.unpack_from(body, 0)
        place, found = START.size, []
        for _ in range(count):
            block, place = _block(body, place)
            found.append(block)
    except (struct.error, ValueError, KeyError, OverflowError) as error:
        raise BadFrame(f"not columns: {error}") from error
    return found


def _groups(columns: Columns) -> list[tuple[int, tuple[int, ...], list[tuple[str, np.ndarray]]]]:
    """Neighbours of one type and shape: type, whole shape with the rows first, names with arrays."""
    groups: list[tuple[int, tuple[int, ...], list[tuple[str, np.ndarray]]]] = []
    kind: np.dtype | None = None
    shape: tuple[int, ...] | None = None
    members: list[tuple[str, np.ndarray]] = []
    for name, array in columns.items():
        if array.dtype is kind and array.shape == shape:  # most often every column is like the one before
            members.append((name, array))
            continue
        code = TEXT if array.dtype.kind in "OUS" else CODES.get(array.dtype.newbyteorder("<"))
        if code is None:
            raise TypeError(f"column '{name}' has type {array.dtype}, which the protocol does not know")
        if array.ndim == 0:
            raise TypeError(f"column '{name}' has no rows: a single value")
        if groups and groups[-1][0] == code and groups[-1][1] == array.shape:
            members.append((name, array))
        else:
            members = [(name, array)]
            groups.append((code, array.shape, members))
        kind, shape = array.dtype, array.shape
    return groups


@functools.lru_cache(
    maxsize=1024
)  # the same names come with every request, and a few hundred numbers of rows
def _head(code: int, shape: tuple[int, ...], names: tuple[str, ...]) -> bytes:
    text = b"".join(struct.pack("<H", len(raw)) + raw for raw in [name.encode() for name in names])
    head = BLOCK.pack(code, len(shape) - 1, len(names), shape[0], len(text))
    head += struct.pack(f"<{len(shape) - 1}I", *shape[1:]) + text
    return head + bytes(-len(head) % 8)


def _raw(array: np.ndarray, code: int) -> Buffer:
    """The array itself when its bytes are as on the wire, else a copy."""
    if array.dtype is DTYPES[code] and array.flags.c_contiguous:
        return array
    return np.ascontiguousarray(array, dtype=DTYPES[code])


def _text(arrays: list[np.ndarray]) -> bytes:
    values = [value for array in arrays for value in array.ravel().tolist()]
    if set(map(type, values)) <= {str}:
        whole = "".join(values)
        if whole.isascii():  # a letter is a byte
            return np.fromiter(map(len, values), "<u4", len(values)).tobytes() + whole.encode()
    raw = [None if missing(value) else _bytes(value) for value in values]
    lengths = np.array([MISSING if value is None else len(value) for value in raw], dtype="<u4")
    return lengths.tobytes() + b"".join(value for value in raw if value is not None)


def missing(value: object) -> bool:
    """Whether a value of a text column is missing: None, or the NaN that pandas puts there."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _bytes(value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _block(body: Buffer, place: int) -> tuple[Block, int]:
    code, dimensions, count, rows, name_bytes = BLOCK.unpack_from(body, place)
    place += BLOCK.size
    shape = struct.unpack_from(f"<{dimensions}I", body, place) if dimensions else ()
    place += 4 * dimensions
    names = _names(bytes(body[place : place + name_bytes]), count)
    place += name_bytes
    place += -place % 8
    size = count * rows
    for one in shape:
        size *= one
    if code == TEXT:
        flat, place = _texts(body, place, size)
    else:
        dtype = DTYPES[code]
        if size * dtype.itemsize > len(body) - place:
            raise ValueError("numbers are cut off")
        flat = np.frombuffer(body, dtype=dtype, count=size, offset=place) if size else np.empty(0, dtype)
        place += flat.nbytes
    return Block(names, flat.reshape((count, rows, *shape))), place + -place % 8


def _texts(body: Buffer, place: int, count: int) -> tuple[np.ndarray, int]:
    if count * 4 > len(body) - place:
        raise ValueError("text is cut off")
    lengths = np.frombuffer(body, dtype="<u4", count=count, offset=place) if count else np.empty(0, "<u4")
    place += 4 * count
    there = lengths != MISSING
    ends = np.cumsum(np.where(there, lengths, 0), dtype=np.int64)
    size = int(ends[-1]) if count else 0
    if size > len(body) - place:
        raise ValueError("text is cut off")
    raw = bytes(body[place : place + size])
    whole = raw.decode() if raw.isascii() else None
    flat = np.empty(count, dtype=object)
    start = 0
    for number, (end, is_there) in enumerate(zip(ends.tolist(), there.tolist())):
        if is_there:
            flat[number] = whole[start:end] if whole is not None else raw[start:end].decode()
        start = end
    return flat, place + size


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
