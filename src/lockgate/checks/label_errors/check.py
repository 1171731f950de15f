"""Label errors: are labels of the training rows wrong, how many, and which?

Idea: models that have not seen a row say what its label should be (`learners`). How many labels are wrong is read off where
these models are sure, since hard rows are contradicted only where they are unsure (`noise`); which, from how strongly
each is contradicted. Labels that are numbers: rows farther off than any honest tail (`outliers`).

Settings (`checks: {label_errors: {...}}`): `warn`, `fail` (share of wrong labels, its whole interval beyond), `gross` (share
of numbers that are gross errors), `rows` (at most so many are read).

Sources: Northcutt, Jiang and Chuang (2021), Confident learning, JAIR 70; Wichmann and Hill (2001), Perception &
Psychophysics 63; Menon et al. (2015), ICML.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta

from lockgate.checks.base import Check, could_not_run, figure, sampled, settings_for, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.label_errors.learners import Told, tell_classes, tell_numbers
from lockgate.checks.label_errors.noise import ranked, share_of_wrong
from lockgate.checks.label_errors.outliers import gross_errors
from lockgate.checks.matrix import reader_of
from lockgate.checks.needs import Need
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import Interval, wilson

NAME = "label_errors"
_FEWEST = 150
_CLASS_ROWS = 10
_MOST_CLASSES = 100
_SHOWN = 20
_BY_HAND = "Have some rows labelled a second time, and compare."
_GROSS_ROWS = 3  # one or two strange rows are no pattern


@dataclass(frozen=True, eq=False)
class _Labelled:
    """The n rows that are judged: inputs (n, k), labels, and their numbers in the table, counted from 0."""

    matrix: np.ndarray
    truth: np.ndarray
    rows: np.ndarray


class LabelSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    warn: float = 0.03
    fail: float = 0.15
    gross: float = 0.001
    rows: Annotated[int, Meta(ge=1)] = 20_000


BINDING = {
    **dict.fromkeys(("warn", "fail", "gross"), Setting(Stricter.LOWER)),
    "rows": Setting(Stricter.HIGHER),
}


def run(evidence: Evidence) -> list[Finding]:
    """One finding: the share of wrong labels, and the rows to look at."""
    settings = settings_for(evidence, NAME, LabelSettings)
    split = evidence.seen_split() or Split.TRAIN
    truth, frame = evidence.truth(split), evidence.frames[split]
    if truth is None:
        return [could_not_run(NAME, "labels", f"{split_name(split).capitalize()} have no labels.",
                              "See that the table has the target column.")]  # fmt: skip
    rows = np.flatnonzero(_usable(truth, evidence.classifies))
    draw = sampled(evidence, NAME, rows.size, settings.rows)
    rows = rows[draw.rows]
    inputs = [name for name in evidence.inputs
              if name in frame.columns and name not in {evidence.key, evidence.target, *evidence.pictures}]  # fmt: skip
    known = frame[rows]
    matrix = reader_of(known, inputs).read(known) if rows.size >= _FEWEST else np.empty((rows.size, 0))
    classes = np.unique(truth[rows].astype(str)) if evidence.classifies else np.empty(0)
    lacks = _lacks(rows.size, matrix.shape[1], classes.size if evidence.classifies else None)
    if lacks:
        more = f"Give more labelled rows of {split_name(split)}."
        return [
            could_not_run(NAME, "labels", lacks, more if rows.size < _FEWEST or matrix.shape[1] else _BY_HAND)
        ]
    judge = _of_classes if evidence.classifies else _of_numbers
    finding = judge(evidence, split, _Labelled(matrix, truth[rows], rows), settings)
    return [msgspec.structs.replace(finding, advice=f"{finding.advice} {draw.said}".strip())]


def _usable(truth: np.ndarray, classifies: bool) -> np.ndarray:
    """Rows with a label, and of classes that have enough rows to be learned."""
    if not classifies:
        return np.asarray(np.abs(truth.astype(float)) < 1e30)
    there = np.array([value is not None for value in truth], dtype=bool)
    names, counts = np.unique(truth[there].astype(str), return_counts=True)
    return there & np.isin(truth.astype(str), names[counts >= _CLASS_ROWS])


def _lacks(rows: int, columns: int, classes: int | None) -> str:
    if rows < _FEWEST:
        return f"{rows} labelled rows are too few to tell wrong labels from hard rows (at least {_FEWEST})."
    if not columns:
        return "No input can be used to say what labels should be: free text, pictures, identifiers and constants are not read."
    if classes is not None and not 2 <= classes <= _MOST_CLASSES:
        said = f"Labels of {classes} class{'es' if classes != 1 else ''} cannot be held against each other"
        return f"{said} (2 to {_MOST_CLASSES})."
    return ""


def _of_classes(evidence: Evidence, split: Split, labelled: _Labelled, settings: LabelSettings) -> Finding:
    rows = labelled.rows
    names, codes = np.unique(labelled.truth.astype(str), return_inverse=True)
    told = tell_classes(labelled.matrix, codes, names.size, _random(evidence))
    share = share_of_wrong(told.probabilities, codes)
    status = _status(share, settings.warn, settings.fail)
    if status is Status.PASS:
        return _in_order(evidence, split, share, settings.warn)
    order, rather = ranked(told.probabilities, codes)
    count = min(order.size, round(share.value * rows.size))
    listed = tuple(
        (int(rows[at]), str(names[codes[at]]), *_says(told, int(at), int(to), names))
        for at, to in zip(order[: min(count, _SHOWN)], rather, strict=False)
    )
    return Finding(
        check=NAME, subject=f"labels of {split_name(split)}", status=status,
        headline=f"About {figure(share.value, 'share')} of the labels of {split_name(split)} seem wrong "
                 f"({count:,} of {rows.size:,}): they contradict models that are sure.",
        advice=f"Look at the listed rows first, by hand; the surest is row {rows[order[0]]}." if order.size else
               _BY_HAND,
        measure=_measure(share), threshold=Threshold(at_most=settings.warn),
        table=Table(columns=("row", "label", "rather", "surely", "similar rows that agree"),
                    rows=listed, shares=("surely", "similar rows that agree")),
    )  # fmt: skip


def _says(told: Told, at: int, rather: int, names: np.ndarray) -> tuple[str, float, float]:
    """What a row rather is, how surely, and how many of its similar rows are that."""
    return (
        str(names[rather]),
        round(float(told.probabilities[at, rather]), 3),
        round(float(told.similar[at, rather]), 2),
    )


def _of_numbers(evidence: Evidence, split: Split, labelled: _Labelled, settings: LabelSettings) -> Finding:
    values, rows = labelled.truth.astype(float), labelled.rows
    if np.unique(values).size < _CLASS_ROWS:
        return could_not_run(NAME, "labels", f"{evidence.target} has too few different numbers to speak of outliers.",
                             "If they are classes, declare task: classification.")  # fmt: skip
    expected = tell_numbers(labelled.matrix, values, _random(evidence))
    order, times = gross_errors(values, expected)
    share = wilson(order.size, rows.size)
    enough = order.size >= _GROSS_ROWS and share.value >= settings.gross
    if not enough:
        return _in_order(evidence, split, share, settings.gross)
    listed = tuple(
        (int(rows[at]), float(f"{values[at]:.6g}"), float(f"{expected[at]:.6g}"), round(float(far), 1))
        for at, far in zip(order[:_SHOWN], times[:_SHOWN], strict=True)
    )
    return Finding(
        check=NAME, subject=f"labels of {split_name(split)}", status=Status.WARN,
        headline=f"{order.size:,} of {rows.size:,} labels of {split_name(split)} lie farther from what is expected than any "
                 f"honest tail; the farthest is row {rows[order[0]]} ({figure(values[order[0]])}).",
        advice="Look for wrong units and slipped decimal points in the listed rows, by hand.",
        measure=_measure(share), threshold=Threshold(at_most=settings.gross),
        table=Table(columns=("row", "label", "expected", "times the limit"), rows=listed),
    )  # fmt: skip


def _status(share: Interval, warn: float, fail: float) -> Status:
    if share.low >= fail:
        return Status.FAIL
    return Status.WARN if share.low >= warn else Status.PASS


def _in_order(evidence: Evidence, split: Split, share: Interval, limit: float) -> Finding:
    return Finding(
        check=NAME, subject=f"labels of {split_name(split)}", status=Status.PASS,
        headline=f"No sign that labels of {split_name(split)} ({evidence.target}) are wrong beyond what is usual.",
        measure=_measure(share), threshold=Threshold(at_most=limit),
    )  # fmt: skip


def _measure(share: Interval) -> Measure:
    return Measure(name="wrong labels", value=share.value, unit="share", low=share.low, high=share.high)


def _random(evidence: Evidence) -> int:
    return int(evidence.random(NAME).integers(2**31))


CHECK = Check(
    NAME,
    "Are labels wrong, how many, and which?",
    (Need.TABLE, Need.TARGET, Need.LABELS),
    LabelSettings,
    run,
    BINDING,
)
