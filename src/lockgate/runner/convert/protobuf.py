"""ONNX files as bytes, written by hand: a model's own environment need not have the onnx package.

Field numbers are those of onnx.proto (onnx/onnx, IR version 10). Protobuf's encoding: a key is `number << 3 | wire type`;
whole numbers are varints (7 bits a byte, least first), everything else is length-delimited.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

VARINT, FIXED32, BYTES = 0, 5, 2
FLOAT, DOUBLE, INT64, UINT8, STRING, BOOL = 1, 11, 7, 2, 8, 9
ELEMENTS = {"f4": FLOAT, "f8": DOUBLE, "i8": INT64, "u1": UINT8, "b1": BOOL}
ATTRIBUTE_FLOAT, ATTRIBUTE_INT, ATTRIBUTE_STRING, ATTRIBUTE_TENSOR, ATTRIBUTE_INTS = 1, 2, 3, 4, 7
LONGEST_VARINT = 10


def varint(value: int) -> bytes:
    """One whole number; negative ones as 64 bits of two's complement.

    >>> varint(300)
    b'\\xac\\x02'
    """
    value &= 0xFFFFFFFFFFFFFFFF
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def varints(values: np.ndarray) -> bytes:
    """Many whole numbers (n,), none negative, one after the other."""
    values = np.ascontiguousarray(values, dtype=np.uint64)
    if not values.size or int(values.max()) < 128:
        return values.astype(np.uint8).tobytes()
    shifts = np.arange(LONGEST_VARINT, dtype=np.uint64) * np.uint64(7)
    rest = values[:, None] >> shifts  # n x 10: what is left before each byte
    used = (rest > 0) | (shifts == 0)
    more = rest > 127
    groups = (rest & np.uint64(127)).astype(np.uint8) | (more.astype(np.uint8) << 7)
    return bytes(groups[used].tobytes())


def number(field: int, value: int) -> bytes:
    """A field that holds a whole number."""
    return varint(field << 3 | VARINT) + varint(value)


def part(field: int, body: bytes | str) -> bytes:
    """A field that holds text, bytes or another message."""
    raw = body.encode() if isinstance(body, str) else body
    return varint(field << 3 | BYTES) + varint(len(raw)) + raw


def tensor(array: np.ndarray, name: str = "") -> bytes:
    """TensorProto of numbers, truth values or text (object arrays)."""
    head = part(1, varints(np.array(array.shape))) if array.ndim else b""
    if array.dtype.kind in "OUS":
        texts = b"".join(part(6, str(value)) for value in array.ravel().tolist())
        return head + number(2, STRING) + texts + part(8, name)
    kind = ELEMENTS[array.dtype.str[1:]]
    raw = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    return head + number(2, kind) + part(8, name) + part(9, raw)


def attribute(name: str, value: Any) -> bytes:
    """AttributeProto: int, float, text, an array as a tensor, or a list (or TensorLike of `Ints`) of whole numbers."""
    head = part(1, name)
    if isinstance(value, Ints):
        return head + part(8, varints(value.values)) + number(20, ATTRIBUTE_INTS)
    if isinstance(value, np.ndarray):
        return head + part(5, tensor(value, name)) + number(20, ATTRIBUTE_TENSOR)
    if isinstance(value, int):
        return head + number(3, value) + number(20, ATTRIBUTE_INT)
    if isinstance(value, float):
        return head + varint(2 << 3 | FIXED32) + struct.pack("<f", value) + number(20, ATTRIBUTE_FLOAT)
    return head + part(4, str(value)) + number(20, ATTRIBUTE_STRING)


class Ints:
    """Whole numbers that an attribute holds as a list, not as a tensor."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values, dtype=np.int64)


def node(operator: str, inputs: list[str], outputs: list[str], domain: str, attributes: list[bytes]) -> bytes:
    """NodeProto."""
    body = b"".join(part(1, name) for name in inputs) + b"".join(part(2, name) for name in outputs)
    return body + part(4, operator) + b"".join(part(5, one) for one in attributes) + part(7, domain)


def value(name: str, kind: int, width: int | None) -> bytes:
    """ValueInfoProto of a tensor with any number of rows: (n, width), or (n,) when `width` is None."""
    rows = part(1, part(2, "n"))
    columns = part(1, number(1, width)) if width is not None else b""
    return part(1, name) + part(2, part(1, number(1, kind) + part(2, rows + columns)))


def model(graph: bytes, opsets: dict[str, int], ir_version: int, notes: dict[str, str]) -> bytes:
    """ModelProto."""
    imports = b"".join(
        part(8, part(1, name) + number(2, version)) for name, version in sorted(opsets.items())
    )
    said = b"".join(part(14, part(1, key) + part(2, text)) for key, text in sorted(notes.items()))
    return number(1, ir_version) + part(2, "lockgate") + part(7, graph) + imports + said
