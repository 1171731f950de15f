"""What is wrong with a table: its contract, the checks of the quick suite that need no model, and what it shares with the table
that it is tested against. Each finding names the step of a pipeline that repairs it, where a step can.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status
from lockgate.checks.leakage.check import run as leakage
from lockgate.checks.quality.check import run as quality
from lockgate.checks.values import numbers_of
from lockgate.datasets.versions import DataVersion
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task
from lockgate.reports.data_repairs import AS_A_STEP, DUPLICATES, Looked, Named, with_step

CONTRACT = "contract"
MOST_NAMED = 60
FEW_CLASSES = 20  # whole numbers of so many values are classes
_BETWEEN = ("new types", "unseen categories", "out of range", "repeated subjects", "new classes in")
_BOTH = ("rows of training in test", "rows nearly of training in test", "time (")
_SIDES = "on both sides"


def named(frame: pl.DataFrame, target: str = "", time: str = "", group: str = "") -> Named:
    """The columns of these names that the table has; the others are its inputs."""
    there = {what: name if name in frame.columns else None for what, name in
             (("target", target), ("time", time), ("group", group))}  # fmt: skip
    beside = (there["target"], there["group"])
    return Named(inputs=tuple(name for name in frame.columns if name not in beside), **there)


def table_findings(data: DataVersion, frame: pl.DataFrame, about: Named) -> list[Finding]:
    """What a table breaks of its contract, and what the quick checks say of it alone; passes of quality are kept, so that a page
    can say so. Raises InvalidInput for a target that is none of its columns."""
    if about.target is not None and about.target not in frame.columns:
        raise InvalidInput(
            f"{data.full} has no column '{about.target[:80]}'", allowed=", ".join(frame.columns[:MOST_NAMED])
        )
    broken = [
        Finding(check=CONTRACT, subject=one.column or "the table", status=Status.FAIL,
                headline=f"{one.found}; expected: {one.expected}.", advice=one.repair)
        for one in data.broken
    ]  # fmt: skip
    evidence = _evidence(frame, about, {Split.TRAIN: frame})
    found = [*quality(evidence), *_told(leakage(evidence), about)]
    looked = Looked(frame, about)
    return [*broken, *(with_step(each, looked) for each in found), *_repeated(data, frame)]


def findings_beside(frame: pl.DataFrame, part: Split, other: pl.DataFrame, about: Named) -> list[Finding]:
    """What a table that is trained on and one that it is tested against share, and must not; or what only one of them holds.

    `part`: what `frame` is. Steps repair `frame`.
    """
    train, test = (frame, other) if part is Split.TRAIN else (other, frame)
    judged = part if part is not Split.TRAIN else Split.TEST
    both = tuple(name for name in about.inputs if name in other.columns)
    evidence = _evidence(
        train, Named(both, about.target, about.time, about.group), {Split.TRAIN: train, judged: test}
    )
    found = [each for each in quality(evidence) if each.subject.startswith(_BETWEEN)]
    found += [
        each for each in leakage(evidence) if each.subject.startswith(_BOTH) or each.subject.endswith(_SIDES)
    ]
    worth = [each for each in found if each.status in (Status.FAIL, Status.WARN)]
    looked = Looked(frame, about, part, other)
    return [with_step(each, looked) for each in worth]


def _evidence(seen: pl.DataFrame, about: Named, frames: dict[Split, pl.DataFrame]) -> Evidence:
    target = about.target
    task = Task.CLASSIFICATION if target is not None and _are_classes(seen[target]) else Task.OTHER
    return Evidence(
        task=task, inputs=about.inputs, target=target, time=about.time, group=about.group, frames=frames
    )


def _told(found: Sequence[Finding], about: Named) -> list[Finding]:
    """What leakage says of inputs and the target, where one is named."""
    worth = (Status.FAIL, Status.WARN)
    return [each for each in found if each.status in worth and about.target is not None]


def _are_classes(labels: pl.Series) -> bool:
    """Whether labels are classes: words, truth values, or whole numbers of a few values."""
    if labels.dtype == pl.Boolean:
        return True
    if labels.dtype.is_numeric():
        return labels.dtype.is_integer() and labels.n_unique() <= FEW_CLASSES
    return int(np.isfinite(numbers_of(labels)).sum()) < len(labels) - labels.null_count()


def _repeated(data: DataVersion, frame: pl.DataFrame) -> list[Finding]:
    """Rows that stand there more than once."""
    again, rows = data.profile.repeated, data.rows
    if again is None:  # of before they were counted
        flat = frame.select(name for name in frame.columns if not frame[name].dtype.is_nested())
        again, rows = frame.height - flat.n_unique() if flat.width else 0, frame.height
    if not again:
        return []
    measure = Measure(name="repeated rows", value=again / rows, unit="share")
    return [Finding(check="rows", subject="repeated", status=Status.WARN, measure=measure,
                    headline=f"{again:,} of {rows:,} rows stand there before.",
                    advice=f"Take them out, unless each is a case of its own. {AS_A_STEP}{DUPLICATES}")]  # fmt: skip
