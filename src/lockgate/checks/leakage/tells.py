"""Part of the leakage check: how well some values tell the target, learned on other rows than it is judged on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.stats.auc import auc, auc_interval
from lockgate.stats.intervals import wilson

BINS = 64
_FEWEST_BINS, _ROWS_PER_BIN = 4, 5  # of small tables: a range of one row tells nothing of another row
_FOLDS = 3
_PRIOR_ROWS = 2.0  # a value seen once tells little: its mean is drawn to the overall one
_MIN_CLASS_ROWS = 30


def numbers_in(series: pl.Series) -> np.ndarray | None:
    """A column as floats, NaN where missing; None where it holds no numbers and no times."""
    if not (series.dtype.is_numeric() or series.dtype.is_temporal()):
        return None
    physical = series.to_physical() if series.dtype.is_temporal() else series
    return physical.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def codes_of(series: pl.Series, bins: int | None = None) -> np.ndarray:
    """Each row's value or range as a whole number from 0; missing values have their own.

    Numbers of more than `bins` (BINS, fewer in small tables) values become that many ranges; text keeps all
    of its values, or, where `bins` is given, its most frequent ones.
    """
    numbers = numbers_in(series)
    if numbers is None:
        return _words(series, bins)
    there = numbers[np.isfinite(numbers)]
    most, values = bins or min(BINS, max(_FEWEST_BINS, there.size // _ROWS_PER_BIN)), np.unique(there)
    edges = values[:-1]
    if values.size > most:
        edges = np.unique(np.quantile(there, np.linspace(0, 1, most + 1)[1:-1]))
    # numpy sorts NaN above all, so missing values fall into the last bin; they are given one of their own
    codes = np.searchsorted(edges, numbers, side="left")
    return np.where(np.isnan(numbers), edges.size + 1, codes)


def _words(series: pl.Series, most: int | None) -> np.ndarray:
    words = series.cast(pl.String)
    if most is None:
        return words.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    counted = words.drop_nulls().value_counts().sort(["count", series.name], descending=[True, False])
    kept = counted[series.name].to_list()[: most - 1]
    places = {word: place for place, word in enumerate(kept, start=1)}
    coded = words.replace_strict(places, default=len(kept) + 1, return_dtype=pl.Int64)
    return pl.select(pl.when(words.is_null()).then(0).otherwise(coded)).to_series().to_numpy()


def out_of_fold(codes: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Score and lower bound of the mean target per code, learned on two thirds and judged on the other.

    The score is R squared of a number, the ROC AUC of two classes, the mean over classes of more.
    """
    if truth.dtype.kind == "f":
        return tells(_folded_means(codes, truth), truth)
    names, counts = np.unique(truth.astype(str), return_counts=True)
    kept = names[counts >= min(_MIN_CLASS_ROWS, truth.size // 4 + 1)]
    if kept.size < 2:
        return 0.5, 0.5
    chosen = kept[1:] if kept.size == 2 else kept
    each = [
        tells(_folded_means(codes, (truth.astype(str) == name).astype(float)), truth.astype(str) == name)
        for name in chosen
    ]
    return float(np.mean([score for score, _ in each])), float(np.mean([low for _, low in each]))


@dataclass(frozen=True)
class Right:
    """How often the commonest class of each value is right on other rows: `hits` of `rows`; `taken`: the share of the wrong
    answers that always giving the commonest class would leave which it surely takes away (Wilson's lower bound, 95 %)."""

    hits: int
    rows: int
    taken: float


def right_answers(codes: np.ndarray, truth: np.ndarray) -> Right:
    """The classes `truth` from the codes of one input, learned on two thirds and judged on the other."""
    names, classes = np.unique(truth.astype(str), return_inverse=True)
    shape, hits = (int(codes.max()) + 1, names.size), 0
    fold = _folds(codes.size)
    for number in range(_FOLDS):
        learn, judge = fold != number, fold == number
        counts = np.bincount(codes[learn] * names.size + classes[learn], minlength=shape[0] * shape[1])
        counts = counts.reshape(shape).astype(float)
        counts += (
            0.5 * counts.sum(axis=0) / max(1.0, counts.sum())
        )  # a value that was not seen: the commonest class
        hits += int((counts.argmax(axis=1)[codes[judge]] == classes[judge]).sum())
    usual = float(np.bincount(classes).max() / classes.size)
    low = wilson(hits, classes.size).low
    return Right(hits, classes.size, (low - usual) / (1 - usual) if usual < 1 else 0.0)


def tells(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """How well a guess orders two classes (AUC, either way round) or explains a number (R squared); lower bounds."""
    if truth.dtype.kind == "f":
        spread = float(((truth - truth.mean()) ** 2).sum())
        if not spread or not np.ptp(guess):
            return 0.0, 0.0
        explained = max(0.0, 1 - float(((truth - guess) ** 2).sum()) / spread)
        return explained, max(0.0, explained - 2 * (1 - explained) / np.sqrt(truth.size))
    if truth.dtype != bool:
        names, counts = np.unique(truth.astype(str), return_counts=True)
        shares = [tells(guess, truth.astype(str) == name) for name in names[counts >= _MIN_CLASS_ROWS]]
        return max(shares, default=(0.5, 0.5), key=lambda pair: pair[1])
    turned = -guess if auc(truth, guess) < 0.5 else guess
    found = auc_interval(truth, turned)
    return found.value, found.low


def straight(numbers: np.ndarray, truth: np.ndarray) -> float:
    """The squared correlation, 0 where one of the two is constant; scaled first, so that 1e-300 and 1e200 do no harm."""
    sides = []
    for values in (numbers, truth):
        size = float(np.abs(values).max())
        if size == 0 or not np.ptp(values / size):
            return 0.0
        side = values / size - (values / size).mean()
        sides.append(side / np.abs(side).max())
    spread = float((sides[0] ** 2).sum() * (sides[1] ** 2).sum())
    return float((sides[0] * sides[1]).sum()) ** 2 / spread if spread else 0.0


def _folded_means(codes: np.ndarray, target: np.ndarray) -> np.ndarray:
    fold = _folds(codes.size)
    guess = np.empty(codes.size)
    size = int(codes.max()) + 1
    for number in range(_FOLDS):
        learn, judge = fold != number, fold == number
        prior = target[learn].mean() if learn.any() else 0.0
        sums = np.bincount(codes[learn], weights=target[learn], minlength=size)
        rows = np.bincount(codes[learn], minlength=size)
        guess[judge] = ((sums + _PRIOR_ROWS * prior) / (rows + _PRIOR_ROWS))[codes[judge]]
    return guess


def _folds(rows: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, _FOLDS, rows)
