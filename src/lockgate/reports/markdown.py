"""Findings as Markdown: a pull request's comment, a build's summary, a page in a wiki."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

from lockgate.checks.finding import Finding, Status, Table, worst_first
from lockgate.reports.words import LABELS, asked, cell, check_title, measured, tally, verdict

_SPECIAL = re.compile(r"([\\`*_{}\[\]#|~])")
_ROWS_SHOWN = 10


def findings_markdown(name: str, findings: Sequence[Finding], waived: Sequence[str] = ()) -> str:
    """Verdict, one section per trouble with figures, advice and table, and a list of what is in order."""
    counts = ", ".join(f"{count} {LABELS[status]}" for status, count in tally(findings))
    parts = [f"## {plain(name)}: {counts or 'no findings'}", plain(verdict(findings, waived))]
    ordered = worst_first(findings)
    parts += [_trouble(finding, waived) for finding in ordered if finding.status is not Status.PASS]
    passed = [f"- {plain(check_title(finding.check))}: {plain(finding.headline)}"
              for finding in ordered if finding.status is Status.PASS]  # fmt: skip
    if passed:
        parts.append("### In order\n" + "\n".join(passed))
    return "\n\n".join(parts) + "\n"


def plain(text: str) -> str:
    """Text without the power to be Markdown or HTML: names of columns come from strangers.

    >>> plain("a*b <script>")
    'a\\\\*b &lt;script&gt;'
    """
    return _SPECIAL.sub(r"\\\1", escape(" ".join(text.split()), quote=False))


def _trouble(finding: Finding, waived: Sequence[str]) -> str:
    blocks = finding.blocking and finding.check not in waived
    note = " (blocks)" if blocks else " (waived)" if finding.blocking else ""
    by = f" (by {plain(finding.author)})" if finding.author else ""
    said = LABELS[finding.status].capitalize()
    lines = [f"### {said}: {plain(check_title(finding.check))}, {plain(finding.subject)}{by}{note}",
             plain(finding.headline)]  # fmt: skip
    limit = asked(finding.threshold, finding.measure.unit if finding.measure else None)
    figures = "; ".join(
        part for part in (measured(finding.measure), f"limit: {limit}" if limit else "") if part
    )
    if figures:
        lines.append(f"*{plain(figures)}*")
    if finding.advice:
        lines.append(f"**What to do:** {plain(finding.advice)}")
    if finding.table and finding.table.rows:
        lines.append(_table(finding.table))
    return "\n\n".join(lines)


def _table(table: Table) -> str:
    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(plain(text) for text in cells) + " |"

    rows = [
        line(
            [
                cell(value, share=column in table.shares)
                for column, value in zip(table.columns, row, strict=True)
            ]
        )
        for row in table.rows[:_ROWS_SHOWN]
    ]
    return "\n".join([line(table.columns), "|" + " --- |" * len(table.columns), *rows])
