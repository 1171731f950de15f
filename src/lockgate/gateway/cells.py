"""The cells of one input or table as numbers or texts of the type that a version takes. Nothing is guessed.

Every refusal names the field: the only one of its group, or the column of the first bad cell of a table.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from math import hypot, isfinite, sqrt
from typing import Any

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.gateway.rows import Group
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field

FLOATS = (DataType.FP16, DataType.FP32, DataType.FP64)
_REAL = {int, float}
# A little less than a type can hold. The root of the sum of squares is at least each cell: under this, every cell fits.
_MOST = {DataType.FP16: 65_000.0, DataType.FP32: 3.4e38, DataType.FP64: 1.7e308}
_FEW = 64  # cells that Python looks at sooner than numpy would have muted its warnings
_MANY = 4096  # cells that are squared and summed by one thread in a microsecond or two
_INTEGRAL = {int}


def together(group: Group, columns: Mapping[str, Any]) -> np.ndarray | None:
    """All inputs of a group of numbers at once, `[k, n]`; None when anything is unusual, and each must be looked at."""
    if group.shape != () or group.datatype in (DataType.BYTES, DataType.BOOL):
        return None
    values: list[Any] = [columns.get(wanted.name) for wanted in group.fields]
    if set(map(type, values)) != {list} or len(set(map(len, values))) != 1:
        return None
    flat = list(chain.from_iterable(values))
    floats = group.datatype in FLOATS
    if not set(map(type, flat)) <= (_REAL if floats else _INTEGRAL):
        return None
    try:
        array = np.array(flat, dtype=np.float64 if floats else NUMPY_TYPES[group.datatype])
    except OverflowError:
        return None
    if floats and not sound(array, group.datatype):
        return None
    target = NUMPY_TYPES[group.datatype]
    return array.reshape(len(values), -1).astype(target, copy=False) if flat else None


def sound(array: np.ndarray, datatype: DataType) -> bool:
    """Whether all cells of an array are surely finite numbers of a float type; false: they must be looked at closely.

    One sum of squares, which costs a fraction of looking at each cell. A NaN makes it NaN, which is under no limit.
    """
    kind = array.dtype.kind
    if kind == "i":
        return datatype is not DataType.FP16  # the largest whole number fits into the others
    if kind != "f" or array.size > _MANY:
        return False
    flat = array.ravel()
    if array.size <= _FEW:
        return hypot(*flat.tolist()) < _MOST[datatype]
    with np.errstate(over="ignore", invalid="ignore"):
        return sqrt(flat.dot(flat)) < _MOST[datatype]


def cells(values: Any, what: str) -> np.ndarray:
    """Lists as an array, whatever its type. Raises InvalidInput when they are ragged."""
    try:
        array = np.asarray(values)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{what} is not a list of rows of equal length") from error
    return array


def texts(wanted: Field, values: Any) -> np.ndarray:
    """Texts and, where the field allows it, None. Raises InvalidInput."""
    array = np.asarray(values, dtype=object)
    for cell in array.ravel():
        if cell is None:
            if not wanted.nullable:
                raise InvalidInput(
                    f"the input '{wanted.name}' holds a missing value (null)", fix="send a text"
                )
        elif not isinstance(cell, str):
            raise InvalidInput(
                f"the input '{wanted.name}' must be text", got=type(cell).__name__, allowed="BYTES"
            )
    return array


def typed(array: np.ndarray, group: Group, values: Any) -> np.ndarray:
    """Numbers as the group's type; `array` is `[n, *shape]` of one input or `[n, k]` of all. Nothing is guessed."""
    datatype, kind = group.datatype, array.dtype.kind
    if kind == "O":
        array = _with_missing(array, group)
        kind = "f"
    if kind not in "fiub" or (kind == "b") != (datatype is DataType.BOOL):
        if array.size == 0:
            return array.astype(NUMPY_TYPES[datatype])
        raise InvalidInput(
            f"{_whose(group, None)} must be {wanted_word(datatype)}",
            got=_kind_word(array, values),
            allowed=datatype.value,
        )
    target = np.dtype(NUMPY_TYPES[datatype])
    if datatype in FLOATS:
        with np.errstate(over="ignore", invalid="ignore"):
            typed = array.astype(target, copy=False)
            total = (
                typed.sum()
            )  # one pass for the usual case; a sum that only overflowed is looked at closely
        if not isfinite(total):
            _refuse_missing(typed, group)
        return typed
    return array if datatype is DataType.BOOL else _whole(array, target, group)


def _whole(array: np.ndarray, target: np.dtype[Any], group: Group) -> np.ndarray:
    limits = np.iinfo(target)
    bad = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(array.shape, bool)
    with np.errstate(invalid="ignore"):
        bad |= (array < limits.min) | (array > limits.max)
        if array.dtype.kind == "f":
            bad |= array != np.floor(array)
    if bad.any():
        raise InvalidInput(
            f"{_whose(group, bad)} must be whole numbers from {limits.min} to {limits.max}",
            got=array[bad][0].item(),
        )
    return array.astype(target, copy=False)


def _with_missing(array: np.ndarray, group: Group) -> np.ndarray:
    """A list with null in it: allowed as NaN where a float may be missing."""
    cells = array.ravel().tolist()
    for cell in cells:
        if cell is not None and (isinstance(cell, bool) or not isinstance(cell, int | float)):
            raise InvalidInput(
                f"{_whose(group, None)} must be {wanted_word(group.datatype)}",
                got=type(cell).__name__,
                allowed=group.datatype.value,
            )
    if group.datatype not in FLOATS:
        bad = np.array([cell is None for cell in cells]).reshape(array.shape)
        raise InvalidInput(
            f"{_whose(group, bad)} holds a missing value (null) or too large a number", fix="send a number"
        )
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells]).reshape(array.shape)
    except OverflowError as error:
        raise InvalidInput(
            f"{_whose(group, None)} holds too large a number", fix="send a finite number"
        ) from error


def _refuse_missing(typed: np.ndarray, group: Group) -> None:
    """Raises InvalidInput for infinite cells, and for missing ones where they are not allowed."""
    infinite = np.isinf(typed)
    if infinite.any():
        raise InvalidInput(
            f"{_whose(group, infinite)} holds an infinite or too large number", fix="send a finite number"
        )
    missing = np.isnan(typed)
    if len(group.fields) > 1:  # a table: only some inputs may be missing
        missing = missing & np.array([not wanted.nullable for wanted in group.fields])
    elif group.fields[0].nullable:
        return
    if missing.any():
        raise InvalidInput(
            f"{_whose(group, missing)} holds a missing value (NaN or null)", fix="send a number"
        )


def _whose(group: Group, bad: np.ndarray | None) -> str:
    """The field to name: the only one, or the column of the first bad cell of a table."""
    if len(group.fields) == 1:
        return f"the input '{group.fields[0].name}'"
    if bad is None or not bad.any():
        return "a cell of the table"
    return f"the input '{group.fields[int(np.argwhere(bad)[0][1])].name}'"


def wanted_word(datatype: DataType) -> str:
    """What a caller must send for a type, in words."""
    return "true or false" if datatype is DataType.BOOL else "a number"


def _kind_word(array: np.ndarray, values: Any) -> str:
    words = {"U": "text", "S": "text", "b": "true or false"}
    return words.get(array.dtype.kind, "a number" if array.dtype.kind in "fiu" else type(values).__name__)
