"""Tables as sketches: one pass over the rows, each column reduced to counts, in memory that does not grow with them.

A reference is sketched (`sketch_table`, `sketch_file`), later tables are counted over the same edges and names
(`count_table`, `count_file`), and `stats.drift` judges the two. Pieces of a table add up (`stats.sketch.merged`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path

import numpy as np
import polars as pl

from lockgate.datasets.pieces import pieces_of, rows_of, slice_of
from lockgate.errors import InvalidInput
from lockgate.stats.sketch import (
    TOP,
    NumberSketch,
    Sketch,
    count_numbers,
    count_words,
    merged,
    sketch_numbers,
    sketch_words,
)

_SAMPLE_PIECES, _SAMPLE_ROWS = 3, 50_000  # from all over a file, where its edges are laid


class Family(StrEnum):
    """What kind of values a column holds, as far as drift is concerned."""

    NUMBERS = "numbers"
    TRUTH = "true or false"
    WORDS = "text"
    TIMES = "times"
    NOTHING = "nothing"  # no value at all, so no type either
    OTHER = "lists or bytes"  # cannot be sketched


def family_of(series: pl.Series) -> Family:
    """A column's kind; one that holds no value tells none."""
    dtype = series.dtype
    if dtype == pl.Null or series.null_count() == len(series):
        return Family.NOTHING
    if dtype.is_numeric():
        return Family.NUMBERS
    if dtype == pl.Boolean:
        return Family.TRUTH
    if dtype.is_temporal():
        return Family.TIMES
    if dtype.is_nested() or dtype in (pl.Binary, pl.Object):
        return Family.OTHER
    return Family.WORDS


def can_sketch(frame: pl.DataFrame, name: str) -> bool:
    """Whether the table has such a column, of a kind that has a sketch."""
    return name in frame.columns and not (
        frame[name].dtype.is_nested() or frame[name].dtype in (pl.Binary, pl.Object)
    )


def sketch_table(frame: pl.DataFrame, names: Iterable[str] | None = None) -> dict[str, Sketch]:
    """A reference's columns; those that have no sketch are left out."""
    wanted = frame.columns if names is None else names
    return {name: sketch_column(frame[name]) for name in wanted if can_sketch(frame, name)}


def count_table(frame: pl.DataFrame, reference: Mapping[str, Sketch]) -> dict[str, Sketch]:
    """The same columns of another table, over the reference's edges and names; those that are gone are left out."""
    return {
        name: count_column(frame[name], known) for name, known in reference.items() if can_sketch(frame, name)
    }


def sketch_column(series: pl.Series) -> Sketch:
    """Numbers and times over their quantiles, anything else by value.

    With more values than can be named, every other row says which are named, and the rows between are counted: the most
    frequent of many rare values look more frequent than they are to the rows that chose them.
    """
    if _by_size(series.dtype):
        return sketch_numbers(numbers_in(series))
    counted, missing = _counted(series)
    if counted.height <= TOP:
        return sketch_words(_pairs(counted), missing)
    named = sketch_words(_pairs(_top(_counted(series.gather_every(2))[0])), 0)
    return count_column(series.gather_every(2, 1), named)


def count_column(series: pl.Series, reference: Sketch) -> Sketch:
    """A column over a reference's edges or names. Of text where numbers are expected, what reads as no number is missing."""
    if isinstance(reference, NumberSketch):
        return count_numbers(numbers_in(series), reference.edges)
    counted, missing = _counted(series)
    known = counted.filter(pl.col("value").is_in(list(reference.values)))
    return count_words(_pairs(known), missing, reference.values, rows=int(counted["count"].sum()))


def sketch_file(path: Path, names: Iterable[str] | None = None) -> dict[str, Sketch]:
    """A Parquet file's columns. Edges are laid at the quantiles of rows from all over the file; counts are of every row.

    Raises InvalidInput for a file without rows.
    """
    rows = rows_of(path)
    if rows == 0:
        raise InvalidInput("the file holds no rows to compare with", got=path.name)
    size = min(_SAMPLE_ROWS, -(-rows // _SAMPLE_PIECES))
    starts = np.unique(np.linspace(0, rows - size, _SAMPLE_PIECES).astype(int)).tolist()
    sample = pl.concat([slice_of(path, start, size, names) for start in starts])
    return count_file(path, sketch_table(sample, names))


def count_file(path: Path, reference: Mapping[str, Sketch]) -> dict[str, Sketch]:
    """A Parquet file's columns over the reference's edges and names, piece by piece."""
    found: dict[str, Sketch] = {}
    there = pl.read_parquet_schema(path)
    for piece in pieces_of(path, [name for name in reference if name in there]):
        for name, sketch in count_table(piece, reference).items():
            found[name] = merged(found[name], sketch) if name in found else sketch
    return found


def _by_size(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal()


def numbers_in(series: pl.Series) -> np.ndarray:
    """Floats, NaN where missing or no number; times in seconds or what they are stored in."""
    if isinstance(series.dtype, pl.Datetime | pl.Duration):
        series = series.dt.cast_time_unit("us").to_physical() / 1e6
    elif series.dtype.is_temporal():
        series = series.to_physical()
    values = series.cast(pl.Float64, strict=False)
    if values.null_count():
        values = values.fill_null(float("nan"))
    numbers: np.ndarray = values.to_numpy()
    return numbers


def _counted(series: pl.Series) -> tuple[pl.DataFrame, int]:
    """Rows by value (columns `value`, `count`), and how many are missing."""
    there = series.cast(pl.String, strict=False).drop_nulls().alias("value")
    return there.value_counts(), len(series) - len(there)


def _top(counted: pl.DataFrame) -> pl.DataFrame:
    return counted.sort(["count", "value"], descending=[True, False]).head(TOP)


def _pairs(counted: pl.DataFrame) -> list[tuple[str, int]]:
    return [(str(name), int(count)) for name, count in counted.iter_rows()]
