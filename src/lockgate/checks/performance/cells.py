"""Part of the performance check: columns cut into few cells, and the ranges of cells that a slice may be.

A number is cut at quantiles, and any run of neighbouring cells is a range; a category is a cell, rare ones share one, and
missing is a cell of its own. Two columns together make rectangles, summed for all at once by two small matrix products.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.datasets.slices import edge_labels

BINS = 8
FEW_VALUES = 12  # a number with at most that many values has a cell for each
CATEGORIES = 15  # further ones, by size, share a cell
_SPREAD = 0.5  # text with more distinct values than that share of the rows names rows, not groups


@dataclass(frozen=True, eq=False)
class Cells:
    """One column: `codes` (n,) is each row's cell, `ranges` (ranges, cells) is 1 where a range holds a cell."""

    column: str
    codes: np.ndarray
    ranges: np.ndarray
    names: tuple[str, ...]

    @property
    def count(self) -> int:
        """How many cells there are."""
        return int(self.ranges.shape[1])

    def holds(self, place: int) -> np.ndarray:
        """Which rows lie in a range, shape (n,)."""
        inside: np.ndarray = self.ranges[place][self.codes] > 0
        return inside


def cells_of(frame: pl.DataFrame, columns: Sequence[str]) -> list[Cells]:
    """The cells of each column that can be cut: not nested, more than one cell, not as many texts as rows."""
    found = [_cut(frame[column]) for column in dict.fromkeys(columns) if column in frame.columns]
    return [each for each in found if each is not None and each.count > 1]


def _cut(series: pl.Series) -> Cells | None:
    if series.dtype.is_nested() or series.dtype in (pl.Object, pl.Binary) or len(series) == 0:
        return None
    if series.dtype.is_float():
        series = series.fill_nan(None)
    distinct = series.drop_nulls().n_unique()
    if series.dtype.is_numeric() or series.dtype.is_temporal():
        return _cut_number(series, distinct)
    return _cut_text(series.cast(pl.String), distinct)


def _cut_number(series: pl.Series, distinct: int) -> Cells | None:
    shown = series.to_physical() if series.dtype.is_temporal() else series
    numbers = shown.cast(pl.Float64).to_numpy()
    there = np.isfinite(numbers)
    if not there.any():
        return None
    edges = np.unique(numbers[there]) if distinct <= FEW_VALUES else np.unique(
        np.quantile(numbers[there], np.linspace(0, 1, BINS + 1), method="lower"))[:-1]  # fmt: skip
    codes = np.searchsorted(edges, np.where(there, numbers, edges[0]), side="right") - 1
    last = float(numbers[there].max())
    starts = edge_labels(series, np.array([*edges, last]))
    ranges, names = _runs(len(edges), starts, whole=distinct <= FEW_VALUES)
    if not there.all():
        codes = np.where(there, codes, len(edges))
        ranges, names = _with_missing(ranges), [*names, "missing"]
    return Cells(series.name, codes, ranges, tuple(f"{series.name} {_joined(name)}" for name in names))


def _runs(count: int, starts: list[str], *, whole: bool) -> tuple[np.ndarray, list[str]]:
    """All runs of neighbouring cells but the one of all cells. `whole`: a cell is one value."""
    rows, names = [], []
    for first in range(count):
        for last in range(first, count):
            if last - first == count - 1 > 0:
                continue
            rows.append((np.arange(count) >= first) & (np.arange(count) <= last))
            names.append(_range_name(first, last, count, starts, whole))
    return np.array(rows, dtype=float), names


def _range_name(first: int, last: int, count: int, starts: list[str], whole: bool) -> str:
    if whole:
        return starts[first] if first == last else f"{starts[first]} to {starts[last]}"
    if first == 0:
        return f"< {starts[last + 1]}"
    return f">= {starts[first]}" if last == count - 1 else f"{starts[first]} to {starts[last + 1]}"


def _cut_text(series: pl.Series, distinct: int) -> Cells | None:
    if distinct > CATEGORIES and distinct > _SPREAD * len(series):
        return None
    counts = series.drop_nulls().value_counts().sort(["count", series.name], descending=[True, False])
    kept = counts[series.name].to_list()[:CATEGORIES]
    place = {name: float(number) for number, name in enumerate(kept)}
    names = [*kept, "another value"] if distinct > len(kept) else list(kept)
    codes = series.replace_strict(place, default=float(len(kept)), return_dtype=pl.Float64)
    missing = series.is_null().to_numpy()
    numbers = codes.to_numpy().astype(np.int64)
    if missing.any():
        numbers = np.where(missing, len(names), numbers)
        names.append("missing")
    return Cells(series.name, numbers, np.eye(len(names)), tuple(f"{series.name} {_joined(name)}" for name in names))  # fmt: skip


def _with_missing(ranges: np.ndarray) -> np.ndarray:
    wider = np.zeros((ranges.shape[0] + 1, ranges.shape[1] + 1))
    wider[:-1, :-1], wider[-1, -1] = ranges, 1.0
    return wider


def _joined(name: str) -> str:
    """With its sign: `= a`, `< 3`, `missing`."""
    if name in ("missing",) or name.startswith(("< ", ">= ")):
        return name
    return f"= {name}"
