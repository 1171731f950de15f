"""Tables as numbers, for the simple models that several checks train beside a version.

`reader_of(...).read(...)`: finite, of mean 0 and spread 1, for models of every kind. `ranked_matrix`: as it stands, with holes,
for trees.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from lockgate.checks.identifiers import looks_like_identifier, nearly_all_differ
from lockgate.checks.values import numbers_of, times_of

_CATEGORIES = 20  # so many become a column each; of text with more only _FREQUENT, and the rank of how often it stands there
_FREQUENT = 10
_LARGEST = 1e30
_MISSING = 0.01  # of the rows: less than that missing tells nothing
_TAIL = 0.001  # one monstrous value does not flatten the others
_FAR = 10.0  # spreads, beyond which rows of another table are drawn in

Columns = Callable[[pl.Series], np.ndarray]  # one input of n rows as numbers (n, k)


@dataclass(frozen=True)
class Reader:
    """Reads tables by what one table held. `columns`: for each input how; `width`: numbers a row."""

    columns: dict[str, Columns]
    width: int

    def read(self, frame: pl.DataFrame) -> np.ndarray:
        """A table as finite floats, shape (n, width); it must have the inputs."""
        if not self.columns:
            return np.empty((frame.height, 0))
        return np.column_stack([read(frame[name]) for name, read in self.columns.items()])


@dataclass(frozen=True, eq=False)
class Matrix:
    """Two tables as floats, shape (n, k) and (m, k), read by what the training rows hold."""

    train: np.ndarray
    test: np.ndarray


def matrix_of(train: pl.DataFrame, test: pl.DataFrame, inputs: Sequence[str]) -> Matrix | None:
    """Both tables as `reader_of` the first reads them; None where no input can be read."""
    reader = reader_of(train, [name for name in inputs if name in train.columns and name in test.columns])
    return Matrix(reader.read(train), reader.read(test)) if reader.width else None


def reader_of(frame: pl.DataFrame, inputs: Sequence[str]) -> Reader:
    """How to read these inputs by the rows of this table.

    Categories become a column of 0 and 1 each, many of them a rank too; numbers and times are centred and scaled; what is
    missing takes the middle and, where there is more of it than a hundredth, has a column of its own. Identifiers, constants,
    free text (nearly every value its own) and nested columns are left out.
    """
    columns: dict[str, Columns] = {}
    for name in inputs:
        series = frame[name]
        odd = series.dtype.is_nested() or series.dtype in {pl.Time, pl.Object, pl.Binary}
        if odd or looks_like_identifier(series):
            continue
        text = series.dtype in {pl.String, pl.Categorical, pl.Enum}
        if text and nearly_all_differ(series):
            continue
        read = _categories(series) if text else _number(series)
        if read is not None:
            columns[name] = read
    one = frame.head(1)
    return Reader(columns, sum(read(one[name]).shape[1] for name, read in columns.items()))


def ranked_matrix(frame: pl.DataFrame, inputs: Sequence[str]) -> np.ndarray:
    """The inputs as floats, shape (n, k): text by the rank of how often it stands there, NaN where nothing is."""
    columns = []
    for series in (frame[name] for name in inputs if name in frame.columns):
        if series.dtype in {pl.String, pl.Categorical}:
            columns.append(_ranks(series, _places(series)))
        elif not series.dtype.is_nested():
            columns.append(_floats(series))
    return np.column_stack(columns) if columns else np.empty((frame.height, 0))


def _floats(series: pl.Series) -> np.ndarray:
    """Numbers, times in seconds; NaN where missing, infinite or monstrous."""
    timed = series.dtype.is_temporal() and series.dtype != pl.Time
    values = times_of(series) if timed else numbers_of(series)
    return np.where(np.abs(values) < _LARGEST, values, np.nan)


@dataclass(frozen=True)
class _Number:
    """Reads a number or a time: drawn in between `low` and `high`, then in spreads from the middle. `holed`: with a column that
    says what is missing."""

    low: float
    high: float
    middle: float
    spread: float
    holed: bool

    def __call__(self, series: pl.Series) -> np.ndarray:
        values = _floats(series)
        there = np.isfinite(values)
        drawn = np.where(there, values, self.middle).clip(self.low, self.high)
        scaled = ((drawn - self.middle) / self.spread).clip(-_FAR, _FAR)
        return np.column_stack([scaled, ~there] if self.holed else [scaled]).astype(float)


def _number(series: pl.Series) -> Columns | None:
    values = _floats(series)
    there = values[np.isfinite(values)]
    holed = there.size < (1 - _MISSING) * values.size
    if not there.size or not (np.ptp(there) or holed):
        return None
    low, high = np.quantile(there, (_TAIL, 1 - _TAIL))
    low, high = (low, high) if high > low else (there.min(), there.max())
    drawn = there.clip(low, high)
    return _Number(float(low), float(high), float(drawn.mean()), float(drawn.std()) or 1.0, holed)


def _categories(series: pl.Series) -> Columns | None:
    places = _places(series)
    if len(places) + bool(series.null_count()) < 2:
        return None
    kept = list(places)[: _CATEGORIES if len(places) <= _CATEGORIES else _FREQUENT]
    return partial(_coded, kept, places if len(places) > _CATEGORIES else {})


def _coded(kept: list[str], places: dict[str, int], series: pl.Series) -> np.ndarray:
    text = series.cast(pl.String)
    columns = [(text == value).fill_null(False).to_numpy().astype(float) for value in kept]
    if places:
        ranks = _ranks(text, places)
        middle = (len(places) - 1) / 2
        columns.append((np.nan_to_num(ranks, nan=middle) - middle) / (len(places) / 12**0.5))
    return np.column_stack(columns)


def _places(series: pl.Series) -> dict[str, int]:
    """Each text's place, the most frequent first."""
    counts = (
        series.cast(pl.String)
        .drop_nulls()
        .value_counts()
        .sort(["count", series.name], descending=[True, False])
    )
    return {value: place for place, value in enumerate(counts[series.name].to_list())}


def _ranks(series: pl.Series, places: dict[str, int]) -> np.ndarray:
    """Each row's place, NaN for what has none."""
    if not places:
        return np.full(len(series), np.nan)
    made = series.cast(pl.String).replace_strict(places, default=None, return_dtype=pl.Float64)
    return made.fill_null(float("nan")).to_numpy()
