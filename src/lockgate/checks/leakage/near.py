"""Part of the leakage check: test rows that are nearly a training row: rounded, or spelt otherwise.

Numbers are near when they lie within a twentieth of the column's spread of each other; words when they are the same but for
spaces, capital letters and accents; long texts when they share four fifths of their words (`texts`). Rows of both tables are put
into cells of one spread in every column and sorted within them, so that near rows stand near each other (sorted neighbourhood:
Hernandez and Stolfo 1995, The merge/purge problem, SIGMOD), several times with other cells, so that a border between two rows
does no harm (Indyk and Motwani 1998, Approximate nearest neighbours, STOC).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.leakage.texts import alike, band, is_text, signatures
from lockgate.checks.spelling import plain
from lockgate.checks.values import numbers_of, times_of
from lockgate.stats.intervals import Interval, share_difference

_NEAR = 0.05  # of a column's spread
_TABLES, _WINDOW = 6, 12
_FEWEST_NUMBERS = 3  # two numbers and some categories come near each other by chance, unless there is a text
_FEW_VALUES = 10
_MOST_TRAIN, _MOST_TEXTS, _MOST_TEST = 100_000, 20_000, 20_000
_MOST_WORDS = 50_000
_GONE = -1e3  # where missing values are put: near each other, and far from all there is


@dataclass(frozen=True, eq=False)
class _Rows:
    """Both tables, training first: `exact` (n,) is the row as it stands, `words` (n,) its words without spelling, `numbers`
    (n, k) are in spreads, `texts` are signatures (n, `SEEDS`); `train` counts."""

    exact: np.ndarray
    words: np.ndarray
    numbers: np.ndarray
    texts: tuple[np.ndarray, ...]
    train: int


def near_rows(
    check: str, train: pl.DataFrame, test: pl.DataFrame, inputs: Sequence[str], *, fail: float, warn: float
) -> list[Finding]:
    """A finding where more test rows are nearly a training row than training rows are near each other; else nothing.

    Rows that are the same in both tables do not count here. Of large tables a sample is looked at.
    """
    names = [name for name in inputs if name in train.columns and name in test.columns
             and not train[name].dtype.is_nested() and not looks_like_identifier(train[name])]  # fmt: skip
    most = _MOST_TEXTS if any(is_text(train[name]) for name in names) else _MOST_TRAIN
    train, test = _some(train, most), _some(test, _MOST_TEST)
    rows = _rows(train, test, names)
    if rows is None:
        return []
    excess, hits = _beyond_chance(rows)
    if excess.low <= 0 or excess.value < warn:
        return []
    return [Finding(
        check=check, subject="rows nearly of training in test", status=Status.FAIL if excess.value >= fail else Status.WARN,
        headline=f"{hits:,} of {test.height:,} test rows ({figure(hits / test.height, 'share')}) are a training row but for "
                 "rounding or spelling: figures on them are too good.",
        advice="Find out whether both tables were made from the same rows; split before anything is rounded, cleaned or copied.",
        measure=Measure(name="test rows nearly in training beyond chance", value=excess.value, unit="share", low=excess.low,
                        high=excess.high),
        threshold=Threshold(at_most=warn),
    )]  # fmt: skip


def _some(frame: pl.DataFrame, most: int) -> pl.DataFrame:
    """At most so many rows, the same each time."""
    return frame if frame.height <= most else frame[np.random.default_rng(0).permutation(frame.height)[:most]]


def _rows(train: pl.DataFrame, test: pl.DataFrame, names: Sequence[str]) -> _Rows | None:
    """Both tables as numbers, words and texts; None where there is too little to tell rows apart."""
    numbers, words, texts = [], [], []
    for name in names:
        one, two = train[name], test[name]
        if _measured(one) and (two.dtype.is_numeric() or two.dtype.is_temporal()):
            numbers.append(_spreads(_floats(one), _floats(two)))
        elif is_text(one) and two.dtype == pl.String:
            texts.append(signatures(pl.concat([one, two])))
        elif one.n_unique() <= _MOST_WORDS:
            words.append(pl.concat([_spelt(one), _spelt(two)]).alias(name))
    if len(numbers) < _FEWEST_NUMBERS and not texts:
        return None
    rows = train.height + test.height
    like = train.select(names)
    both = pl.concat(
        [like, test.select(pl.col(name).cast(like.schema[name], strict=False) for name in names)]
    )
    return _Rows(
        both.hash_rows(seed=1).to_numpy(),
        pl.DataFrame(words).hash_rows(seed=1).to_numpy() if words else np.zeros(rows, dtype=np.uint64),
        np.column_stack(numbers) if numbers else np.zeros((rows, 1)), tuple(texts), train.height,
    )  # fmt: skip


def _measured(series: pl.Series) -> bool:
    return (series.dtype.is_numeric() or series.dtype.is_temporal()) and series.n_unique() > _FEW_VALUES


def _floats(series: pl.Series) -> np.ndarray:
    return times_of(series) if series.dtype.is_temporal() and series.dtype != pl.Time else numbers_of(series)


def _spreads(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Both parts of a column in spreads of the first, its middle half counted alone so that tails do not blur it."""
    there = one[np.isfinite(one)]
    if not there.size:
        return np.zeros(one.size + two.size)
    low, high = np.quantile(there, [0.25, 0.75])
    spread = float(high - low) / 1.349 or float(np.quantile(there, 0.99) - np.quantile(there, 0.01)) or 1.0
    both = (np.concatenate([one, two]) - low) / spread
    return np.where(np.isfinite(both), np.clip(both, -900, 1e12), _GONE)


