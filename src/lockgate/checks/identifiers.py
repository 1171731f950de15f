"""Which columns name rows instead of describing them: row numbers, keys, hashes."""

from __future__ import annotations

import polars as pl

_UNIQUE_SHARE = 0.98
_DENSE = 3  # row numbers fill their range; honest whole numbers are spread wider
_MIN_ROWS = 50
_LONGEST = 80
_WITH_SPACES = 0.05


def looks_like_identifier(series: pl.Series) -> bool:
    """Nearly every value once, and either one word of text or whole numbers that fill their range.

    >>> looks_like_identifier(pl.Series(range(100))), looks_like_identifier(pl.Series([0.5, 1.5] * 50))
    (True, False)
    """
    there = series.drop_nulls()
    if len(there) < _MIN_ROWS or there.n_unique() < _UNIQUE_SHARE * len(there):
        return False
    if there.dtype == pl.String:
        spaced = there.str.contains(r"\s").mean()
        return int(there.str.len_chars().max() or 0) <= _LONGEST and float(spaced or 0) <= _WITH_SPACES  # type: ignore[arg-type]
    if there.dtype.is_float() and not (there == there.round()).all():
        return False
    if not there.dtype.is_numeric():
        return False
    span = float(there.max()) - float(there.min())  # type: ignore[arg-type]
    return span <= _DENSE * len(there)
