"""Part of noise: values that should not come and do: missing, infinite, far too large, in another unit, misspelt. Pure.

Each kind says which columns it can happen to and what their values become. What the model does with them is asked
elsewhere, one table a kind.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

UNSEEN = "a value that was never seen"
_HUGE = 1e9
_UNIT = 1_000
_WHOLE = 2.0**53  # floats are exact whole numbers up to there
_LONG_AGO = dt.date(1900, 1, 1)


@dataclass(frozen=True)
class Odd:
    """One kind of odd value. `applies`: to which columns; `made`: the column's values -> odd ones.

    `refusing`: the model may raise on it without anybody minding, because no honest sender sends it.
    """

    name: str
    applies: Callable[[pl.Series], bool]
    made: Callable[[pl.Series], pl.Series]
    advice: str
    refusing: bool = False


def plain(frame: pl.DataFrame) -> pl.DataFrame:
    """The table with categories as text and decimals as floats, which is how a request brings them."""
    return frame.with_columns(
        pl.col(pl.Categorical, pl.Enum).cast(pl.String), pl.selectors.decimal().cast(pl.Float64)
    )


def fitting(values: pl.Series, kind: pl.DataType) -> pl.Series:
    """Floats as a column's type: whole numbers are rounded and kept within what it holds.

    >>> fitting(pl.Series([1e9, 2.4]), pl.Int16()).to_list()
    [32767, 2]
    """
    if not kind.is_integer():
        return values.cast(kind)
    bounds = np.iinfo(str(kind).lower()) if kind.is_integer() and str(kind) != "Int128" else np.iinfo("int64")
    kept = values.fill_nan(None).clip(max(float(bounds.min), -_WHOLE), min(float(bounds.max), _WHOLE))
    return kept.round().cast(kind, strict=False)


def _is_number(series: pl.Series) -> bool:
    return series.dtype.is_numeric()


def _is_float(series: pl.Series) -> bool:
    return series.dtype.is_float()


def _is_text(series: pl.Series) -> bool:
    return series.dtype == pl.String


def _is_positive(series: pl.Series) -> bool:
    """Numbers of a type that has negative ones, none of which was seen."""
    if not series.dtype.is_numeric() or series.dtype.is_unsigned_integer():
        return False
    least = series.cast(pl.Float64).fill_nan(None).min()
    return least is not None and float(least) >= 0  # type: ignore[arg-type]


def _missing(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [None] * len(series), dtype=series.dtype)


def _constant(value: float | str) -> Callable[[pl.Series], pl.Series]:
    def made(series: pl.Series) -> pl.Series:
        values = pl.Series(series.name, [value] * len(series))
        return values if isinstance(value, str) else fitting(values, series.dtype)

    return made


def _beyond(series: pl.Series) -> pl.Series:
    """As far beyond the largest value as the range is wide."""
    finite = series.cast(pl.Float64).fill_nan(None).drop_nulls()
    finite = finite.filter(finite.is_finite())
    high, low = (float(finite.max()), float(finite.min())) if len(finite) else (1.0, 0.0)  # type: ignore[arg-type]
    return fitting(pl.Series(series.name, [high + (high - low)] * len(series)), series.dtype)


def _times_unit(series: pl.Series) -> pl.Series:
    return fitting(series.cast(pl.Float64) * _UNIT, series.dtype)


def _negative(series: pl.Series) -> pl.Series:
    return fitting(-series.cast(pl.Float64) - 1, series.dtype)


def _respelt(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [None if text is None else f" {text.swapcase()} " for text in series.to_list()],
                     dtype=pl.String)  # fmt: skip


def _long_ago(series: pl.Series) -> pl.Series:
    return pl.Series(series.name, [_LONG_AGO] * len(series)).cast(series.dtype)


def _anything(series: pl.Series) -> bool:
    return not series.dtype.is_nested()


def _is_date(series: pl.Series) -> bool:
    return series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime)


_CLEAN = "Refuse or mend such values before they reach the model, or give it the rows to learn them from."
ODD = (
    Odd("missing", _anything, _missing,
        "Values do go missing in production: fill them in the pipeline, or refuse them in the signature."),
    Odd("unseen category", _is_text, _constant(UNSEEN),
        "New categories will come: let the encoder take unknown ones (handle_unknown='ignore')."),
    Odd("empty text", _is_text, _constant(""), "Forms send empty texts for missing ones: take them as missing."),
    Odd("other spelling", _is_text, _respelt, "Strip blanks and level the case before the encoder."),
    Odd("beyond the range", _is_number, _beyond, _CLEAN),
    Odd("huge", _is_number, _constant(_HUGE), _CLEAN),
    Odd("huge negative", lambda series: _is_number(series) and not series.dtype.is_unsigned_integer(), _constant(-_HUGE),
        _CLEAN),
    Odd("negative", _is_positive, _negative, _CLEAN),
    Odd("wrong unit", _is_number, _times_unit,
        "A value in another unit (times 1,000) will come one day: refuse what cannot be before it reaches the model."),
    Odd("infinite", _is_float, _constant(float("inf")), _CLEAN, refusing=True),
    Odd("long ago", _is_date, _long_ago, _CLEAN),
)  # fmt: skip
