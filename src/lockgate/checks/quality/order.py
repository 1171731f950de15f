"""Part of the quality check: do the rows of the file stand in the order of the target?

Classes: how often the label changes from one row to the next, as a part of what shuffled rows would show (Wald and Wolfowitz
1940, On a test whether two samples are from the same population, Annals of Mathematical Statistics 11). Numbers: the
correlation of ranks with the place in the file. Rows in order of time are left alone: there the order means something.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.base import figure, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.values import times_of
from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.stats.intervals import Interval, wilson

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

_FEWEST_ROWS = 50
_CHANGES = 20.0  # that many changes of label are expected by chance, so that few of them mean something
_IN_ORDER = 0.99


def sorted_rows(
    check: str, evidence: Evidence, split: Split, *, changes: float, order: float
) -> list[Finding]:
    """A warning where labels change less than `changes` times as often as by chance, or ranks go with rows beyond `order`."""
    truth = evidence.truth(split)
    if truth is None or truth.size < _FEWEST_ROWS or _in_time(evidence, evidence.frames[split]):
        return []
    if not evidence.classifies:
        return _rising(check, evidence, split, truth, order)
    codes = np.unique(truth.astype(str), return_inverse=True)[1]
    ratio = changes_of(codes)
    if ratio is None or ratio.high >= changes:
        return []
    said = f"The label changes {figure(ratio.value, 'share')} as often from row to row as it would in shuffled rows"
    measure = Measure(name="changes of the label, of those by chance", value=ratio.value, unit="share", low=ratio.low,
                      high=ratio.high)  # fmt: skip
    return [
        msgspec.structs.replace(
            _finding(check, evidence, split, said, measure), threshold=Threshold(at_least=changes)
        )
    ]


def changes_of(codes: np.ndarray) -> Interval | None:
    """How often n codes change from one to the next, as a part of what chance gives; None where chance gives few.

    >>> changes_of(np.repeat([0, 1], 100)).value < 0.02
    True
    """
    shares = np.bincount(codes) / codes.size
    chance = float(1 - (shares**2).sum()) * codes.size / max(codes.size - 1, 1)
    if chance * (codes.size - 1) < _CHANGES:
        return None
    seen = wilson(int((codes[1:] != codes[:-1]).sum()), codes.size - 1)
    return Interval(seen.value / chance, seen.low / chance, seen.high / chance)


def _rising(check: str, evidence: Evidence, split: Split, truth: np.ndarray, order: float) -> list[Finding]:
    there = np.isfinite(truth)
    if there.sum() < _FEWEST_ROWS or not np.ptp(truth[there]):
        return []
    found = float(stats.spearmanr(np.flatnonzero(there), truth[there]).statistic)
    if abs(found) < order:
        return []
    said = f"The target {'rises' if found > 0 else 'falls'} with the place in the file"
    measure = Measure(name="correlation of ranks with the place in the file", value=found)
    return [
        msgspec.structs.replace(
            _finding(check, evidence, split, said, measure), threshold=Threshold(at_most=order)
        )
    ]


def _finding(check: str, evidence: Evidence, split: Split, said: str, measure: Measure) -> Finding:
    return Finding(
        check=check, subject="order of rows", status=Status.WARN,
        headline=f"{said}: {split_name(split)} seem to stand in the order of {evidence.target}.",
        advice="Shuffle the rows before any split by place and before training in batches, and see that no input tells the "
               "place in the file (a row number, a page, a day of export).",
        measure=measure,
    )  # fmt: skip


def _in_time(evidence: Evidence, frame: pl.DataFrame) -> bool:
    """Whether rows stand in order of a time: the declared one, or any column of days."""
    for series in frame.iter_columns():
        named = series.name == evidence.time
        text = series.dtype == pl.String and _reads_as_time(series)
        dated = series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime)
        if (named or text or dated) and series.name != evidence.target and _ascends(series):
            return True
    return False


def _reads_as_time(series: pl.Series) -> bool:
    """Whether the first value looks like a day, so that it is worth reading all of them."""
    first = series.drop_nulls().head(1).to_list()
    return (
        bool(first)
        and len(first[0]) <= 40
        and sum(sign.isdigit() for sign in first[0]) >= 4
        and "-" in first[0][4:]
    )


def _ascends(series: pl.Series) -> bool:
    try:
        times = times_of(series)
    except InvalidInput:
        return False
    times = times[np.isfinite(times)]
    steps = np.diff(times)
    if not steps.size or not np.ptp(times):
        return False
    return max(float((steps >= 0).mean()), float((steps <= 0).mean())) >= _IN_ORDER
