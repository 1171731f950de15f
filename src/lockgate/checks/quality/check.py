"""Data quality: are there columns that no model should learn from, and values that training never showed?

Idea: a table is read column by column for what goes wrong in life: constants, copies, empty columns, numbers that stand
for "missing", text among numbers, one category in several spellings, garbled letters, columns that say the same, piles at a
limit, identifiers, labels that lack, rows in the order of the label; then the test table is held against the training table
for new types, unseen categories and values out of range. One finding per kind of trouble, with its columns.

Settings (`checks: {quality: {...}}`): `mostly_missing`, `unseen_warn`, `unseen_fail`, `out_of_range` (shares of rows),
`labels_missing` (share), `subjects` (share of test rows whose subject training has),
`class_rows` (fewest rows of a class), `alike` (correlation of two columns that say the same), `order_changes` (how often
labels change from row to row, of what chance gives), `order_ranks` (correlation of a number with its place in the file),
`ignore` (columns not to look at).

Sources: Schelter et al. (2018), Automating large-scale data quality verification, VLDB 11; Hynes, Sculley and Terry
(2017), The data linter, NIPS ML Systems.
"""

from __future__ import annotations

import msgspec
import polars as pl

from lockgate.checks.base import Check, Part, settings_for, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.listing import few
from lockgate.checks.needs import Need
from lockgate.checks.quality.columns import troubles_of
from lockgate.checks.quality.kinds import TROUBLES
from lockgate.checks.quality.labels import labels
from lockgate.checks.quality.order import sorted_rows
from lockgate.checks.quality.subjects import repeated_subjects
from lockgate.checks.quality.tables import new_types, out_of_range, unseen_categories
from lockgate.checks.subjects import known_subjects
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
    alike: float = 0.999
    order_changes: float = 0.2
    order_ranks: float = 0.9
    ignore: tuple[str, ...] = ()


BINDING = {
    **dict.fromkeys(
        (
            "mostly_missing",
            "unseen_warn",
            "unseen_fail",
            "out_of_range",
            "labels_missing",
            "subjects",
            "alike",
            "order_ranks",
        ),
        Setting(Stricter.LOWER),
    ),
    **dict.fromkeys(("class_rows", "order_changes"), Setting(Stricter.HIGHER)),
    "ignore": Setting(Stricter.FEWER),
}


def run(evidence: Evidence) -> list[Finding]:
    """One finding per kind of trouble; one that says so where there is none."""
    settings = settings_for(evidence, NAME, QualitySettings)
    split = evidence.seen_split() or Split.TRAIN
    frame = evidence.frames[split]
    names = [name for name in evidence.inputs if name in frame.columns and name not in settings.ignore]
    found = _columns(frame.select(names), split, settings, key=evidence.key)
    found += _between(evidence, names, settings)
    for each in evidence.frames:
        found += labels(NAME, evidence, each, missing=settings.labels_missing, class_rows=settings.class_rows)
    found += sorted_rows(NAME, evidence, split, changes=settings.order_changes, order=settings.order_ranks)
    if found:
        return found
    return [Finding(
        check=NAME, subject="all columns", status=Status.PASS,
        headline=f"Nothing wrong was found in {len(names)} columns of {frame.height:,} rows.",
        measure=Measure(name="columns in trouble", value=0.0),
    )]  # fmt: skip


def _between(evidence: Evidence, names: list[str], settings: QualitySettings) -> list[Finding]:
    """What the judged table holds that the training table never showed, and subjects that stand in both."""
    judged = evidence.judged_split()
    if Split.TRAIN not in evidence.frames or judged is None:
        return []
    train, test = evidence.frames[Split.TRAIN], evidence.frames[judged]
    changed = new_types(NAME, train, test, [name for name in names if name in test.columns])
    gone = {str(row[0]) for finding in changed if finding.table for row in finding.table.rows}
    both = [name for name in names if name in test.columns and name not in gone]
    found = unseen_categories(NAME, train, test, both, warn=settings.unseen_warn, fail=settings.unseen_fail)
    found += out_of_range(NAME, train, test, both, limit=settings.out_of_range)
    if evidence.group is not None:
        truths = evidence.truth(Split.TRAIN), evidence.truth(judged)
        shared = known_subjects(train, test, evidence.group, *truths)
        found += repeated_subjects(NAME, shared, evidence.group, settings.subjects) if shared else []
    return changed + found


def _columns(
    frame: pl.DataFrame, split: Split, settings: QualitySettings, *, key: str | None
) -> list[Finding]:
    """A finding per kind of trouble with single columns, in the order of TROUBLES."""
    troubles = troubles_of(frame, mostly_missing=settings.mostly_missing, correlation=settings.alike, key=key)
    found = []
    for kind in TROUBLES:
        rows = [trouble for trouble in troubles if trouble.kind == kind.name]
        if not rows:
            continue
        listed = few(dict.fromkeys(trouble.column for trouble in rows))
        example = f"; in {rows[0].column}: {rows[0].what}" if len(rows) > 1 else f": {rows[0].what}"
        found.append(Finding(
            check=NAME, subject=kind.title, status=kind.status,
            headline=kind.sentence.format(columns=listed, example=example, where=split_name(split)),
            advice=kind.advice, measure=Measure(name=f"columns: {kind.title}", value=float(len(rows))),
            threshold=Threshold(at_most=0.0),
            table=Table(columns=("column", "what", "share of rows"), shares=("share of rows",),
                        rows=tuple((trouble.column, trouble.what, round(trouble.share, 4)) for trouble in rows)),
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
