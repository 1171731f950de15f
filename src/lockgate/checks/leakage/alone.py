"""Part of the leakage check: inputs that give the answer alone, by their value, by being there, or as identifiers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.leakage.tells import (
    Right,
    codes_of,
    numbers_in,
    out_of_fold,
    right_answers,
    straight,
    tells,
)

_MISSING_SHARE = 0.005
_IDENTIFIER_AUC, _IDENTIFIER_R2 = 0.60, 0.10
_FEW_ROWS = 2_000  # with more, the bound of the area says as much
_TAKEN = 0.8  # of the wrong answers that guessing leaves
_SHOWN = 15


@dataclass(frozen=True)
class Limits:
    """From where on a lower bound warns or fails: of an input's values, of its being missing."""

    fail: float
    warn: float
    missing_fail: float
    missing_warn: float


@dataclass(frozen=True)
class Alone:
    """How well one input tells the target by itself; `low` bounds it from below. `right`: of classes in few rows."""

    name: str
    score: float
    low: float
    missing: float
    missing_low: float
    missing_share: float
    identifier: bool
    right: Right | None = None


def look_alone(frame: pl.DataFrame, inputs: list[str], truth: np.ndarray, key: str | None) -> list[Alone]:
    """How well each input tells the target by itself, the strongest first.

    The score is the ROC AUC (more classes: the mean over classes) or R squared of the mean target per value or range,
    learned on other rows than it is judged on.
    """
    looked = [_look(frame[name], truth, name == key) for name in inputs if not frame[name].dtype.is_nested()]
    return sorted(looked, key=lambda alone: -alone.score)


def lone_inputs(
    check: str, looked: list[Alone], truth: np.ndarray, *, target: str, limits: Limits, further: bool = False
) -> list[Finding]:
    """A finding per input that alone tells the target too well, else one that names the strongest; lower bounds decide.

    `further`: others that do so together were named before.
    """
    unit = "R squared" if truth.dtype.kind == "f" else "ROC AUC"
    judged = [_judge(check, alone, target, unit, limits) for alone in looked]
    found = [finding for finding in judged if finding is not None]
    return found or (
        [_strongest(check, looked, target, unit, limits.warn, further=further)] if looked else []
    )


def _strongest(
    check: str, looked: list[Alone], target: str, unit: str, warn: float, *, further: bool
) -> Finding:
    best, none = looked[0], "No other input" if further else "No input"
    return Finding(
        check=check, subject="single inputs", status=Status.PASS,
        headline=f"{none} gives {target} away alone; the strongest, {best.name}, reaches {unit} {figure(best.score)}.",
        measure=Measure(name=f"{unit} of {best.name} alone", value=best.score), threshold=Threshold(at_most=warn),
        table=Table(columns=("input", f"{unit} alone", "missing"), shares=("missing",),
                    rows=tuple((alone.name, round(alone.score, 4), round(alone.missing_share, 4)) for alone in looked[:_SHOWN])),
        plot=Plot(kind=PlotKind.BARS, title=f"{unit} of each input alone", data={
            "bars": [{"name": alone.name, "value": alone.score} for alone in looked[:_SHOWN]], "unit": None, "axis": unit}),
    )  # fmt: skip


def _judge(check: str, alone: Alone, target: str, unit: str, limits: Limits) -> Finding | None:
    """The worst that can be said of one input, if anything."""
    if alone.missing_low >= limits.missing_warn:
        status = Status.FAIL if alone.missing_low >= limits.missing_fail else Status.WARN
        return Finding(
            check=check, subject=alone.name, status=status,
            headline=f"Whether {alone.name} is missing tells {target} almost alone (ROC AUC {figure(alone.missing)}).",
            advice=f"Leave {alone.name} out: it seems to be filled in after the outcome is known.",
            measure=Measure(name=f"ROC AUC of '{alone.name} is missing'", value=alone.missing, low=alone.missing_low),
            threshold=Threshold(at_most=limits.missing_warn),
        )  # fmt: skip
    if alone.identifier and alone.low >= (_IDENTIFIER_AUC if unit == "ROC AUC" else _IDENTIFIER_R2):
        return Finding(
            check=check, subject=alone.name, status=Status.FAIL,
            headline=f"{alone.name} looks like an identifier and still tells {target} ({unit} {figure(alone.score)}).",
            advice=f"Leave {alone.name} out: new rows have new identifiers, so what it tells today is lost tomorrow.",
            measure=Measure(name=f"{unit} of {alone.name} alone", value=alone.score, low=alone.low),
        )  # fmt: skip
    if alone.low >= limits.warn:
        certain = alone.low >= limits.fail
        return Finding(
            check=check, subject=alone.name, status=Status.FAIL if certain else Status.WARN,
            headline=f"{alone.name} {'gives' if certain else 'nearly gives'} {target} away alone ({unit} {figure(alone.score)}).",
            advice=f"Find out when {alone.name} is known. After the outcome: leave it out. Before: list it under "
                   "checks.leakage.ignore; and ask whether a rule would do instead of a model.",
            measure=Measure(name=f"{unit} of {alone.name} alone", value=alone.score, low=alone.low),
            threshold=Threshold(at_most=limits.fail if certain else limits.warn),
        )  # fmt: skip
    return _almost_always_right(check, alone, target, limits)


def _almost_always_right(check: str, alone: Alone, target: str, limits: Limits) -> Finding | None:
    """Few rows leave the area in doubt, of each class more than of all together: there right answers are counted."""
    right = alone.right
    if right is None or alone.score < limits.fail or right.taken < _TAKEN:
        return None
    return Finding(
        check=check, subject=alone.name, status=Status.WARN,
        headline=f"{alone.name} alone gives the right {target} in {right.hits:,} of {right.rows:,} rows.",
        advice=f"Find out when {alone.name} is known. After the outcome: leave it out. Before: list it under "
               "checks.leakage.ignore; and ask whether a rule would do instead of a model.",
        measure=Measure(name=f"wrong answers that {alone.name} alone takes away", value=right.taken, unit="share"),
        threshold=Threshold(at_most=_TAKEN),
    )  # fmt: skip


def _look(series: pl.Series, truth: np.ndarray, is_key: bool) -> Alone:
    if series.dtype.is_float():
        series = series.fill_nan(None)
    missing = series.is_null().to_numpy()
    gone, gone_low = 0.5, 0.5
    if _MISSING_SHARE <= missing.mean() <= 1 - _MISSING_SHARE:
        gone, gone_low = tells(missing.astype(float), truth)
    codes = codes_of(series)
    score, low = out_of_fold(codes, truth)
    right = right_answers(codes, truth) if truth.dtype.kind != "f" and truth.size <= _FEW_ROWS else None
    numbers = numbers_in(series)
    if truth.dtype.kind == "f" and numbers is not None and np.isfinite(numbers).all():
        line = straight(numbers, truth)  # bins blur a straight line's ends
        score, low = max(score, line), max(low, line)
    identifier = is_key or looks_like_identifier(series)
    return Alone(series.name, score, low, gone, gone_low, float(missing.mean()), identifier, right)
