"""Which columns name rows instead of describing them: row numbers, keys, hashes."""

from __future__ import annotations

import polars as pl

_UNIQUE_SHARE = 0.98
_DENSE = 3  # row numbers fill their range; honest whole numbers are spread wider
_MIN_ROWS = 50
_LONGEST = 80
_WITH_SPACES = 0.05


def nearly_all_differ(series: pl.Series) -> bool:
    """Whether hardly a value stands there twice: how often it does, and where in the alphabet it comes, tells nothing then.

    >>> nearly_all_differ(pl.Series(range(100))), nearly_all_differ(pl.Series([0, 1] * 50))
    (True, False)
    """
    there = series.drop_nulls()
    return len(there) >= _MIN_ROWS and there.n_unique() >= _UNIQUE_SHARE * len(there)


def looks_like_identifier(series: pl.Series) -> bool:
    """Nearly every value once, and either one word of text or whole numbers that fill their range.

    >>> looks_like_identifier(pl.Series(range(100))), looks_like_identifier(pl.Series([0.5, 1.5] * 50))
    (True, False)
    """
    if not nearly_all_differ(series):
        return False
    there = series.drop_nulls()
    if there.dtype == pl.String:
        spaced = there.str.contains(r"\s").mean()
        return int(there.str.len_chars().max() or 0) <= _LONGEST and float(spaced or 0) <= _WITH_SPACES  # type: ignore[arg-type]
    if there.dtype.is_float() and not (there == there.round()).all():
        return False
    if not there.dtype.is_numeric():
        return False
    span = float(there.max()) - float(there.min())  # type: ignore[arg-type]
    return span <= _DENSE * len(there)
