"""Findings of versions side by side: status and figure of each, and what got worse, first."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockgate.checks.finding import Finding, Status


class Verdict(StrEnum):
    """How the last version stands against the first, the worst first."""

    WORSE = "worse"
    NEW = "new"  # a trouble that the first had not
    LOST = "lost"  # looked at in the first, not in the last
    CHANGED = "changed"
    ALIKE = "alike"
    BETTER = "better"


@dataclass(frozen=True)
class Cell:
    """What one version's finding said; `low` and `high` bound the value at 95 %."""

    status: Status
    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Line:
    """One question to every version; None where a version has no such finding."""

    check: str
    subject: str
    measure: str | None
    unit: str | None
    cells: tuple[Cell | None, ...]
    verdict: Verdict
    blocks: bool  # the last version's


_RANK = {Status.FAIL: 2, Status.WARN: 1, Status.PASS: 0}
_VERSION = re.compile(r"\b[A-Za-z0-9][\w.-]*/\d+\b")


def compare_findings(versions: Sequence[Sequence[Finding]]) -> list[Line]:
    """A line per check and subject, worst first. Subjects that name a version (`against churn/1`) are one subject."""
    tables = [{(each.check, _subject(each)): each for each in findings} for findings in versions]
    keys = list(dict.fromkeys(key for table in reversed(tables) for key in table))
    lines = [_line(key, [table.get(key) for table in tables]) for key in keys]
    order = list(Verdict)
    return sorted(lines, key=lambda line: (order.index(line.verdict), -_weight(line)))


def _line(key: tuple[str, str], found: Sequence[Finding | None]) -> Line:
    last = next(finding for finding in reversed(found) if finding is not None)
    measure = last.measure
    return Line(
        check=key[0], subject=key[1], measure=measure.name if measure else None, unit=measure.unit if measure else None,
        cells=tuple(_cell(finding) for finding in found), verdict=_verdict(found[0], found[-1]),
        blocks=found[-1] is not None and found[-1].blocking,
    )  # fmt: skip


def _verdict(first: Finding | None, last: Finding | None) -> Verdict:
    if last is None:
        return Verdict.LOST
    if first is None:
        return Verdict.NEW if last.status is not Status.PASS else Verdict.CHANGED
    if Status.COULD_NOT_RUN in (first.status, last.status):
        if first.status is last.status:
            return Verdict.ALIKE
        return Verdict.LOST if last.status is Status.COULD_NOT_RUN else Verdict.CHANGED
    if first.status is not last.status:
        return Verdict.WORSE if _RANK[last.status] > _RANK[first.status] else Verdict.BETTER
    return _by_figure(first, last)


def _by_figure(first: Finding, last: Finding) -> Verdict:
    """Of one status: better or worse only where intervals lie apart and the limit says which way is better."""
    before, after = _cell(first), _cell(last)
    if before is None or after is None or None in (before.value, after.value):
        return Verdict.ALIKE
    if before.low is None or before.high is None or after.low is None or after.high is None:
        return Verdict.ALIKE if before.value == after.value else Verdict.CHANGED
    if after.low <= before.high and before.low <= after.high:
        return Verdict.ALIKE
    limit = last.threshold or first.threshold
    if limit is None or (limit.at_least is None) == (limit.at_most is None):
        return Verdict.CHANGED
    grew = after.low > before.high
    return Verdict.BETTER if grew == (limit.at_least is not None) else Verdict.WORSE


def _cell(finding: Finding | None) -> Cell | None:
    if finding is None:
        return None
    measure = finding.measure
    if measure is None or measure.value is None or not math.isfinite(measure.value):
        return Cell(finding.status)
    return Cell(finding.status, measure.value, measure.low, measure.high)


def _subject(finding: Finding) -> str:
    return _VERSION.sub("another version", finding.subject)


def _weight(line: Line) -> int:
    last = line.cells[-1]
    return (4 if line.blocks else 0) + (_RANK.get(last.status, 0) if last else 0)
