"""Named parts of a table: one per category, one per range of a number, one for "missing"."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import polars as pl

from lockgate.errors import InvalidInput

BINS = 4
FEW_VALUES = 10  # a number with at most that many values is sliced by value
CATEGORY_SLICES = 20  # further categories, by size, go into "other"
MISSING = "missing"
OTHER = "other"


@dataclass(frozen=True, eq=False)
class Slice:
    """Rows of a table that share a value or range of one column. `mask`: n truth values."""

    column: str
    label: str
    mask: np.ndarray

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return int(self.mask.sum())

    @property
    def name(self) -> str:
        """For people: `salary_range = 40K - 60K`."""
        return f"{self.column} = {self.label}"


def slices_of(
    frame: pl.DataFrame, columns: Iterable[str], *, min_rows: int = 1, bins: int = BINS
) -> list[Slice]:
    """The slices of each column, largest first within a column; those under `min_rows` rows are left out.

    Text, truth values and numbers of few values give a slice a value; other numbers give `bins` ranges of about equal
    numbers of rows. Raises InvalidInput for a column that the table lacks.
    """
    found: list[Slice] = []
    for column in columns:
        if column not in frame.columns:
            raise InvalidInput(f"there is no column '{column}' to slice by", allowed=", ".join(frame.columns))
        found += [part for part in _slices(frame[column], bins) if part.rows >= min_rows]
    return found


def _slices(series: pl.Series, bins: int) -> list[Slice]:
    if series.dtype.is_nested():
        raise InvalidInput(f"column '{series.name}' holds lists and cannot be sliced", got=series.dtype)
    if series.dtype.is_float():
        series = series.fill_nan(None)
    if series.dtype.is_temporal() or (
        series.dtype.is_numeric() and series.drop_nulls().n_unique() > FEW_VALUES
    ):
        parts = _ranges(series, bins)
    else:
        parts = _values(series)
    missing = series.is_null().to_numpy()
    return [*parts, Slice(series.name, MISSING, missing)] if missing.any() else parts


def _values(series: pl.Series) -> list[Slice]:
    text = series.cast(pl.String)
    counts = text.drop_nulls().value_counts().sort(["count", series.name], descending=[True, False])
    labels = counts[series.name].to_list()
    kept, rest = labels[:CATEGORY_SLICES], labels[CATEGORY_SLICES:]
    parts = [Slice(series.name, label, _filled(text == label)) for label in kept]
    return [*parts, Slice(series.name, OTHER, _filled(text.is_in(rest)))] if rest else parts


def _ranges(series: pl.Series, bins: int) -> list[Slice]:
    numbers = (series.to_physical() if series.dtype.is_temporal() else series).cast(pl.Float64).to_numpy()
    there = np.isfinite(numbers)
    if not there.any():
        return []
    edges = np.unique(np.quantile(numbers[there], np.linspace(0, 1, bins + 1)))
    labels = edge_labels(series, edges)
    parts = []
    for place, (low, high) in enumerate(pairwise(edges)):
        last = place == len(edges) - 2
        mask = there & (numbers >= low) & ((numbers <= high) if last else (numbers < high))
        parts.append(Slice(series.name, f"{labels[place]} to {labels[place + 1]}", mask))
    return parts


def edge_labels(series: pl.Series, edges: np.ndarray) -> list[str]:
    """Values of a column of numbers or times (as its physical numbers) for people: four digits, or whole from 10,000 on."""
    if series.dtype.is_temporal():
        return [str(value) for value in pl.Series(edges.astype(np.int64)).cast(series.dtype).to_list()]
    return [f"{edge:.4g}" if abs(edge) < 1e4 else f"{edge:,.0f}" for edge in edges]


def _filled(mask: pl.Series) -> np.ndarray:
    return mask.fill_null(False).to_numpy()
