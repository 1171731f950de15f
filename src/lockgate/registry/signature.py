"""A model's signature: the names, types and shapes of what goes in and what comes out.

Data types carry the names of the Open Inference Protocol v2 everywhere in the house.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import DTypeLike


class DataType(StrEnum):
    """Element types, named as in the Open Inference Protocol v2. BYTES are UTF-8 strings."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"


NUMPY_TYPES: dict[DataType, DTypeLike] = {
    DataType.BOOL: np.bool_,
    DataType.UINT8: np.uint8,
    DataType.UINT16: np.uint16,
    DataType.UINT32: np.uint32,
    DataType.UINT64: np.uint64,
    DataType.INT8: np.int8,
    DataType.INT16: np.int16,
    DataType.INT32: np.int32,
    DataType.INT64: np.int64,
    DataType.FP16: np.float16,
    DataType.FP32: np.float32,
    DataType.FP64: np.float64,
    DataType.BYTES: np.object_,
}


IMAGE = "image"  # what `Field.media` may be


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One input or output. `shape` is per row: `()` a scalar column, `(30,)` a vector, -1 any length.

    `nullable`: missing values are allowed (NaN in floats, None in BYTES). `categories`: what training data held.
    `media`: "image" for a BYTES field of pictures, JPEG or PNG as base64.
    """

    name: str
    datatype: DataType
    shape: tuple[int, ...] = ()
    required: bool = True
    nullable: bool = False
    categories: tuple[str, ...] | None = None
    media: str | None = None


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes and gives, in order."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...]

    def input(self, name: str) -> Field | None:
        """The input of that name, if there is one."""
        return next((field for field in self.inputs if field.name == name), None)
