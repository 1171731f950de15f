"""Part of noise: values that tremble a little, each kind of column in its own way. Pure.

Numbers move by a share of their robust spread (a quarter range over 1.349, which is the standard deviation of normal
values), whole numbers stay whole, and none leaves the range that was seen. A value that more than half of the rows share
("no capital gain") stays: nothing was measured there. Dates move by days. Of categories a small share of rows takes that of
another row; of free text, where most rows have one of their own, a small share gets a typing error.
"""

from __future__ import annotations

import numpy as np
import polars as pl

FEW_VALUES = 10  # a whole number with at most that many values is a category
_QUARTERS = 1.349  # quarter range of a standard normal
_DAY_US = 86_400_000_000
_HALF = 0.5


def trembling(
    series: pl.Series, known: pl.Series, share: float, rate: float, draw: np.random.Generator
) -> pl.Series:
    """n values of one column, each moved a little; of the same type and name. `known`: the column where it was seen whole.

    `share`: of the spread, for numbers; `rate`: share of rows that change, for categories and text. Lists stay as they are.
    """
    kind = series.dtype
    if kind.is_nested() or known.drop_nulls().is_empty():
        return series
    if kind.is_temporal():
        return _moved_dates(series, draw)
    if kind == pl.Boolean or (kind.is_integer() and known.n_unique() <= FEW_VALUES):
        return _swapped(series, known, rate, draw)
    if kind.is_numeric():
        return _moved(series, known, share, draw)
    # a typing error in a category makes one that was never seen, which is asked on its own
    free = known.n_unique() > _HALF * len(known) and len(known) > FEW_VALUES
    return _mistyped(series, rate, draw) if free else _swapped(series, known, rate, draw)


def spread_of(values: np.ndarray) -> tuple[float, float | None]:
    """Robust spread of finite values, and the value that most of them share, if there is one.

    >>> spread_of(np.array([0.0] * 8 + [1.0, 2.0, 3.0, 4.0])) == (1.5 / 1.349, 0.0)
    True
    """
    if values.size == 0:
        return 0.0, None
    found, counts = np.unique(values, return_counts=True)
    place = int(counts.argmax())
    common = float(found[place]) if counts[place] > _HALF * values.size else None
    rest = values if common is None else values[values != common]
    if rest.size == 0:
        return 0.0, common
    low, high = np.quantile(rest, [0.25, 0.75])
    return float(high - low) / _QUARTERS or float(rest.std()), common


def _moved(series: pl.Series, known: pl.Series, share: float, draw: np.random.Generator) -> pl.Series:
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy().copy()
    seen = known.cast(pl.Float64).drop_nulls().to_numpy()
    seen = seen[np.isfinite(seen)]
    spread, common = spread_of(seen)
    moves = np.isfinite(values) & (values != common)
    if not spread or not np.isfinite(spread) or not moves.any():
        return series
    moved = values[moves] + draw.normal(0, share * spread, int(moves.sum()))
    if series.dtype.is_integer():  # up or down by chance, so that a tenth moves one row in ten
        moved = np.floor(moved + draw.random(moved.size))
    values[moves] = np.clip(moved, min(seen.min(), values[moves].min()), max(seen.max(), values[moves].max()))
    result = pl.Series(series.name, values).fill_nan(None) if series.null_count() else pl.Series(series.name, values)  # fmt: skip
    if not series.dtype.is_integer():
        return result.cast(series.dtype, strict=False)
    same = pl.Series(values == series.cast(pl.Float64).fill_null(float("nan")).to_numpy())
    # beyond 2 ** 53 floats are no exact whole numbers: what did not move keeps its own digits
    return series.zip_with(same, result.cast(series.dtype, strict=False))


def _moved_dates(series: pl.Series, draw: np.random.Generator) -> pl.Series:
    kind = series.dtype
    days = draw.integers(-1, 2, len(series))
    if kind == pl.Date:
        return (series.to_physical() + pl.Series(days, dtype=pl.Int32)).cast(kind)
    if not isinstance(kind, pl.Datetime):
        return series
    parts = {"ms": 1_000, "us": 1, "ns": 1}
    step = _DAY_US // parts[kind.time_unit] * (1_000 if kind.time_unit == "ns" else 1)
    return (series.to_physical() + pl.Series(days * step, dtype=pl.Int64)).cast(kind)


def _swapped(series: pl.Series, known: pl.Series, rate: float, draw: np.random.Generator) -> pl.Series:
    """A share of the rows takes the value of another row."""
    pool = known.drop_nulls()
    chosen = pl.Series(draw.random(len(series)) < rate) & series.is_not_null()
    others = pool[draw.integers(0, len(pool), len(series))].cast(series.dtype, strict=False)
    return others.zip_with(chosen, series).alias(series.name)


def _mistyped(series: pl.Series, rate: float, draw: np.random.Generator) -> pl.Series:
    """A share of the texts with two neighbouring letters in the wrong order, or with the only one doubled."""
    texts = series.cast(pl.String).to_list()
    for place in np.flatnonzero(draw.random(len(texts)) < rate):
        text = texts[place]
        if text:
            at = int(draw.integers(0, max(1, len(text) - 1)))
            texts[place] = text[:at] + text[at : at + 2][::-1] + text[at + 2 :] if len(text) > 1 else text * 2
    return pl.Series(series.name, texts, dtype=pl.String)
