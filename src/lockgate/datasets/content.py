"""The digest of a table: over names, types and values, not over a file's bytes.

So the same table has the same name whether it came as CSV or Parquet, in one chunk or in many, and whatever the
version of the library that wrote it.
"""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from lockgate.datasets.pieces import Table, table_of

DIGEST_FORMAT = "lockgate-table-1"
CHUNK_BYTES = 1 << 22


def digest_of_frame(frame: pl.DataFrame) -> str:
    """`sha256:...` over names, types and values, column by column, rows in their order.

    Per column: one bit a row for "there", then the values (fixed width little-endian; text as lengths and UTF-8).
    """
    return digest_of_table(table_of(frame))


def digest_of_parquet(path: Path) -> str:
    """The same of the table in a Parquet file, which is never whole in memory."""
    return digest_of_table(table_of(path))


def digest_of_table(table: Table) -> str:
    """The same of a table piece by piece; pieces are of a multiple of eight rows, but the last."""
    state = sha256()
    header = [DIGEST_FORMAT, table.rows, [[name, _kind(kind)] for name, kind in table.schema.items()]]
    state.update(msgspec.json.encode(header))
    for name, kind in table.schema.items():
        for series in table.column(name):
            state.update(np.packbits(series.is_not_null().to_numpy()).tobytes())
        for place in range(2 if _has_lengths(kind) else 1):
            for series in table.column(name):
                state.update(_parts(series)[place])
    return "sha256:" + state.hexdigest()


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's bytes, 64 hex digits, read a piece at a time."""
    state = sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            state.update(chunk)
    return state.hexdigest()


def _has_lengths(kind: pl.DataType) -> bool:
    """Whether values are written as all lengths and then all bytes."""
    text = (pl.String, pl.Categorical, pl.Enum, pl.Decimal, pl.Binary, pl.Null, pl.Object)
    return kind.is_nested() or isinstance(kind, text)


def _kind(kind: pl.DataType) -> str:
    """The type's name; categories count as the text that they stand for."""
    return "String" if isinstance(kind, pl.Categorical | pl.Enum) else str(kind)


def _parts(series: pl.Series) -> list[bytes]:
    if series.dtype.is_nested():
        series = pl.Series(
            values=[msgspec.json.encode(_plain(value)).decode() for value in series.to_list()],
            dtype=pl.String,
        )
    if isinstance(series.dtype, pl.Categorical | pl.Enum | pl.Decimal):
        series = series.cast(pl.String)
    if series.dtype == pl.Binary:
        blobs = [value or b"" for value in series.to_list()]
        return [np.array([len(blob) for blob in blobs], dtype="<u4").tobytes(), b"".join(blobs)]
    if series.dtype in (pl.String, pl.Null, pl.Object):
        text = series.cast(pl.String).fill_null("")
        return [text.str.len_bytes().to_numpy().astype("<u4").tobytes(), "".join(text.to_list()).encode()]
    if series.dtype == pl.Boolean:
        return [np.packbits(series.fill_null(False).to_numpy()).tobytes()]
    values = series.to_physical().fill_null(0).to_numpy()
    if values.dtype.kind == "f":
        values = np.where(np.isnan(values), np.array(np.nan, dtype=values.dtype), values)  # one NaN, not many
    return [np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).tobytes()]


def _plain(value: Any) -> Any:
    """A nested value in lists and dicts, so that it encodes."""
    if isinstance(value, pl.Series):
        return [_plain(item) for item in value.to_list()]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value
