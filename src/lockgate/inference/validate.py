"""Do columns fit a signature? Inputs: an error that names the field. Outputs: a reason, for the fallback and the log."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Answer
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature

SUM_TOLERANCE = 1e-3  # float32 soft-max over many classes strays by about 1e-5; a wrong graph by far more
RANGE_TOLERANCE = 1e-6
DTYPES = {name: np.dtype(kind) for name, kind in NUMPY_TYPES.items()}


def check_inputs(signature: Signature, columns: Mapping[str, np.ndarray]) -> int:
    """The number of rows, when every required field is there with its type and shape; other columns are ignored.

    Raises InvalidInput that names the field only (never the whole signature).
    """
    rows: int | None = None
    for field in signature.inputs:
        array = columns.get(field.name)
        if array is None:
            if field.required:
                raise InvalidInput(
                    f"the input '{field.name}' is missing", fix=f"send '{field.name}' with every row"
                )
            continue
        _check_field(field, array)
        if rows is not None and len(array) != rows:
            raise InvalidInput(
                f"the input '{field.name}' has another number of rows than the others",
                got=len(array),
                allowed=rows,
            )
        rows = len(array)
    if rows is None:
        raise InvalidInput("no input of this model was sent", fix="send at least one row")
    return rows


def check_outputs(
    signature: Signature, columns: Mapping[str, np.ndarray], rows: int, answer: Answer | None = None
) -> str | None:
    """Why an answer must not be given to anyone, or None when it may.

    Looks for missing outputs, another number of rows, another shape, NaN and infinity; with `answer` also for
    probabilities outside 0..1 or not summing to 1, and for classes that the model never learned.
    """
    for field in signature.outputs:
        array = columns.get(field.name)
        if array is None:
            return f"the output '{field.name}' is missing"
        if array.ndim == 0 or len(array) != rows:
            return f"the output '{field.name}' has {len(array) if array.ndim else 0} rows for {rows} rows of input"
        if not _shape_fits(field.shape, array.shape[1:]):
            return f"the output '{field.name}' has shape {list(array.shape[1:])} per row, not {list(field.shape)}"
        if array.dtype.kind == "f" and not field.nullable and not np.isfinite(array).all():
            return f"the output '{field.name}' holds NaN or infinity"
    return _check_answer(answer, columns) if answer is not None else None


def _check_answer(answer: Answer, columns: Mapping[str, np.ndarray]) -> str | None:
    if answer.probability and answer.probability in columns:
        probability = columns[answer.probability]
        if probability.size and (
            probability.min() < -RANGE_TOLERANCE or probability.max() > 1 + RANGE_TOLERANCE
        ):
            return f"the output '{answer.probability}' lies outside 0..1"
        if probability.ndim == 2 and probability.shape[1] > 1:
            off = np.abs(probability.sum(axis=1, dtype=np.float64) - 1).max(initial=0.0)
            if off > SUM_TOLERANCE:
                return f"the output '{answer.probability}' does not sum to 1 in every row (off by {off:.3g})"
    prediction = columns.get(answer.prediction)
    if answer.classes is not None and prediction is not None and prediction.ndim == 1:
        allowed = set(answer.classes)
        unknown = next((value for value in prediction.tolist() if value not in allowed), None)
        if unknown is not None:
            return f"the output '{answer.prediction}' holds a class that the model does not know: {unknown!r}"
    return None


def _check_field(field: Field, array: np.ndarray) -> None:
    if array.ndim == 0 or not _shape_fits(field.shape, array.shape[1:]):
        raise InvalidInput(
            f"the input '{field.name}' has another shape",
            got=list(array.shape),
            allowed=["rows", *field.shape],
        )
    if field.datatype is DataType.BYTES:
        _check_text(field, array)
    elif array.dtype != DTYPES[field.datatype]:
        raise InvalidInput(
            f"the input '{field.name}' has another type", got=array.dtype.name, allowed=field.datatype.value
        )
    elif not field.nullable and array.dtype.kind == "f" and np.isnan(array).any():
        raise InvalidInput(
            f"the input '{field.name}' holds a missing value (NaN or null)", fix="send a number"
        )


def _check_text(field: Field, array: np.ndarray) -> None:
    if array.dtype.kind not in "OU":
        raise InvalidInput(f"the input '{field.name}' must be text", got=array.dtype.name, allowed="BYTES")
    for value in array.ravel().tolist():
        if value is None and not field.nullable:
            raise InvalidInput(f"the input '{field.name}' holds a missing value (null)", fix="send a text")
        if value is not None and not isinstance(value, str):
            raise InvalidInput(
                f"the input '{field.name}' must be text", got=type(value).__name__, allowed="BYTES"
            )


def _shape_fits(wanted: tuple[int, ...], got: tuple[int, ...]) -> bool:
    return wanted == got or (
        len(wanted) == len(got) and all(w in (-1, g) for w, g in zip(wanted, got, strict=True))
    )
