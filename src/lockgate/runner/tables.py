"""From columns to what a model's own library takes: a matrix, a list of texts, or a pandas frame with names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .columns import Columns


def pandas_or_none() -> Any:
    """pandas, when the model's environment has it."""
    try:
        import pandas
    except ImportError:
        return None
    return pandas


def ordered(columns: Columns, names: Sequence[str]) -> Columns:
    """The columns of these names in this order; all of them when no names are given."""
    return {name: columns[name] for name in names} if names else columns


def matrix(columns: Columns) -> np.ndarray:
    """Columns side by side, n rows: numbers in their common type, objects as soon as one holds text."""
    arrays = list(columns.values())
    if len(arrays) == 1 and arrays[0].ndim > 1:
        return arrays[0]
    if any(array.dtype.kind == "O" for array in arrays):
        rows = np.empty((len(arrays[0]), len(arrays)), dtype=object)
        for place, array in enumerate(arrays):
            rows[:, place] = _without_none(array) if array.dtype.kind == "O" else array
        return rows
    return np.stack(arrays).T


def frame(
    pandas: Any,
    columns: Columns,
    names: Sequence[str] | None = None,
    categories: dict[str, list[Any]] | None = None,
) -> Any:
    """Columns as a pandas frame. `names`: for the columns of a lone vector input. `categories`: of categorical columns."""
    arrays = list(columns.values())
    if len(arrays) == 1 and arrays[0].ndim == 2:
        return pandas.DataFrame(arrays[0], columns=list(names) if names is not None else None, copy=False)
    series = {}
    for name, array in columns.items():
        values = _without_none(array) if array.dtype.kind == "O" else array
        if categories and name in categories:
            values = pandas.Categorical(values, categories=categories[name])
        series[name] = values
    return pandas.DataFrame(series, copy=False)


def _without_none(array: np.ndarray) -> np.ndarray:
    """Missing text as NaN, as read_csv gives it: encoders tell NaN from None."""
    missing = np.array([value is None for value in array.ravel()], dtype=bool).reshape(array.shape)
    if not missing.any():
        return array
    filled = array.copy()
    filled[missing] = np.nan
    return filled