def _spelt(series: pl.Series) -> pl.Series:
    """Text without what spelling adds; other columns as text."""
    if series.dtype.is_temporal() or series.dtype.is_numeric() or series.dtype == pl.Boolean:
        return series.to_physical().cast(pl.Float64).cast(pl.String)
    text = series.cast(pl.String, strict=False)
    values = text.drop_nulls().unique().to_list()
    return text.replace_strict(
        {value: plain(value) for value in values}, default=None, return_dtype=pl.String
    )


def _beyond_chance(rows: _Rows) -> tuple[Interval, int]:
    """How many more of the test rows have a near training row than training rows have another, and how many test rows do."""
    twins = np.zeros(rows.words.size, dtype=bool)
    same = np.zeros(rows.words.size, dtype=bool)
    for one, two in _neighbours(rows):
        first, second = np.minimum(one, two), np.maximum(one, two)  # training rows come first
        crossed, both = (first < rows.train) & (second >= rows.train), second < rows.train
        equal = rows.exact[first] == rows.exact[second]
        same[second[crossed & equal]] = True
        twins[second[crossed & ~equal]] = True
        twins[first[both & ~equal]] = twins[second[both & ~equal]] = True
    test = np.arange(rows.words.size) >= rows.train
    hits, chance = int((twins & ~same & test).sum()), int((twins & ~test).sum())
    return share_difference(hits, int(test.sum()), chance, rows.train), hits


def _neighbours(rows: _Rows) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Pairs of near rows."""
    draw = np.random.default_rng(0)
    columns = rows.numbers.shape[1]
    for table in range(_TABLES):
        cells = np.floor(rows.numbers + draw.random(columns)).astype(np.int64)
        cell = cells @ draw.integers(1, 2**31, columns) ^ rows.words.view(np.int64)
        for text in rows.texts:
            cell ^= band(text, table)
        order = np.lexsort((rows.numbers @ draw.normal(size=columns), cell))
        placed = cell[order]
        for step in range(1, _WINDOW + 1):
            met = np.flatnonzero(placed[step:] == placed[:-step])
            one, two = order[met], order[met + step]
            near = np.abs(rows.numbers[one] - rows.numbers[two]).max(axis=1) <= _NEAR
            for text in rows.texts:
                near &= alike(text, one, two)
            yield one[near], two[near]
