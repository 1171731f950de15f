"""Part of the label check: a table as numbers that linear models, neighbours and trees can all read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.values import numbers_of, times_of

_CATEGORIES = 20  # more than that become the rank of how often they stand there
_LARGEST = 1e30


def matrix_of(frame: pl.DataFrame, inputs: Sequence[str]) -> np.ndarray:
    """The inputs as finite floats of mean 0 and spread 1, shape (n, k); k is 0 where no input can be used.

    Categories become a column each, or their rank; what is missing takes the median and, where there is more of it than a
    hundredth, a column of its own. Identifiers and nested columns are left out.
    """
    columns: list[np.ndarray] = []
    for name in inputs:
        series = frame[name]
        if series.dtype.is_nested() or series.dtype == pl.Time or looks_like_identifier(series):
            continue
        if series.dtype in {pl.String, pl.Categorical, pl.Enum}:
            columns += _categories(series.cast(pl.String))
        else:
            columns += _numbers(times_of(series) if series.dtype.is_temporal() else numbers_of(series))
    varied = [column for column in columns if column.std() > 0]
    if not varied:
        return np.empty((frame.height, 0))
    matrix = np.column_stack(varied)
    return np.asarray(np.clip((matrix - matrix.mean(axis=0)) / matrix.std(axis=0), -10, 10))


def _categories(series: pl.Series) -> list[np.ndarray]:
    counts = series.fill_null("").value_counts(sort=True)
    values = counts[series.name].to_list()
    if len(values) <= _CATEGORIES:
        return [(series.fill_null("") == value).to_numpy().astype(float) for value in values]
    place = dict(zip(values, range(len(values)), strict=True))
    return [np.array([place[value] for value in series.fill_null("").to_list()], dtype=float)]


def _numbers(values: np.ndarray) -> list[np.ndarray]:
    there = np.abs(values) < _LARGEST  # false for NaN as well
    if not there.any():
        return []
    filled = np.where(there, values, np.median(values[there]))
    low, high = np.quantile(filled, (0.001, 0.999))
    columns = [np.clip(filled, low, high)] if high > low else [filled]
    if (~there).mean() > 0.01:
        columns.append((~there).astype(float))
    return columns
