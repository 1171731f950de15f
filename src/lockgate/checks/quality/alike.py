"""Part of the quality check: columns that equal another one, or say the same in other numbers or words.

Numbers say the same when one is the other's multiple, rounding or order (correlation of values and of ranks near 1, on at
most 5,000 rows); categories when each value of one goes with one value of the other.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.checks.quality.kinds import Trouble
from lockgate.checks.values import numbers_of
from lockgate.late import late

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

_ROWS = 5_000
_FEWEST_ROWS = 50
_MOST_NUMBERS, _MOST_CATEGORIES = 1_000, 150
_VALUES = 10  # numbers of fewer values are compared as categories
_FEWEST_VALUES, _MOST_VALUES = 3, 200
_BOTH = 0.9  # of the rows where one of two is there, the other must be too
_RANKS = 0.995
_ORDER = 0.9999  # of ranks alone, where values bend: a logarithm
_HALF = 0.55  # of a step: how far rounding moves a value
_SAME = 0.999  # share of rows in which categories go together
_LARGEST = 1e100


def copies(columns: list[pl.Series]) -> Iterator[Trouble]:
    """Columns that equal an earlier one in every row."""
    seen: dict[bytes, str] = {}
    for series in columns:
        kind = pl.Float64 if series.dtype.is_numeric() or series.dtype.is_temporal() else pl.String
        physical = series.to_physical() if series.dtype.is_temporal() else series
        mark = physical.cast(kind).hash(seed=1).to_numpy().tobytes()
        if mark in seen:
            yield Trouble("copy", series.name, f"equals {seen[mark]} in every row", 1.0)
        else:
            seen[mark] = series.name


def alike(columns: list[pl.Series], correlation: float) -> Iterator[Trouble]:
    """Columns that are no copy of an earlier one and still say the same; each is named once."""
    rows = len(columns[0]) if columns else 0
    if rows < _FEWEST_ROWS:
        return
    some = np.random.default_rng(0).permutation(rows)[:_ROWS]
    drawn = [series[np.sort(some)] for series in columns]
    yield from _numbers(drawn, correlation)
    yield from _categories(drawn)


def _numbers(columns: list[pl.Series], correlation: float) -> Iterator[Trouble]:
    values = {series.name: numbers_of(series) for series in columns if series.dtype.is_numeric()}
    values = {name: column for name, column in values.items() if _varied(column)}
    names = list(values)[:_MOST_NUMBERS]
    if len(names) < 2:
        return
    ranked = np.column_stack([_ranks(values[name]) for name in names])
    near = np.abs(ranked.T @ ranked) / ranked.shape[0] >= _RANKS
    named: set[str] = set()
    for left, right in zip(*np.nonzero(np.triu(near, 1)), strict=True):
        one, two = names[left], names[right]
        said = "" if {one, two} & named else _relation(values[one], values[two], one, correlation)
        if said:
            named.add(two)
            yield Trouble("alike", two, said, 1.0)


def _varied(column: np.ndarray) -> bool:
    """Of many different finite values, so that two of them do not agree by chance."""
    finite = column[np.isfinite(column)]
    if finite.size < _FEWEST_ROWS or float(np.abs(finite).max()) > _LARGEST:
        return False
    return np.unique(finite).size > _VALUES


def _ranks(column: np.ndarray) -> np.ndarray:
    """Ranks of mean 0 and spread 1, shape (n,); what is missing stands in the middle."""
    there = np.isfinite(column)
    ranks = np.zeros(column.size)
    placed = stats.rankdata(column[there])
    ranks[there] = placed - placed.mean()
    return np.asarray(ranks / ranks.std())


def _relation(first: np.ndarray, second: np.ndarray, name: str, correlation: float) -> str:
    """How the second says what the first says; empty where it does not."""
    there, either = np.isfinite(first) & np.isfinite(second), np.isfinite(first) | np.isfinite(second)
    if there.sum() < _BOTH * either.sum():
        return ""
    one, two = first[there], second[there]
    if not _varied(one) or not _varied(two):
        return ""
    straight = abs(float(np.corrcoef(one, two)[0, 1]))
    slope, start = np.polyfit(one - one.mean(), two, 1)
    start -= slope * one.mean()
    off = float(np.quantile(np.abs(two - (slope * one + start)), _SAME))
    exact, step = off <= 1e-6 * float(np.ptp(two)), _resolution(two)
    if exact or (off <= _HALF * step and straight >= correlation):
        line = _line(float(slope), float(start), float(np.abs(two).max()), name, exact)
        return f"is {line}" if exact else f"is {line} rounded to {step:.6g}"
    if _in_file_order(one) and _in_file_order(two):
        return ""  # two counters that both grow with the rows
    if straight >= correlation:
        return f"says what {name} says: correlation {straight:.4f}"
    order = abs(float(stats.spearmanr(one, two).statistic))
    return f"has the same order as {name}" if order >= _ORDER else ""


def _line(slope: float, start: float, size: float, name: str, exact: bool) -> str:
    """`1.8 x celsius + 32`; a rounded column tells its line only roughly."""
    near, digits = (1e-6, 6) if exact else (1e-2, 3)
    times = name if abs(slope - 1) < near else f"{slope:.{digits}g} x {name}"
    if abs(start) <= near * size:
        return times
    return f"{times} {'-' if start < 0 else '+'} {abs(start):.{digits}g}"


def _resolution(values: np.ndarray) -> float:
    """The step in which values are written: nearly the least distance between two of them."""
    return float(np.quantile(np.diff(np.unique(values)), 0.1))


def _in_file_order(values: np.ndarray) -> bool:
    steps = np.diff(values)
    return bool((steps >= 0).all() or (steps <= 0).all())


def _categories(columns: list[pl.Series]) -> Iterator[Trouble]:
    """Columns of few values that go together one to one."""
    coded = {}
    for series in columns:
        if not (series.dtype == pl.String or series.dtype.is_integer()) or series.null_count():
            continue
        codes = series.rank("dense").to_numpy().astype(np.int64) - 1
        if _FEWEST_VALUES <= codes.max() + 1 <= _MOST_VALUES:
            coded[series.name] = codes
    named: set[str] = set()
    for one, two in combinations(list(coded)[:_MOST_CATEGORIES], 2):
        first, second = coded[one], coded[two]
        if {one, two} & named or first.max() != second.max():
            continue
        table = np.bincount(
            first * (second.max() + 1) + second, minlength=(first.max() + 1) * (second.max() + 1)
        )
        table = table.reshape(first.max() + 1, second.max() + 1)
        if min(table.max(axis=0).sum(), table.max(axis=1).sum()) >= _SAME * first.size:
            named.add(two)
            yield Trouble(
                "alike",
                two,
                f"says what {one} says in other words: each value of one goes with one of the other",
                1.0,
            )
