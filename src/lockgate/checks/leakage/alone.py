"""Part of the leakage check: inputs that give the answer alone, by their value, by being there, or as identifiers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.stats.auc import auc, auc_interval

_BINS = 64
_FOLDS = 3
_PRIOR_ROWS = 2.0  # a value seen once tells little: its mean is drawn to the overall one
_MISSING_SHARE = 0.005
_IDENTIFIER_AUC, _IDENTIFIER_R2 = 0.60, 0.10
_MIN_CLASS_ROWS = 30
_SHOWN = 15


@dataclass(frozen=True)
class _Alone:
    """How well one input tells the target by itself; `low` bounds it from below."""

    name: str
    score: float
    low: float
    missing: float
    missing_low: float
    missing_share: float
    identifier: bool


def lone_inputs(
    check: str,
    frame: pl.DataFrame,
    inputs: list[str],
    truth: np.ndarray,
    *,
    key: str | None,
    target: str,
    fail: float,
    warn: float,
    missing_fail: float,
    missing_warn: float,
) -> list[Finding]:
    """A finding per input that alone tells the target too well, else one that names the strongest.

    The score is the ROC AUC (more classes: the mean over classes) or R squared of the mean target per value or range,
    learned on other rows than it is judged on. Its lower bound is what is held against the limits.
    """
    unit = "R squared" if truth.dtype.kind == "f" else "ROC AUC"
    found: list[Finding] = []
    looked = [_look(frame[name], truth, name == key) for name in inputs if not frame[name].dtype.is_nested()]
    looked.sort(key=lambda alone: -alone.score)
    for alone in looked:
        finding = _judge(
            check,
            alone,
            target,
            unit,
            fail=fail,
            warn=warn,
            missing_fail=missing_fail,
            missing_warn=missing_warn,
        )
        if finding is not None:
            found.append(finding)
    if found or not looked:
        return found
    return [_strongest(check, looked, target, unit, warn)]


def _strongest(check: str, looked: list[_Alone], target: str, unit: str, warn: float) -> Finding:
    best = looked[0]
    return Finding(
        check=check, subject="single inputs", status=Status.PASS,
        headline=f"No input gives {target} away alone; the strongest, {best.name}, reaches {unit} {figure(best.score)}.",
        measure=Measure(name=f"{unit} of {best.name} alone", value=best.score), threshold=Threshold(at_most=warn),
        table=Table(columns=("input", f"{unit} alone", "missing"), shares=("missing",),
                    rows=tuple((alone.name, round(alone.score, 4), round(alone.missing_share, 4)) for alone in looked[:_SHOWN])),
        plot=Plot(kind=PlotKind.BARS, title=f"{unit} of each input alone", data={
            "bars": [{"name": alone.name, "value": alone.score} for alone in looked[:_SHOWN]], "unit": None, "axis": unit}),
    )  # fmt: skip


def _judge(
    check: str,
    alone: _Alone,
    target: str,
    unit: str,
    *,
    fail: float,
    warn: float,
    missing_fail: float,
    missing_warn: float,
) -> Finding | None:
    """The worst that can be said of one input, if anything."""
    if alone.missing_low >= missing_warn:
        status = Status.FAIL if alone.missing_low >= missing_fail else Status.WARN
        return Finding(
            check=check, subject=alone.name, status=status,
            headline=f"Whether {alone.name} is missing tells {target} almost alone (ROC AUC {figure(alone.missing)}).",
            advice=f"Leave {alone.name} out: it seems to be filled in after the outcome is known.",
            measure=Measure(name=f"ROC AUC of '{alone.name} is missing'", value=alone.missing, low=alone.missing_low),
            threshold=Threshold(at_most=missing_warn),
        )  # fmt: skip
    if alone.identifier and alone.low >= (_IDENTIFIER_AUC if unit == "ROC AUC" else _IDENTIFIER_R2):
        return Finding(
            check=check, subject=alone.name, status=Status.FAIL,
            headline=f"{alone.name} looks like an identifier and still tells {target} ({unit} {figure(alone.score)}).",
            advice=f"Leave {alone.name} out: new rows have new identifiers, so what it tells today is lost tomorrow.",
            measure=Measure(name=f"{unit} of {alone.name} alone", value=alone.score, low=alone.low),
        )  # fmt: skip
    if alone.low >= warn:
        certain = alone.low >= fail
        return Finding(
            check=check, subject=alone.name, status=Status.FAIL if certain else Status.WARN,
            headline=f"{alone.name} {'gives' if certain else 'nearly gives'} {target} away alone ({unit} {figure(alone.score)}).",
            advice=f"Find out when {alone.name} is known. After the outcome: leave it out. Before: list it under "
                   "checks.leakage.ignore; and ask whether a rule would do instead of a model.",
            measure=Measure(name=f"{unit} of {alone.name} alone", value=alone.score, low=alone.low),
            threshold=Threshold(at_most=fail if certain else warn),
        )  # fmt: skip
    return None


def _look(series: pl.Series, truth: np.ndarray, is_key: bool) -> _Alone:
    if series.dtype.is_float():
        series = series.fill_nan(None)
    missing = series.is_null().to_numpy()
    gone, gone_low = 0.5, 0.5
    if _MISSING_SHARE <= missing.mean() <= 1 - _MISSING_SHARE:
        gone, gone_low = _tells(missing.astype(float), truth)
    codes, numbers = _codes(series)
    score, low = _out_of_fold(codes, truth)
    if truth.dtype.kind == "f" and numbers is not None and np.isfinite(numbers).all():
        straight = _straight(numbers, truth)  # bins blur a straight line's ends
        score, low = max(score, straight), max(low, straight)
    identifier = is_key or looks_like_identifier(series)
    return _Alone(series.name, score, low, gone, gone_low, float(missing.mean()), identifier)


def _straight(numbers: np.ndarray, truth: np.ndarray) -> float:
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


def _codes(series: pl.Series) -> tuple[np.ndarray, np.ndarray | None]:
    """Each row's value or range as a number; missing values have their own. Beside it the numbers, if they are."""
    if series.dtype.is_numeric() or series.dtype.is_temporal():
        physical = series.to_physical() if series.dtype.is_temporal() else series
        numbers = physical.cast(pl.Float64).fill_null(float("nan")).to_numpy()
        there = numbers[np.isfinite(numbers)]
        if np.unique(there).size <= _BINS:
            edges = np.unique(there)[:-1]
        else:
            edges = np.unique(np.quantile(there, np.linspace(0, 1, _BINS + 1)[1:-1]))
        # numpy sorts NaN above all, so missing values fall into the last bin; they are given one of their own
        codes = np.searchsorted(edges, numbers, side="left")
        return np.where(np.isnan(numbers), edges.size + 1, codes), numbers
    ranks = series.cast(pl.String).rank("dense").fill_null(0)
    return ranks.to_numpy().astype(np.int64), None


