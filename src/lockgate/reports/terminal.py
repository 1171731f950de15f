"""Findings in the terminal: the verdict, then the worst first with what to do; what is in order on one line each."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from lockgate.checks.finding import Finding, Status, worst_first
from lockgate.reports.words import LABELS, asked, check_title, measured, tally, verdict

_STYLES = {Status.FAIL: "bold red", Status.WARN: "yellow", Status.COULD_NOT_RUN: "cyan", Status.PASS: "green"}
_SIGNS = {Status.FAIL: "✗", Status.WARN: "!", Status.COULD_NOT_RUN: "?", Status.PASS: "✓"}


def findings_text(name: str, findings: Sequence[Finding], waived: Sequence[str] = ()) -> RenderableType:
    """Everything about one validation, to be printed by a rich console (colours only where the terminal has them)."""
    lines: list[RenderableType] = [_head(name, findings, waived), Text()]
    ordered = worst_first(findings)
    for finding in ordered:
        if finding.status is not Status.PASS:
            lines += [*_trouble(finding, waived), Text()]
    passed = [finding for finding in ordered if finding.status is Status.PASS]
    lines += [_passed(finding) for finding in passed]
    return Group(*lines)


def _head(name: str, findings: Sequence[Finding], waived: Sequence[str]) -> Text:
    counts = Text(", ").join(
        Text(f"{count} {LABELS[status]}", style=_STYLES[status]) for status, count in tally(findings)
    )
    return Text.assemble((name, "bold"), "  ", counts, "\n", verdict(findings, waived))


def _trouble(finding: Finding, waived: Sequence[str]) -> list[RenderableType]:
    blocks = finding.blocking and finding.check not in waived
    note = "  BLOCKS" if blocks else "  waived" if finding.blocking else ""
    style = _STYLES[finding.status]
    author = f" (by {finding.author})" if finding.author else ""
    head = Text.assemble(
        (f"{_SIGNS[finding.status]} {check_title(finding.check)}: {finding.subject}{author}", style),
        (note, "bold red"),
    )
    lines: list[RenderableType] = [head, Padding(Text(finding.headline), (0, 0, 0, 2))]
    limit = asked(finding.threshold, finding.measure.unit if finding.measure else None)
    figures = " · ".join(
        part for part in (measured(finding.measure), f"limit: {limit}" if limit else "") if part
    )
    if figures:
        lines.append(Padding(Text(figures, style="dim"), (0, 0, 0, 2)))
    if finding.advice:
        lines.append(Padding(Text.assemble(("→ ", style), finding.advice), (0, 0, 0, 2)))
    return lines


def _passed(finding: Finding) -> Text:
    return Text.assemble(
        (f"{_SIGNS[finding.status]} ", _STYLES[finding.status]),
        (f"{check_title(finding.check)}: ", "dim"),
        finding.headline,
    )
