"""Tensors as raw little-endian bytes, as the Open Inference Protocol's binary extension writes them."""

from __future__ import annotations

import struct
from math import prod

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.registry.signature import NUMPY_TYPES, DataType

_LENGTH = struct.Struct("<I")
_TYPES = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}


def output_type(array: np.ndarray) -> DataType:
    """The protocol's name for an array's type. UINT16 and wider unsigned integers do not occur in signatures."""
    return DataType.BYTES if array.dtype.kind in "OUS" else _TYPES[array.dtype]


def from_binary(name: str, datatype: str, shape: list[int], data: memoryview) -> np.ndarray:
    """One tensor. Raises InvalidInput that names it."""
    if datatype not in DataType.__members__:
        raise InvalidInput(
            f"the input '{name}' has a type that is not known", got=datatype, allowed=", ".join(DataType)
        )
    kind = DataType(datatype)
    if kind is DataType.BYTES:
        values = np.array([None, *_texts(name, data)], dtype=object)[
            1:
        ]  # a list of None alone stays one-dimensional
    else:
        item = np.dtype(NUMPY_TYPES[kind])
        if len(data) % item.itemsize:
            raise InvalidInput(
                f"the binary data of input '{name}' end inside a value", got=f"{len(data)} bytes"
            )
        values = np.frombuffer(data, dtype=item.newbyteorder("<"))
    if not shape or min(shape) < 0 or values.size != prod(shape):
        raise InvalidInput(
            f"the data of input '{name}' do not fill its shape {shape}", got=f"{values.size} values"
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


def _texts(name: str, data: memoryview) -> list[str]:
    texts, position = [], 0
    while position < len(data):
        start = position + _LENGTH.size
        length = _LENGTH.unpack_from(data, position)[0] if start <= len(data) else len(data)
        position = start + length
        if position > len(data):
            raise InvalidInput(f"the binary data of input '{name}' end inside a text")
        try:
            texts.append(str(data[start:position], "utf-8"))
        except UnicodeDecodeError as error:
            raise InvalidInput(f"the input '{name}' holds a text that is not UTF-8") from error
    return texts
