"""Data quality: are there columns that no model should learn from, and values that training never showed?

Idea: a table is read column by column for what goes wrong in life: constants, copies, empty columns, numbers that stand
for "missing", text among numbers, identifiers, labels that lack; then the test table is held against the training table
for unseen categories and values out of range. One finding per kind of trouble, with its columns.

Settings (`checks: {quality: {...}}`): `mostly_missing`, `unseen_warn`, `unseen_fail`, `out_of_range` (shares of rows),
`labels_missing` (share), `subjects` (share of test rows whose subject training has),
`class_rows` (fewest rows of a class), `ignore` (columns not to look at).

Sources: Schelter et al. (2018), Automating large-scale data quality verification, VLDB 11; Hynes, Sculley and Terry
(2017), The data linter, NIPS ML Systems.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.base import Check, Part, figure, settings_for, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.needs import Need
from lockgate.checks.quality.columns import TROUBLES, troubles_of
from lockgate.checks.quality.subjects import repeated_subjects
from lockgate.checks.quality.tables import out_of_range, unseen_categories
from lockgate.governance.bounds import Setting, Stricter

NAME = "quality"


class QualitySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    mostly_missing: float = 0.95
    unseen_warn: float = 0.01
    unseen_fail: float = 0.5
    out_of_range: float = 0.01
    labels_missing: float = 0.01
    subjects: float = 0.01
    class_rows: int = 10
    ignore: tuple[str, ...] = ()


BINDING = {
    **dict.fromkeys(
        ("mostly_missing", "unseen_warn", "unseen_fail", "out_of_range", "labels_missing", "subjects"),
        Setting(Stricter.LOWER),
    ),
    "class_rows": Setting(Stricter.HIGHER),
    "ignore": Setting(Stricter.FEWER),
}


def run(evidence: Evidence) -> list[Finding]:
    """One finding per kind of trouble; one that says so where there is none."""
    settings = settings_for(evidence, NAME, QualitySettings)
    split = evidence.seen_split() or Split.TRAIN
    frame = evidence.frames[split]
    names = [name for name in evidence.inputs if name in frame.columns and name not in settings.ignore]
    found = _columns(frame.select(names), split, settings.mostly_missing, key=evidence.key)
    judged = evidence.judged_split()
    if Split.TRAIN in evidence.frames and judged is not None:
        train, test = evidence.frames[Split.TRAIN], evidence.frames[judged]
        both = [name for name in names if name in test.columns]
        found += unseen_categories(
            NAME, train, test, both, warn=settings.unseen_warn, fail=settings.unseen_fail
        )
        found += out_of_range(NAME, train, test, both, limit=settings.out_of_range)
        if evidence.group is not None:
            found += repeated_subjects(NAME, train, test, evidence.group, settings.subjects)
    for each in evidence.frames:
        found += _labels(evidence, each, settings)
    if found:
        return found
    return [Finding(
        check=NAME, subject="all columns", status=Status.PASS,
        headline=f"Nothing wrong was found in {len(names)} columns of {frame.height:,} rows.",
        measure=Measure(name="columns in trouble", value=0.0),
    )]  # fmt: skip


def _columns(frame: pl.DataFrame, split: Split, mostly_missing: float, *, key: str | None) -> list[Finding]:
    """A finding per kind of trouble with single columns, in the order of TROUBLES."""
    troubles = troubles_of(frame, mostly_missing=mostly_missing, key=key)
    found = []
    for kind in TROUBLES:
        rows = [trouble for trouble in troubles if trouble.kind == kind.name]
        if not rows:
            continue
        listed = ", ".join(trouble.column for trouble in rows[:5]) + (
            f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        )
        found.append(Finding(
            check=NAME, subject=kind.title, status=kind.status,
            headline=kind.sentence.format(columns=listed, example=rows[0].what, where=split_name(split)),
            advice=kind.advice, measure=Measure(name=f"columns: {kind.title}", value=float(len(rows))),
            threshold=Threshold(at_most=0.0),
            table=Table(columns=("column", "what", "share of rows"), shares=("share of rows",),
                        rows=tuple((trouble.column, trouble.what, round(trouble.share, 4)) for trouble in rows)),
        ))  # fmt: skip
    return found


def _labels(evidence: Evidence, split: Split, settings: QualitySettings) -> list[Finding]:
    """Missing labels, one class only, classes of few rows, classes that training lacks."""
    truth = evidence.truth(split)
    if truth is None:
        return []
    there = np.array([value is not None and value == value for value in truth])  # noqa: PLR0124 - NaN is not itself
    missing = 1 - float(there.mean())
    found = []
    if missing > settings.labels_missing:
        found.append(Finding(
            check=NAME, subject=f"labels of {split_name(split)}", status=Status.FAIL if missing > 0.5 else Status.WARN,
            headline=f"{figure(missing, 'share')} of {split_name(split)} have no value in {evidence.target}.",
            advice="Find out which rows lack a label: if it is not by chance, figures on the others mislead.",
            measure=Measure(name="rows without a label", value=missing, unit="share"),
            threshold=Threshold(at_most=settings.labels_missing),
        ))  # fmt: skip
    names, counts = np.unique(truth[there].astype(str), return_counts=True)
    if names.size == 1:
        found.append(Finding(
            check=NAME, subject=f"labels of {split_name(split)}", status=Status.FAIL,
            headline=f"Every label of {split_name(split)} is {names[0]}: nothing can be learned or judged.",
            advice="See that the right column is the target, and that the table holds more than one outcome.",
            measure=Measure(name="distinct labels", value=1.0), threshold=Threshold(at_least=2.0),
        ))  # fmt: skip
    elif evidence.classifies:
        found += _classes(
            evidence, split, dict(zip(names.tolist(), counts.tolist(), strict=True)), settings.class_rows
        )
    return found


def _classes(evidence: Evidence, split: Split, counts: dict[str, int], fewest: int) -> list[Finding]:
    found = []
    few = {name: rows for name, rows in counts.items() if rows < fewest}
    if few:
        found.append(Finding(
            check=NAME, subject=f"rare classes in {split_name(split)}", status=Status.WARN,
            headline=f"{', '.join(few)} {'has' if len(few) == 1 else 'have'} fewer than {fewest} rows among {split_name(split)}.",
            advice="Collect more rows of these classes, or join them with another class.",
            measure=Measure(name="classes of few rows", value=float(len(few))), threshold=Threshold(at_most=0.0),
            table=Table(columns=("class", "rows"), rows=tuple(few.items())),
        ))  # fmt: skip
    trained = evidence.truth(Split.TRAIN)
    if split is not Split.TRAIN and trained is not None:
        new = sorted(set(counts) - {str(name) for name in trained})
        if new:
            found.append(Finding(
                check=NAME, subject=f"new classes in {split_name(split)}", status=Status.FAIL,
                headline=f"{', '.join(new)} {'is' if len(new) == 1 else 'are'} never seen in training.",
                advice="The model cannot answer what it never saw: train with these classes, or leave their rows out.",
                measure=Measure(name="classes never seen", value=float(len(new))), threshold=Threshold(at_most=0.0),
            ))  # fmt: skip
    return found


CHECK = Check(
    NAME,
    "Which columns are constant, copied, empty, mixed or new?",
    (Need.TABLE,),
    QualitySettings,
    run,
    BINDING,
    parts=(
        Part("labels", (Need.TARGET, Need.LABELS)),
        Part("what training never showed", (Need.TRAIN, Need.JUDGED)),
    ),
    quick=True,
)
