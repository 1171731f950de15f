"""Tensors as raw little-endian bytes, as the Open Inference Protocol's binary extension and its gRPC form write them."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from math import prod

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.registry.picturehead import served_kind
from lockgate.registry.signature import NUMPY_TYPES, DataType

_LENGTH = struct.Struct("<I")
_TYPES = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}
MOST_DIMENSIONS = 8
MOST_VALUES = 2**40  # more than any body holds
BF16 = "BF16"  # the upper half of an FP32: every value is an FP32 exactly, so it is read as one
KNOWN = (*DataType, BF16)


def output_type(array: np.ndarray) -> DataType:
    """The protocol's name for an array's type."""
    return DataType.BYTES if array.dtype.kind in "OUS" else _TYPES[array.dtype]


def require_known(name: str, datatype: str) -> None:
    """Raise InvalidInput unless the protocol has such a type."""
    if datatype not in KNOWN:
        raise InvalidInput(
            f"the input '{name}' has a type that is not known", got=datatype[:80], allowed=", ".join(KNOWN)
        )


def from_binary(name: str, datatype: str, shape: list[int], data: memoryview) -> np.ndarray:
    """One tensor. Raises InvalidInput that names it."""
    require_known(name, datatype)
    values = _texts(name, data) if datatype == DataType.BYTES else _numbers(name, datatype, data)
    return shaped(name, values, shape)


def shaped(name: str, values: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """The values in the shape that a caller named. Raises InvalidInput for one that they do not fill.

    A shape is a caller's word like any other: its dimensions are counted before they are multiplied, and one that no array
    can have is refused even beside a zero.
    """
    few = 0 < len(shape) <= MOST_DIMENSIONS
    possible = few and min(shape) >= 0 and prod(max(size, 1) for size in shape) <= MOST_VALUES
    if not possible or values.size != prod(shape):
        words = list(shape) if few else f"of {len(shape)} dimensions"
        raise InvalidInput(
            f"the data of input '{name[:80]}' do not fill its shape {words}", got=f"{values.size} values"
        )
    return values.reshape(shape)


def binary_of(array: np.ndarray) -> bytes:
    """An array's bytes; texts as length and UTF-8, a missing text as an empty one."""
    if array.dtype.kind not in "OUS":
        return np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
    pieces = []
    for cell in array.ravel().tolist():
        text = b"" if cell is None else str(cell).encode()
        pieces += [_LENGTH.pack(len(text)), text]
    return b"".join(pieces)


def texts_of(name: str, values: Sequence[bytes | memoryview]) -> np.ndarray:
    """UTF-8 as text, flat; pictures, which are no UTF-8, as base64. Raises InvalidInput."""
    flat = np.empty(len(values), dtype=object)
    if values and all(served_kind(bytes(value[:8])) for value in values):
        flat[:] = [b64encode(value).decode("ascii") for value in values]
        return flat
    try:
        flat[:] = [str(value, "utf-8") for value in values]
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the input '{name}' holds a text that is not UTF-8") from error
    return flat


def _numbers(name: str, datatype: str, data: memoryview) -> np.ndarray:
    item = np.dtype(np.uint16 if datatype == BF16 else NUMPY_TYPES[DataType(datatype)])
    if len(data) % item.itemsize:
        raise InvalidInput(f"the binary data of input '{name}' end inside a value", got=f"{len(data)} bytes")
    if datatype == DataType.BOOL:
        truth = np.frombuffer(data, dtype=np.uint8)
        if truth.size and truth.max() > 1:
            raise InvalidInput(
                f"the input '{name}' holds a byte that is no truth value",
                got=int(truth.max()),
                allowed="0, 1",
            )
        return truth.view(np.bool_)
    values = np.frombuffer(data, dtype=item.newbyteorder("<"))
    return (values.astype(np.uint32) << 16).view(np.float32) if datatype == BF16 else values


def _texts(name: str, data: memoryview) -> np.ndarray:
    texts: list[memoryview] = []
    position = 0
    while position < len(data):
        start = position + _LENGTH.size
        length = _LENGTH.unpack_from(data, position)[0] if start <= len(data) else len(data)
        position = start + length
        if position > len(data):
            raise InvalidInput(f"the binary data of input '{name}' end inside a text")
        texts.append(data[start:position])
    return texts_of(name, texts)
