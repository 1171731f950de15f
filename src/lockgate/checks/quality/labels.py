"""Part of the quality check: labels that are missing, of one kind only, rare, new, or cut off at the top."""

from __future__ import annotations

import numpy as np

from lockgate.checks.base import figure, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.listing import few, short
from lockgate.checks.quality.numbers import cut_off

_SHOWN = 20
_CUT_VALUES = 20  # ratings of few values have a largest one by nature


def labels(check: str, evidence: Evidence, split: Split, *, missing: float, class_rows: int) -> list[Finding]:
    """What is wrong with the target of one table. `missing`: the share that warns; `class_rows`: fewest rows of a class."""
    truth = evidence.truth(split)
    if truth is None:
        return []
    there = np.array([value is not None and value == value for value in truth])  # noqa: PLR0124 - NaN is not itself
    found = _missing(check, evidence, split, 1 - float(there.mean()), missing)
    names, counts = np.unique(truth[there].astype(str), return_counts=True)
    if names.size == 1:
        found.append(Finding(
            check=check, subject=f"labels of {split_name(split)}", status=Status.FAIL,
            headline=f"Every label of {split_name(split)} is {short(str(names[0]))}: nothing can be learned or judged.",
            advice="See that the right column is the target, and that the table holds more than one outcome.",
            measure=Measure(name="distinct labels", value=1.0), threshold=Threshold(at_least=2.0),
        ))  # fmt: skip
    elif evidence.classifies:
        kinds = dict(zip(names.tolist(), counts.tolist(), strict=True))
        found += _rare(check, split, kinds, class_rows) + _new(check, evidence, split, kinds)
    elif split is evidence.seen_split():
        found += _cut(check, evidence, split, truth[np.isfinite(truth)])
    return found


def _missing(check: str, evidence: Evidence, split: Split, share: float, limit: float) -> list[Finding]:
    if not share > limit:
        return []
    return [Finding(
        check=check, subject=f"labels of {split_name(split)}", status=Status.FAIL if share > 0.5 else Status.WARN,
        headline=f"{figure(share, 'share')} of {split_name(split)} have no value in {evidence.target}.",
        advice="Find out which rows lack a label: if it is not by chance, figures on the others mislead.",
        measure=Measure(name="rows without a label", value=share, unit="share"), threshold=Threshold(at_most=limit),
    )]  # fmt: skip


def _rare(check: str, split: Split, counts: dict[str, int], fewest: int) -> list[Finding]:
    rare = {name: rows for name, rows in counts.items() if rows < fewest}
    if not rare:
        return []
    return [Finding(
        check=check, subject=f"rare classes in {split_name(split)}", status=Status.WARN,
        headline=f"{few(rare)} {'has' if len(rare) == 1 else 'have'} fewer than {fewest} rows among {split_name(split)}.",
        advice="Collect more rows of these classes, or join them with another class.",
        measure=Measure(name="classes of few rows", value=float(len(rare))), threshold=Threshold(at_most=0.0),
        table=Table(columns=("class", "rows"), rows=tuple(rare.items())[:_SHOWN]),
    )]  # fmt: skip


def _new(check: str, evidence: Evidence, split: Split, counts: dict[str, int]) -> list[Finding]:
    trained = evidence.truth(Split.TRAIN)
    if split is Split.TRAIN or trained is None:
        return []
    new = sorted(set(counts) - {str(name) for name in trained})
    if not new:
        return []
    return [Finding(
        check=check, subject=f"new classes in {split_name(split)}", status=Status.FAIL,
        headline=f"{few(new)} {'is' if len(new) == 1 else 'are'} never seen in training.",
        advice="The model cannot answer what it never saw: train with these classes, or leave their rows out.",
        measure=Measure(name="classes never seen", value=float(len(new))), threshold=Threshold(at_most=0.0),
    )]  # fmt: skip


def _cut(check: str, evidence: Evidence, split: Split, values: np.ndarray) -> list[Finding]:
    """A pile at the largest label: what lies beyond was cut off."""
    cut = cut_off(*np.unique(values, return_counts=True), values=_CUT_VALUES) if values.size else None
    if cut is None:
        return []
    share = cut.rows / values.size
    return [Finding(
        check=check, subject=f"{evidence.target} is cut off", status=Status.WARN,
        headline=f"{evidence.target} seems to be cut off at {cut.value:g}: {cut.rows:,} of {split_name(split)} "
                 f"({figure(share, 'share')}) have that largest value, those just below at most {cut.below:,} rows each.",
        advice="Rows at the limit are truly larger by an unknown amount, so the model answers too low there. Get the uncut "
               "values, or say to those who use the answers that they end there.",
        measure=Measure(name="rows at the largest value", value=share, unit="share"),
    )]  # fmt: skip
