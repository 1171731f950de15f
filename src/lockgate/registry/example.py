"""The input example of a package and the answers that the model gave to it: `example.json`.

The golden answers are recorded at submission, from the original model and, if there is one, from the compiled one.
Whoever loads the package later asks the model again and compares. Columns are written as in the Open Inference
Protocol (`name, datatype, shape, data`); a missing value is `null`, an infinite one the text "inf" or "-inf".
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from lockgate.errors import SealBroken
from lockgate.registry.signature import NUMPY_TYPES, DataType

EXAMPLE_NAME = "example.json"
Columns = dict[str, np.ndarray]
Cell = str | bool | int | float | None

_TYPES = {np.dtype(kind): name for name, kind in NUMPY_TYPES.items()}


class Tensor(msgspec.Struct, frozen=True):
    """One column of an example: `shape` is `(rows, *shape per row)`, `data` is flat."""

    name: str
    datatype: DataType
    shape: list[int]
    data: list[Cell]


class Written(msgspec.Struct, frozen=True, omit_defaults=True):
    """What `example.json` holds."""

    inputs: list[Tensor]
    golden: list[Tensor]
    compiled: list[Tensor] = []


@dataclass(frozen=True)
class Example:
    """An input example (n rows), the original model's answers to it, and the compiled model's when it has one."""

    inputs: Columns
    golden: Columns
    compiled: Columns | None = None


def encode_example(example: Example) -> bytes:
    """The bytes of `example.json`; equal examples give equal bytes."""
    return msgspec.json.encode(
        Written(_tensors(example.inputs), _tensors(example.golden), _tensors(example.compiled or {})),
        order="deterministic",
    )


def decode_example(body: bytes) -> Example:
    """The example of a package. Raises SealBroken when the bytes are not one."""
    try:
        written = msgspec.json.decode(body, type=Written)
        return Example(_columns(written.inputs), _columns(written.golden), _columns(written.compiled) or None)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        raise SealBroken(f"the file {EXAMPLE_NAME} of the package cannot be read", got=error) from error


def read_example(package: Path) -> Example | None:
    """The example of an opened package, if it has one."""
    path = package / EXAMPLE_NAME
    return decode_example(path.read_bytes()) if path.is_file() else None


def difference(
    expected: Mapping[str, np.ndarray], answered: Mapping[str, np.ndarray], tolerance: float
) -> str | None:
    """Why answers are not the golden ones (numbers within `tolerance`, absolute and relative), or None.

    >>> one, two = {"p": np.array([0.5])}, {"p": np.array([0.75])}
    >>> difference(one, one, 0.0), difference(one, two, 1e-6)
    (None, "output 'p' differs from the recorded answer by 0.25 in row 0")
    """
    for name, wanted in expected.items():
        got = answered.get(name)
        if got is None:
            return f"output '{name}' is missing"
        if got.shape != wanted.shape:
            return f"output '{name}' has the shape {list(got.shape)}, recorded was {list(wanted.shape)}"
        reason = (
            _numbers(name, wanted, got, tolerance)
            if wanted.dtype.kind in "fiu"
            else _values(name, wanted, got)
        )
        if reason:
            return reason
    return None


def _numbers(name: str, wanted: np.ndarray, got: np.ndarray, tolerance: float) -> str | None:
    if got.dtype.kind not in "fiub":
        return f"output '{name}' is no number"
    left, right = wanted.astype(np.float64), got.astype(np.float64)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    with np.errstate(invalid="ignore"):
        gap = np.where(same, 0.0, np.abs(left - right))
    gap = np.where(np.isnan(gap), np.inf, gap)
    bad = gap > tolerance * np.maximum(1.0, np.where(np.isfinite(left), np.abs(left), 1.0))
    if not bad.any():
        return None
    row = int(np.argwhere(bad)[0][0]) if bad.ndim else 0
    return f"output '{name}' differs from the recorded answer by {float(gap[bad].max()):.6g} in row {row}"


def _values(name: str, wanted: np.ndarray, got: np.ndarray) -> str | None:
    pairs = enumerate(zip(wanted.tolist(), got.tolist(), strict=True))
    row = next((place for place, (left, right) in pairs if left != right), None)
    return None if row is None else f"output '{name}' differs from the recorded answer in row {row}"


def _tensors(columns: Mapping[str, np.ndarray]) -> list[Tensor]:
    return [_tensor(name, array) for name, array in columns.items()]


def _tensor(name: str, array: np.ndarray) -> Tensor:
    if array.dtype.kind in "OUS":
        data: list[Cell] = [None if _missing(value) else str(value) for value in array.ravel().tolist()]
        return Tensor(name, DataType.BYTES, list(array.shape), data)
    flat = array.ravel().tolist()
    if array.dtype.kind == "f":
        flat = [value if math.isfinite(value) else _written(value) for value in flat]
    return Tensor(name, _TYPES[array.dtype.newbyteorder("=")], list(array.shape), flat)


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _written(value: float) -> Cell:
    return None if math.isnan(value) else "inf" if value > 0 else "-inf"


def _columns(tensors: list[Tensor]) -> Columns:
    columns: Columns = {}
    for tensor in tensors:
        values = tensor.data
        if tensor.datatype in (DataType.FP16, DataType.FP32, DataType.FP64):
            values = [math.nan if value is None else float(value) for value in values]
        flat = np.array(values, dtype=NUMPY_TYPES[tensor.datatype])
        columns[tensor.name] = flat.reshape(tensor.shape)
    return columns
