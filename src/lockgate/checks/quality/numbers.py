"""Part of the quality check: numbers that are infinite, that stand for "missing", or that are cut off at the top.

A number stands for "missing" when many rows share it and it lies apart from all others. How far apart is enough goes by how
well known it is as a code (-999), and by the tail of the other values: a zero below blood pressures of 24 to 122 lies farther
from the smallest of them than that one lies from the hundredth part of the rows; a zero below counts of 1, 2, 3 does not.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.quality.kinds import Trouble
from lockgate.checks.values import numbers_of

SENTINELS = frozenset({-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, -1e9, 1e9,
                       -32768.0, 2147483647.0, -2147483648.0,
                       -2.0, -3.0, -7.0, -8.0, -77.0, -88.0, 77.0, 88.0, 777.0, 888.0, 7777.0, 8888.0})  # fmt: skip
SENTINEL_DAYS = tuple(
    dt.date(*day) for day in ((1, 1, 1), (1900, 1, 1), (1970, 1, 1), (2099, 12, 31), (9999, 12, 31))
)
_EPOCH = dt.date(1970, 1, 1)
_SHARE, _ROWS = 0.002, 5  # rarer ones may be true values
_CODES = 3  # surveys have up to that many: refused, does not know, does not apply
_FEW_VALUES = 3  # codes such as -1, 0, 1 mean what they say
_TAIL = 0.01  # of the other values: how far a tail reaches
_TAILS = 3.0  # a known code may lie that many tails away, where it does not lie the whole range away
_STEPS = 5.0  # usual distances between neighbouring values
_ZERO_MOST = 0.5  # where most are zero, zero is the ordinary state
_ZERO_VALUES = 20  # different other values; with fewer, zero is one of them
_ZERO_FAR = (
    0.3  # of the middle one of the other values; nearer, it may be an amount that some rows have none of
)
_HEAP = 2.0  # -1 next to 0: more of them than of the neighbour, twice
_CAP_SHARE, _CAP_TIMES, _CAP_HEAPS, _CAP_ROWS, _CAP_NEAR = 0.01, 5, 3, 10, 10
_CAP_VALUES = 30
_BOUNDS = frozenset({0.0, 1.0, 100.0})  # shares and per cents end there by nature


def numbers(series: pl.Series) -> Iterator[Trouble]:
    """Infinite values, numbers that stand for "missing", a pile at the largest value."""
    values, rows = numbers_of(series), max(len(series), 1)
    infinite = int(np.isinf(values).sum())
    if infinite:
        yield Trouble("infinite", series.name, f"{infinite:,} infinite values", infinite / rows)
    names, counts = np.unique(values[np.isfinite(values)], return_counts=True)
    codes = [code for side in (1, -1) for code in _stand_ins(names[::side], counts[::side], rows)]
    for value, count in codes:
        rest = names[~np.isin(names, [each for each, _ in codes])]
        what = f"{value:g} in {count:,} rows, other values lie between {rest[0]:g} and {rest[-1]:g}"
        yield Trouble("sentinel", series.name, what, count / rows)
    cut = None if codes else cut_off(names, counts)
    if cut is not None:
        what = f"{cut.value:g} is the largest value and stands in {cut.rows:,} rows, those just below in at most {cut.below:,}"
        yield Trouble("capped", series.name, what, cut.rows / rows)


@dataclass(frozen=True)
class Cut:
    """A pile at the largest value: its rows, and the most rows that any value just below has."""

    value: float
    rows: int
    below: int


def cut_off(names: np.ndarray, counts: np.ndarray, values: int = _CAP_VALUES) -> Cut | None:
    """The pile at the largest of ascending different values, where it is one; at least that many different `values`."""
    if names.size < values or float(names[-1]) in _BOUNDS:
        return None
    top, below = int(counts[-1]), int(counts[-1 - _CAP_NEAR : -1].max())
    heaps = int(
        counts[-1 - max(_CAP_NEAR, names.size // 4) : -1].max()
    )  # round numbers are heaps of their own
    pile = top >= max(_CAP_ROWS, _CAP_SHARE * int(counts.sum()), _CAP_TIMES * below, _CAP_HEAPS * heaps)
    return Cut(float(names[-1]), top, below) if pile else None


def days(series: pl.Series) -> Iterator[Trouble]:
    """Days such as 1900-01-01 that many rows share while the others lie a whole range of theirs away."""
    there = series.drop_nulls().cast(pl.Date)
    for day in SENTINEL_DAYS:
        rest, count = there.filter(there != day), int((there == day).sum())
        if len(rest) == 0 or count < max(_ROWS, _SHARE * len(series)):
            continue
        ordinals = rest.to_physical()
        low, high = int(ordinals.min()), int(ordinals.max())  # type: ignore[arg-type]
        here = (day - _EPOCH).days
        if max(low - here, here - high) > high - low:
            first, last = _EPOCH + dt.timedelta(low), _EPOCH + dt.timedelta(high)
            what = f"{day} in {count:,} rows, other days lie between {first} and {last}"
            yield Trouble("sentinel", series.name, what, count / len(series))


def _stand_ins(names: np.ndarray, counts: np.ndarray, rows: int) -> list[tuple[float, int]]:
    """Values at the beginning of `names` (ascending or descending) that stand for "missing", with their rows."""
    for many in range(_CODES, 0, -1):
        if names.size - many < _FEW_VALUES:
            continue
        known = bool(np.isin(names[:many], list(SENTINELS)).all())
        often = bool((counts[:many] >= _ROWS).all())
        if not often or not (known or (many == 1 and names[0] == 0)):
            continue
        judge = _is_code if known else _is_gap
        if judge(names, counts, many, rows):
            return [(float(name), int(count)) for name, count in zip(names[:many], counts, strict=False)]
    return []


def _is_code(names: np.ndarray, counts: np.ndarray, many: int, rows: int) -> bool:
    """Whether well-known codes lie apart: by the whole range, by some tails of it, or as lone negatives."""
    rest, gap = names[many:], abs(float(names[many] - names[many - 1]))
    if counts[:many].sum() < _SHARE * rows:
        return False
    if names[many - 1] < 0 and rest.min() >= 0:
        step = _step(rest)
        return gap >= 1 and (gap > step or counts[many - 1] >= _HEAP * counts[many])
    if gap >= np.ptp(rest):
        return True
    return gap >= _TAILS * _tail(rest, counts[many:]) and gap >= _STEPS * _step(rest)


def _is_gap(names: np.ndarray, counts: np.ndarray, many: int, rows: int) -> bool:
    """Whether a zero lies farther from the other values, all of one sign, than their tail reaches."""
    rest = names[many:]
    if rest.size < _ZERO_VALUES or counts[:many].sum() > _ZERO_MOST * rows:
        return False
    gap, middle = abs(float(rest[0])), abs(float(np.median(np.repeat(rest, counts[many:]))))
    return gap >= _ZERO_FAR * middle and gap >= _tail(rest, counts[many:]) and gap >= _STEPS * _step(rest)


def _tail(names: np.ndarray, counts: np.ndarray) -> float:
    """How far the hundredth part of the rows reaches into the values, from their first one."""
    reached = int(np.searchsorted(np.cumsum(counts), _TAIL * counts.sum()))
    return abs(float(names[min(reached, names.size - 1)] - names[0]))


def _step(names: np.ndarray) -> float:
    """The usual distance between neighbouring values in the first quarter of them."""
    near = names[: max(_FEW_VALUES, names.size // 4)]
    return float(np.median(np.abs(np.diff(near))))
