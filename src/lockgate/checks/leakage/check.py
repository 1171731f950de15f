"""Leakage: does the model know something in training that it will not know in production?

Idea: a model that is too good is looked at for the usual ways in: an input that gives the answer alone, or by being
there at all, or together with another one; inputs that add up to the target; identifiers; rows of the test table in the
training table, as they are or nearly; subjects on both sides; training data from after the test data; columns that are only known
after the prediction is made; test rows that chose among many versions.

Settings (`checks: {leakage: {...}}`): `alone_fail`, `alone_warn` (ROC AUC or R squared of one input, or of two together),
`missing_fail`, `missing_warn` (ROC AUC of "is missing"), `overlap_fail`, `overlap_warn` (shares of test rows), `looks` (how far
choosing by the test rows may flatter), `ignore` (inputs that are known to be strong and honest; say why in the project).

Sources: Kaufman et al. (2012), Leakage in data mining, ACM TKDD 6; Kapoor and Narayanan (2023), Leakage and the
reproducibility crisis in machine-learning-based science, Patterns 4.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.base import Check, Part, could_not_run, settings_for
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.leakage.alone import Limits, lone_inputs, look_alone
from lockgate.checks.leakage.clocks import is_clock, late_inputs
from lockgate.checks.leakage.formula import exact_formulas
from lockgate.checks.leakage.looks import looked_at
from lockgate.checks.leakage.near import near_rows
from lockgate.checks.leakage.pairs import pair_inputs
from lockgate.checks.leakage.rows import known_too_late, overlapping_rows, training_after_test
from lockgate.checks.leakage.subjects import subjects_told
from lockgate.checks.needs import Need
from lockgate.governance.bounds import Setting, Stricter

NAME = "leakage"
SAMPLE_ROWS = 20_000  # enough to see a leak; keeps wide tables within seconds
_SEED = 0


class LeakageSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    alone_fail: float = 0.98
    alone_warn: float = 0.93
    missing_fail: float = 0.90
    missing_warn: float = 0.80
    overlap_fail: float = 0.05
    overlap_warn: float = 0.01
    looks: float = 0.02
    ignore: tuple[str, ...] = ()


BINDING = {
    **dict.fromkeys(
        ("alone_fail", "alone_warn", "missing_fail", "missing_warn", "overlap_fail", "overlap_warn", "looks"),
        Setting(Stricter.LOWER),
    ),
    "ignore": Setting(Stricter.FEWER),
}


def run(evidence: Evidence) -> list[Finding]:
    """All findings of this check; one that says so where nothing was found."""
    settings = settings_for(evidence, NAME, LeakageSettings)
    found = [*_targets(evidence, settings), *_rows(evidence, settings)]
    troubles = [finding for finding in found if finding.status is not Status.PASS]
    looked = [finding for finding in found if finding.status is Status.PASS]
    return [*troubles, *looked]


def _targets(evidence: Evidence, settings: LeakageSettings) -> list[Finding]:
    """What single inputs, and sums of inputs, say of the target."""
    split = evidence.seen_split()
    truth = evidence.truth(split) if split else None
    if split is None or truth is None:
        return [could_not_run(NAME, "target", "Inputs could not be held against the target: its column is not in the tables.",
                              "Name the target (target: ...) and keep its column in the training table.")]  # fmt: skip
    frame, labels = _sample(evidence.frames[split], truth)
    if not labels.size:
        return [could_not_run(NAME, "target", f"Inputs could not be held against the target: no row has a value in "
                              f"{evidence.target}.", "Give a training table whose labels are known.")]  # fmt: skip
    inputs = [name for name in evidence.inputs if name in frame.columns and name not in settings.ignore]
    target = str(evidence.target)
    formulas = [] if evidence.classifies else exact_formulas(NAME, frame, inputs, labels, target)
    spelt = {name for finding in formulas for name in finding.subject.split(" + ")}
    inputs = [name for name in inputs if name not in spelt]  # what they tell is said, and said once
    looked = look_alone(frame, inputs, labels, evidence.key)
    limits = Limits(settings.alone_fail, settings.alone_warn, settings.missing_fail, settings.missing_warn)
    found = lone_inputs(NAME, looked, labels, target=target, limits=limits, further=bool(formulas))
    told = {finding.subject: finding.status for finding in found if finding.status is not Status.PASS}
    best = max((alone.score for alone in looked if told.get(alone.name) is not Status.FAIL), default=0.0)
    rest = {alone.name: alone.score for alone in looked if alone.name not in told}
    found += pair_inputs(
        NAME,
        frame,
        rest,
        labels,
        target=target,
        best=best,
        fail=settings.alone_fail,
        warn=settings.alone_warn,
    )
    return formulas + found


def _rows(evidence: Evidence, settings: LeakageSettings) -> list[Finding]:
    """What the tables say of each other and of time."""
    found: list[Finding] = []
    judged = evidence.judged_split()
    if Split.TRAIN in evidence.frames and judged is not None:
        train, test = evidence.frames[Split.TRAIN], evidence.frames[judged]
        limits = {"fail": settings.overlap_fail, "warn": settings.overlap_warn}
        seen = train.height / evidence.whole.get(Split.TRAIN, train.height) if train.height else 1.0
        found.append(overlapping_rows(NAME, train, test, evidence.inputs, seen=seen, **limits))
        found += near_rows(NAME, train, test, evidence.inputs, **limits)
        found += subjects_told(NAME, evidence, judged, **limits)
        timed = evidence.time and evidence.time in train.columns and evidence.time in test.columns
        if timed and not is_clock(
            train[str(evidence.time)]
        ):  # an hour of the day says nothing of before and after
            found.append(training_after_test(NAME, train[str(evidence.time)], test[str(evidence.time)]))
    else:
        lacks = "training" if Split.TRAIN not in evidence.frames else "test"
        found.append(could_not_run(NAME, "rows of training in test", f"Rows could not be compared: there is no {lacks} table.",
                                   "Give both: data: {train: ..., test: ...}"))  # fmt: skip
    frame = evidence.frames.get(evidence.seen_split() or Split.TRAIN)
    if frame is not None and evidence.time in frame.columns:
        asked = [n for n in evidence.inputs if n not in settings.ignore and n not in evidence.known_at]
        found += late_inputs(NAME, frame, asked, str(evidence.time))
    if evidence.known_at:
        found += known_too_late(NAME, evidence)
    return found + looked_at(NAME, evidence, warn=settings.looks)


def _sample(frame: pl.DataFrame, truth: np.ndarray) -> tuple[pl.DataFrame, np.ndarray]:
    """At most SAMPLE_ROWS labelled rows, the same each time."""
    known = np.array([value is not None and value == value for value in truth])  # noqa: PLR0124 - NaN is not itself
    rows = np.flatnonzero(known)
    if rows.size > SAMPLE_ROWS:
        rows = np.sort(np.random.default_rng(_SEED).choice(rows, SAMPLE_ROWS, replace=False))
    return frame[rows], truth[rows]


CHECK = Check(
    NAME,
    "Does it know in training what it will not know in production?",
    (Need.TABLE,),
    LeakageSettings,
    run,
    BINDING,
    parts=(
        Part("inputs that give the target away", (Need.TARGET, Need.LABELS)),
        Part("rows of training in test", (Need.TRAIN, Need.JUDGED)),
        Part("training after test", (Need.TRAIN, Need.JUDGED, Need.TIME)),
        Part("subjects on both sides", (Need.TRAIN, Need.JUDGED, Need.GROUP)),
        Part("columns known too late", (Need.TIME, Need.KNOWN_AT)),
    ),
    quick=True,
)
