"""Tables too large to be held whole: a file of any length becomes a Parquet file of small groups of rows, and a part of its
rows stands for all of them. Memory is that of a piece.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from lockgate.datasets.columns import CATEGORY_LIMIT
from lockgate.datasets.dataset import MARK, SEPARATED, refuse_unlike
from lockgate.datasets.pieces import ROWS_AT_ONCE, pieces_of, rows_at, rows_of
from lockgate.errors import InvalidInput

LARGE_BYTES = 128 * 1024**2  # smaller files are read whole
LARGE_CELLS = 40_000_000  # Parquet packs well: so many numbers are 320 MB in memory
PARQUET = (".parquet", ".pq")
_VALUES = CATEGORY_LIMIT + 1  # of a column: with more it is no category, whatever they are


def is_large(path: Path, name: str) -> bool:
    """Whether a file is to be read in pieces; `name`: what its sender called it. What is no whole Parquet file is not."""
    kind = Path(name).suffix.lower()
    if kind in SEPARATED:
        return path.stat().st_size > LARGE_BYTES
    if kind not in PARQUET or not _is_parquet(path):
        return False
    return path.stat().st_size > LARGE_BYTES or _cells(path, name) > LARGE_CELLS


def rewritten(path: Path, name: str, into: Path) -> Path:
    """The same table as Parquet in groups of rows, at `into`. Raises InvalidInput for what `read_table` refuses."""
    kind = Path(name).suffix.lower()
    try:
        if kind in SEPARATED:
            with path.open(encoding="utf-8-sig", newline="") as lines:
                refuse_unlike(lines, name, SEPARATED[kind])
            table = pl.scan_csv(path, separator=SEPARATED[kind], infer_schema_length=None, glob=False)
        else:
            table = pl.scan_parquet(path, glob=False)
        table.sink_parquet(into, compression="zstd", statistics=False, row_group_size=ROWS_AT_ONCE)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name}: the text is not UTF-8", fix="save it as UTF-8, or as Parquet") from error
    except pl.exceptions.PolarsError as error:
        raise _unreadable(name, error) from error
    if not rows_of(into):
        raise InvalidInput(f"{name}: the table has a header and no rows")
    return into


def standing_for(path: Path, most: int, chance: np.random.Generator) -> pl.DataFrame:
    """`most` rows by chance, in their order, and with them rows that show what each column can hold: its least and largest
    number, a missing value, and each value of a column that has at most `CATEGORY_LIMIT`. Of a smaller table every row."""
    rows = rows_of(path)
    drawn = np.arange(rows) if rows <= most else chance.choice(rows, most, replace=False)
    return rows_at(path, np.union1d(drawn, _telling(path)).astype(np.int64))


@dataclass
class _Column:
    """What was seen of a column up to now: the rows that first showed something."""

    missing: int | None = None
    bounds: dict[int, tuple[float, int]] = field(default_factory=dict)
    values: dict[object, int] = field(default_factory=dict)

    def rows(self) -> list[int]:
        """All of them."""
        gap = [] if self.missing is None else [self.missing]
        return [*gap, *(row for _, row in self.bounds.values()), *self.values.values()]


def _telling(path: Path) -> np.ndarray:
    seen, start = {name: _Column() for name in pl.read_parquet_schema(path)}, 0
    for piece in pieces_of(path):
        for name, column in seen.items():
            _look(column, piece[name], start)
        start += piece.height
    return np.array(sorted({row for column in seen.values() for row in column.rows()}), dtype=np.int64)


def _look(seen: _Column, series: pl.Series, start: int) -> None:
    """What a piece of a column, whose first row has the number `start`, adds to what was seen of it."""
    if series.dtype.is_float():
        series = series.fill_nan(None)
    if seen.missing is None and series.null_count():
        seen.missing = start + int(series.is_null().arg_max() or 0)
    if series.dtype.is_numeric():
        _look_at_bounds(seen, series, start)
    if not (series.dtype.is_float() or series.dtype.is_nested() or len(seen.values) >= _VALUES):
        firsts = pl.DataFrame({"value": series, "row": np.arange(len(series))}).drop_nulls("value")
        firsts = firsts.group_by("value").agg(pl.col("row").min()).sort("row").head(2 * _VALUES)
        for value, row in firsts.iter_rows():
            if len(seen.values) < _VALUES:
                seen.values.setdefault(value, start + int(row))


def _look_at_bounds(seen: _Column, series: pl.Series, start: int) -> None:
    for sign, place in ((-1, series.arg_min()), (1, series.arg_max())):
        value = None if place is None else series[place]
        if place is not None and value is not None:
            before = seen.bounds.get(sign)
            if before is None or sign * (float(value) - before[0]) > 0:
                seen.bounds[sign] = (float(value), start + place)


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        if file.read(len(MARK)) != MARK or path.stat().st_size < 2 * len(MARK):
            return False
        file.seek(-len(MARK), 2)
        return file.read() == MARK


def _cells(path: Path, name: str) -> int:
    try:
        return rows_of(path) * len(pl.read_parquet_schema(path))
    except pl.exceptions.PolarsError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: Exception) -> InvalidInput:
    return InvalidInput(
        f"{name}: this cannot be read as {Path(name).suffix.lstrip('.')}",
        got=str(error).splitlines()[0][:200],
    )
