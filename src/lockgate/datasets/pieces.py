"""A Parquet file piece by piece, so that a table of any length takes the memory of a piece."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import polars as pl

ROWS_AT_ONCE = (
    250_000  # with 60 columns of floats 120 MB; a multiple of 8, since digests pack truth values by bytes
)


def rows_of(path: Path) -> int:
    """How many rows the file says it has."""
    return int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())


def slice_of(path: Path, start: int, rows: int, names: Iterable[str] | None = None) -> pl.DataFrame:
    """Some rows in a row; all columns, or those named."""
    lazy = pl.scan_parquet(path, glob=False).slice(start, rows)
    return (lazy if names is None else lazy.select(list(names))).collect()


def pieces_of(path: Path, names: Iterable[str] | None = None) -> Iterator[pl.DataFrame]:
    """All rows in order; all columns, or those named."""
    wanted = None if names is None else list(names)
    for start in range(0, rows_of(path), ROWS_AT_ONCE):
        yield slice_of(path, start, ROWS_AT_ONCE, wanted)


def rows_at(path: Path, rows: np.ndarray) -> pl.DataFrame:
    """The rows of these numbers (ascending, from 0)."""
    found, start = [], 0
    for piece in pieces_of(path):
        first, end = np.searchsorted(rows, (start, start + piece.height))
        found.append(piece[rows[first:end] - start])
        start += piece.height
    return pl.concat(found) if found else pl.read_parquet(path, n_rows=0)
