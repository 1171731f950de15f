"""From a table to what a model takes: columns (name -> numpy array) typed field by field, and fields from a table."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from lockgate.errors import InvalidInput
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature

Columns = dict[str, np.ndarray]
CATEGORY_LIMIT = 1_000  # a text column with more values is free text or an identifier, not a category
_WHOLE = {
    DataType.UINT8, DataType.UINT16, DataType.UINT32, DataType.UINT64, DataType.INT8, DataType.INT16, DataType.INT32,
    DataType.INT64,
}  # fmt: skip
_SHOWN = 20


def columns_from(frame: pl.DataFrame, signature: Signature, *, leave_out: Collection[str] = ()) -> Columns:
    """The model's inputs out of a table of n rows: arrays of shape `(n, *field.shape)` and the field's type.

    Further columns are passed over. A model with one vector input of k numbers and no column of its name takes the k
    numeric columns in their order; `leave_out` (target, time, key) names those that are no inputs. A field that is
    not required and not in the table is left out. Missing values become NaN or None. Raises InvalidInput naming the
    column when it is absent, holds what its type does not allow, or misses values in a type that has no "missing".
    """
    if tensor := _lone_vector(frame, signature):
        return {tensor.name: _stack(frame, tensor, leave_out)}
    absent = [field.name for field in signature.inputs if field.required and field.name not in frame.columns]
    if absent:
        raise InvalidInput(
            "the table lacks columns that the model takes",
            got=", ".join(frame.columns[:_SHOWN]),
            fix=f"add {', '.join(absent[:_SHOWN])}",
        )
    return {
        field.name: _array(frame[field.name], field)
        for field in signature.inputs
        if field.name in frame.columns
    }


def infer_fields(frame: pl.DataFrame, names: Collection[str] | None = None) -> tuple[Field, ...]:
    """Fields that describe columns of a table (all, or those named, in that order).

    Whole numbers with missing values become FP64, as they do in pandas. Text of at most CATEGORY_LIMIT values keeps
    its categories. Lists of numbers of one length become a vector.
    """
    wanted = list(frame.columns if names is None else names)
    absent = [name for name in wanted if name not in frame.columns]
    if absent:
        raise InvalidInput(
            "the table lacks these columns", got=", ".join(absent), allowed=", ".join(frame.columns)
        )
    return tuple(_field(frame[name]) for name in wanted)


def numeric_columns(frame: pl.DataFrame, leave_out: Collection[str] = ()) -> list[str]:
    """Names of the columns of numbers or truth values, in order."""
    return [
        name
        for name, kind in frame.schema.items()
        if (kind.is_numeric() or kind == pl.Boolean) and name not in leave_out
    ]


def _lone_vector(frame: pl.DataFrame, signature: Signature) -> Field | None:
    if len(signature.inputs) != 1:
        return None
    field = signature.inputs[0]
    return field if len(field.shape) == 1 and field.name not in frame.columns else None


def _stack(frame: pl.DataFrame, field: Field, leave_out: Collection[str]) -> np.ndarray:
    names = numeric_columns(frame, leave_out)
    if field.shape[0] not in (-1, len(names)):
        raise InvalidInput(
            f"the model's input '{field.name}' takes {field.shape[0]} numbers a row",
            got=f"{len(names)} numeric columns: {', '.join(names[:_SHOWN])}",
            fix="keep exactly the model's columns, in its order, beside target, time and key",
        )
    scalar = Field(name=field.name, datatype=field.datatype, nullable=field.nullable)
    return np.column_stack([_array(frame[name], scalar) for name in names])


def _array(series: pl.Series, field: Field) -> np.ndarray:
    if field.shape:
        return _vectors(series, field)
    if field.datatype is DataType.BYTES:
        return _text(series)
    if field.datatype is DataType.BOOL or field.datatype in _WHOLE:
        return _whole(series, field)
    return _number(series, field).fill_null(float("nan")).to_numpy().astype(NUMPY_TYPES[field.datatype])


def _text(series: pl.Series) -> np.ndarray:
    if series.dtype.is_temporal():
        series = series.dt.to_string("iso")
    values = np.empty(len(series), dtype=object)
    values[:] = series.cast(pl.String).to_list()
    return values


def _whole(series: pl.Series, field: Field) -> np.ndarray:
    numbers = _number(series, field)
    missing = int((numbers.is_null() | numbers.is_nan().fill_null(False)).sum())
    if missing:
        raise InvalidInput(
            f"column '{series.name}' misses values and its type {field.datatype} has no missing value",
            got=f"{missing} of {len(series)} rows",
            fix="fill them, or train the model with this column as FP64",
        )
    exact = series.to_numpy() if series.dtype.is_integer() else numbers.to_numpy()
    kind = np.dtype(NUMPY_TYPES[field.datatype])
    array = exact.astype(kind)
    wrong = np.flatnonzero(array.astype(exact.dtype) != exact)
    if len(wrong):
        raise InvalidInput(
            f"column '{series.name}' holds a value that {field.datatype} cannot hold",
            got=f"{exact[wrong[0]]} in row {wrong[0] + 1}",
        )
    return array


def _number(series: pl.Series, field: Field) -> pl.Series:
    """The column as Float64, or an InvalidInput that shows the first value that is no number."""
    numbers = (
        series.cast(pl.Float64, strict=False) if not series.dtype.is_nested() else series.clear(len(series))
    )
    bad = (numbers.is_null() & series.is_not_null()).arg_true()
    if len(bad):
        raise InvalidInput(
            f"column '{series.name}' must hold numbers ({field.datatype})",
            got=f"{str(series[bad[0]])[:60]!r} in row {bad[0] + 1}",
        )
    return numbers


def _vectors(series: pl.Series, field: Field) -> np.ndarray:
    if not isinstance(series.dtype, pl.List | pl.Array):
        raise InvalidInput(
            f"column '{series.name}' must hold lists of shape {list(field.shape)}", got=series.dtype
        )
    try:
        array = np.array(series.to_list(), dtype=NUMPY_TYPES[field.datatype])
    except (ValueError, TypeError) as error:
        raise InvalidInput(
            f"column '{series.name}' must hold lists of shape {list(field.shape)} of numbers", got=str(error)
        ) from error
    if len(array.shape) != len(field.shape) + 1 or any(
        want not in (-1, have) for want, have in zip(field.shape, array.shape[1:], strict=True)
    ):
        raise InvalidInput(
            f"column '{series.name}' must hold lists of shape {list(field.shape)}", got=list(array.shape[1:])
        )
    return array


def _field(series: pl.Series) -> Field:
    kind, missing = series.dtype, bool(series.is_null().any())
    if kind == pl.Boolean and not missing:
        return Field(name=series.name, datatype=DataType.BOOL)
    if kind.is_integer() and not missing:
        return Field(name=series.name, datatype=DataType.INT64)
    if kind.is_numeric() or kind == pl.Boolean:
        exact = kind == pl.Float32
        missing = missing or bool(series.cast(pl.Float64).is_nan().any())
        return Field(name=series.name, datatype=DataType.FP32 if exact else DataType.FP64, nullable=missing)
    if isinstance(kind, pl.List | pl.Array):
        return _vector_field(series)
    text = _text(series)
    values = sorted({value for value in text if value is not None})
    return Field(
        name=series.name,
        datatype=DataType.BYTES,
        nullable=missing,
        categories=tuple(values) if 0 < len(values) <= CATEGORY_LIMIT else None,
    )


def _vector_field(series: pl.Series) -> Field:
    lengths = {len(value) if value is not None else -1 for value in series.to_list()}
    array = np.array(series.to_list()) if len(lengths) == 1 else np.empty(0)
    if array.ndim < 2 or array.dtype.kind not in "iufb":
        raise InvalidInput(
            f"column '{series.name}' holds lists that are not all numbers of one length",
            got=series.dtype,
            fix="use one column a value, or lists of one length",
        )
    kind = DataType.INT64 if array.dtype.kind in "iub" else DataType.FP64
    return Field(name=series.name, datatype=kind, shape=array.shape[1:])
