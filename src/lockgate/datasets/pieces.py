"""A table piece by piece, so that one of any length takes the memory of a piece: a frame, or a Parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

ROWS_AT_ONCE = (
    250_000  # with 60 columns of floats 120 MB; a multiple of 8, since digests pack truth values by bytes
)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows that are in memory (`source` a frame), or in a Parquet file that is never whole in memory (`source` its path)."""

    schema: dict[str, pl.DataType]
    rows: int
    source: pl.DataFrame | Path

    @property
    def columns(self) -> list[str]:
        """Their names, in order."""
        return list(self.schema)

    def pieces(self, names: Iterable[str] | None = None) -> Iterator[pl.DataFrame]:
        """All rows in order; all columns, or those named. A frame is one piece."""
        wanted = None if names is None else list(names)
        if isinstance(self.source, Path):
            yield from pieces_of(self.source, wanted)
        else:
            yield self.source if wanted is None else self.source.select(wanted)

    def column(self, name: str) -> Iterator[pl.Series]:
        """One column, piece by piece."""
        return (piece[name] for piece in self.pieces([name]))

    def whole(self) -> pl.DataFrame:
        """All rows in memory."""
        return pl.read_parquet(self.source, glob=False) if isinstance(self.source, Path) else self.source

    def slice(self, start: int, rows: int) -> pl.DataFrame:
        """Some rows in a row, the first of them counted from 0."""
        return (
            slice_of(self.source, start, rows)
            if isinstance(self.source, Path)
            else self.source.slice(start, rows)
        )

    def drawn(self, most: int, seed: int = 0) -> pl.DataFrame:
        """All rows, or `most` of them in their order, drawn without replacement."""
        if self.rows <= most:
            return self.whole()
        rows = np.sort(np.random.default_rng(seed).choice(self.rows, most, replace=False))
        return rows_at(self.source, rows) if isinstance(self.source, Path) else self.source[rows]


def table_of(given: pl.DataFrame | Path | Table) -> Table:
    """A frame, or a Parquet file, as a table of pieces."""
    if isinstance(given, Table):
        return given
    if isinstance(given, Path):
        return Table(dict(pl.read_parquet_schema(given)), rows_of(given), given)
    return Table(dict(given.schema), given.height, given)


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
