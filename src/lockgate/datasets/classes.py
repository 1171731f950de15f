"""Names of classes as text, so that labels and answers compare whatever their types and wherever they came from.

A label may come out of a CSV as `1.0`, out of a database as `true`, out of a program as `True`, and a model may say 1:
whole numbers lose their decimal point, and truth values are 1 and 0. Each value is read for itself, so a table of two rows
spells a class as a table of a million does.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lockgate.errors import InvalidInput

_WHOLE = r"^(-?\d+)\.0+$"
_TRUTH = {"true": "1", "True": "1", "TRUE": "1", "false": "0", "False": "0", "FALSE": "0"}
_EXACT = 2.0**53  # whole floats up to here are written in full


def class_texts(series: pl.Series) -> pl.Series:
    """A column's classes as text of the same length, null where one is missing. Raises InvalidInput for a column of lists.

    >>> class_texts(pl.Series([1.0, 2.5, None, float("nan")])).to_list()
    ['1', '2.5', None, None]
    >>> class_texts(pl.Series(["1.0", "True", "no"])).to_list()
    ['1', '1', 'no']
    """
    if series.dtype.is_nested():
        raise InvalidInput(f"column '{series.name}' holds lists, and a class is one value", got=series.dtype,
                           allowed="text, numbers or truth values")  # fmt: skip
    if series.dtype == pl.Boolean:
        return series.cast(pl.Int8).cast(pl.String)
    if series.dtype.is_float():
        numbers = series.cast(pl.Float64).fill_nan(None)
        whole = numbers.is_finite() & (numbers == numbers.round()) & (numbers.abs() <= _EXACT)
        short = numbers.cast(pl.Int64, strict=False).cast(pl.String)
        return short.zip_with(whole.fill_null(value=True), numbers.cast(pl.String))
    text = series.cast(pl.String)
    return text if series.dtype.is_integer() else text.str.replace(_WHOLE, "$1").replace(_TRUTH)


def class_names(values: pl.Series | np.ndarray) -> np.ndarray:
    """The same as an array of n objects, None where one is missing. Raises InvalidInput for a column of lists.

    >>> class_names(np.array([1.0, 0.0])).tolist(), class_names(np.array([True])).tolist()
    (['1', '0'], ['1'])
    """
    series = values if isinstance(values, pl.Series) else pl.Series(values.tolist(), strict=False)
    names = np.empty(len(series), dtype=object)
    names[:] = class_texts(series).to_list()
    return names


def class_name(value: object) -> str:
    """One class as text: what a setting calls it.

    >>> class_name("True"), class_name(1.0), class_name("churned")
    ('1', '1', 'churned')
    """
    return str(class_texts(pl.Series([value]))[0])