def _out_of_fold(codes: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """Score and lower bound of the mean target per code, learned on two thirds and judged on the other."""
    if truth.dtype.kind == "f":
        return _tells(_folded_means(codes, truth), truth)
    names, counts = np.unique(truth.astype(str), return_counts=True)
    kept = names[counts >= min(_MIN_CLASS_ROWS, truth.size // 4 + 1)]
    if kept.size < 2:
        return 0.5, 0.5
    chosen = kept[1:] if kept.size == 2 else kept
    each = [
        _tells(_folded_means(codes, (truth.astype(str) == name).astype(float)), truth.astype(str) == name)
        for name in chosen
    ]
    return float(np.mean([score for score, _ in each])), float(np.mean([low for _, low in each]))


def _folded_means(codes: np.ndarray, target: np.ndarray) -> np.ndarray:
    fold = np.random.default_rng(0).integers(0, _FOLDS, codes.size)
    guess = np.empty(codes.size)
    size = int(codes.max()) + 1
    for number in range(_FOLDS):
        learn, judge = fold != number, fold == number
        prior = target[learn].mean() if learn.any() else 0.0
        sums = np.bincount(codes[learn], weights=target[learn], minlength=size)
        rows = np.bincount(codes[learn], minlength=size)
        guess[judge] = ((sums + _PRIOR_ROWS * prior) / (rows + _PRIOR_ROWS))[codes[judge]]
    return guess


def _tells(guess: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """How well a guess orders two classes (AUC, either way round) or explains a number (R squared); lower bounds."""
    if truth.dtype.kind == "f":
        spread = float(((truth - truth.mean()) ** 2).sum())
        if not spread or not np.ptp(guess):
            return 0.0, 0.0
        explained = max(0.0, 1 - float(((truth - guess) ** 2).sum()) / spread)
        return explained, max(0.0, explained - 2 * (1 - explained) / np.sqrt(truth.size))
    if truth.dtype != bool:
        names, counts = np.unique(truth.astype(str), return_counts=True)
        shares = [_tells(guess, truth.astype(str) == name) for name in names[counts >= _MIN_CLASS_ROWS]]
        return max(shares, default=(0.5, 0.5), key=lambda pair: pair[1])
    turned = -guess if auc(truth, guess) < 0.5 else guess
    found = auc_interval(truth, turned)
    return found.value, found.low
