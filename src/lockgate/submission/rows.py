"""The rows that a draft is asked with: submitted ones, MLflow's input example, or a row of zeros."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from lockgate.datasets.columns import columns_from
from lockgate.errors import InvalidInput
from lockgate.registry.example import Columns
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature

NO_DATA = "no data were submitted, so parity could not be proven: submit again with --train rows.parquet"
# one black pixel, for a model of pictures that nobody gave any
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mNgAAAAAgAB5Sfe/AAAAABJRU5ErkJggg=="
FEWEST_ROWS = 10  # of MLflow's example: with fewer, shuffling the columns makes nothing new


def rows_for(
    signature: Signature,
    frames: dict[str, pl.DataFrame],
    example: pl.DataFrame | None,
    *,
    leave_out: Collection[str] = (),
) -> tuple[Columns, str | None]:
    """n >= 1 rows of the signature's inputs, and why nothing can be proven on them (None: it can).

    Submitted data count; else the example that MLflow kept, when it fits and is no mere sketch. Raises InvalidInput when
    submitted data do not fit.
    """
    given = _submitted(frames, signature, leave_out)
    if given is not None:
        return given, None
    if example is None:
        return _blank(signature.inputs), NO_DATA
    try:
        rows = columns_from(example, signature, leave_out=leave_out)
    except InvalidInput as error:
        return _blank(signature.inputs), f"{NO_DATA} (MLflow's input example does not fit: {error.what})"
    if example.height < FEWEST_ROWS:
        return (
            rows,
            f"{NO_DATA} (MLflow's input example holds {example.height} rows; {FEWEST_ROWS} are the fewest)",
        )
    return rows, None


def _submitted(
    frames: dict[str, pl.DataFrame], signature: Signature, leave_out: Collection[str]
) -> Columns | None:
    """Real rows for the model: those of the first data set that is there, in a fixed random order."""
    frame = next((frames[name] for name in ("train", "validation", "test") if name in frames), None)
    if frame is None:
        return None
    columns = columns_from(frame, signature, leave_out=leave_out)
    order = np.random.default_rng(0).permutation(frame.height)
    return {name: array[order] for name, array in columns.items()}


def _blank(inputs: tuple[Field, ...]) -> Columns:
    """One row of zeros and empty texts, when there are no data."""
    return {
        field.name: np.full(
            (1, *(max(1, size) for size in field.shape)), DOT if field.media else "", dtype=object
        )
        if field.datatype is DataType.BYTES
        else np.zeros((1, *(max(1, size) for size in field.shape)), dtype=NUMPY_TYPES[field.datatype])
        for field in inputs
    }
