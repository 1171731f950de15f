"""What a check found: one status, one sentence that anyone understands, one figure with its interval, what to do.

Findings are values: no HTML, no drawing, no database. Reports draw them, the store keeps them, approvals sign them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from hashlib import sha256

import msgspec

Cell = str | int | float | bool | None


class Status(StrEnum):
    """How it stands, the worst first. "Could not run" is no failure: something was not there to look at."""

    FAIL = "fail"
    WARN = "warn"
    COULD_NOT_RUN = "could_not_run"
    PASS = "pass"  # noqa: S105


class PlotKind(StrEnum):
    """What `reports` can draw. The data of each is described in docs/findings.md."""

    BARS = "bars"
    HISTOGRAMS = "histograms"
    CALIBRATION = "calibration"
    ROC = "roc"
    FOREST = "forest"
    LINE = "line"
    CURVE = "curve"
    HEATMAP = "heatmap"


class Measure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The figure that was judged; `low` and `high` bound it at 95 % where that is known. `unit` "share" is 0..1."""

    name: str
    value: float | None
    unit: str | None = None
    low: float | None = None
    high: float | None = None


class Threshold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the figure was held against, and who asked for it: `the goal`, `settings`, `lockgate`."""

    at_least: float | None = None
    at_most: float | None = None
    source: str = "lockgate"


class Table(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A small table behind the sentence. `shares`: the columns whose numbers are shares, shown in per cent."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shares: tuple[str, ...] = ()


class Plot(msgspec.Struct, frozen=True, kw_only=True):
    """What to draw: plain lists and numbers, nothing of the drawing."""

    kind: PlotKind
    title: str
    data: dict[str, object]


class Finding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer of one check about one subject (a metric, a column, a slice, a pair of tables).

    `blocking`: the version may not go on before this is mended or waived. `author`: who wrote a finding from outside
    (a validator's own test); None for lockgate's checks. `source`: digest of the file of a check of their own.
    """

    check: str
    subject: str
    status: Status
    headline: str
    advice: str = ""
    measure: Measure | None = None
    threshold: Threshold | None = None
    table: Table | None = None
    plot: Plot | None = None
    blocking: bool = False
    author: str | None = None
    source: str | None = None


_ORDER = {status: place for place, status in enumerate(Status)}


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Blocking ones, then failures, warnings, what could not run, what is in order; within that as they came."""
    return sorted(findings, key=lambda finding: (not finding.blocking, _ORDER[finding.status]))


def block(findings: Sequence[Finding], required: Iterable[str]) -> list[Finding]:
    """The findings with `blocking` set by what a policy requires.

    Of a required check, each failure blocks; and where nothing of it could run, each of its "could not run" does. A
    required check that left no finding at all gets a blocking one.
    """
    must = tuple(required)
    ran = {finding.check for finding in findings if finding.status is not Status.COULD_NOT_RUN}
    judged = []
    for finding in findings:
        unseen = finding.status is Status.COULD_NOT_RUN and finding.check not in ran
        blocks = finding.check in must and (finding.status is Status.FAIL or unseen)
        judged.append(msgspec.structs.replace(finding, blocking=blocks or _stands(finding)))
    left_out = [name for name in must if name not in {finding.check for finding in findings}]
    return judged + [_not_there(name) for name in left_out]


def digest_of(findings: Iterable[Finding]) -> str:
    """`sha256:...` over a list of findings, whatever its order."""
    parts = sorted(msgspec.json.encode(finding, order="deterministic") for finding in findings)
    return "sha256:" + sha256(b"[" + b",".join(parts) + b"]").hexdigest()


def _stands(finding: Finding) -> bool:
    """A person's own finding blocks when its author said so; no policy takes that back."""
    return finding.author is not None and finding.blocking


def _not_there(name: str) -> Finding:
    return Finding(
        check=name,
        subject="the whole check",
        status=Status.COULD_NOT_RUN,
        headline=f"The policy requires the check '{name}', and it was not part of this suite.",
        advice="Run the model's whole suite: lockgate validate MODEL/VERSION",
        blocking=True,
    )
