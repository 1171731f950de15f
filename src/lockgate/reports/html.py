"""The report of a validation as one HTML file: verdict, findings worst first, plots inside, no script, no address.

It reads on a light screen, a dark one, a phone and on paper.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lockgate.checks.finding import Cell, Finding, Status, Table, worst_first
from lockgate.checks.store import Validation
from lockgate.clock import iso
from lockgate.reports.charts import draw
from lockgate.reports.words import LABELS, asked, cell, check_title, measured, tally, verdict, waiver_words

_ROWS_SHOWN = 20
_LONG = 6  # a longer table beside a picture is folded
_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, undefined=StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """One finding, ready for the template."""

    anchor: str
    check: str
    subject: str
    status: str
    label: str
    headline: str
    advice: str
    figures: str
    asked: str
    author: str | None
    blocks: bool
    waiver: str | None
    plot: Markup | None
    plot_title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, bool], ...], ...]  # (text, is a number)
    more_rows: int


def report_page(
    validation: Validation,
    *,
    name: str | None = None,
    facts: Mapping[str, str] | None = None,
    now_us: int | None = None,
) -> str:
    """A recorded validation as a whole page. `facts`: further lines for its head (owner, tier, code commit); `now_us`: when
    it is looked at (default: when it was recorded), for waivers lapse."""
    about = {
        "package": validation.package, "suite": validation.suite, "policy": validation.policy,
        **{f"{split} data": digest for split, digest in validation.data.items()},
        "findings": validation.digest, "seed": str(validation.seed),
        "validated": f"{iso(validation.recorded_us)} by {validation.author}", **(facts or {}),
    }  # fmt: skip
    waived = {
        waiver.check: waiver_words(waiver)
        for waiver in validation.waivers
        if waiver.holds(validation.recorded_us if now_us is None else now_us)
    }
    return findings_page(
        name or f"{validation.model}/{validation.version}", validation.findings, about=about, waived=waived
    )


def findings_page(
    name: str,
    findings: Sequence[Finding],
    *,
    about: Mapping[str, str] | None = None,
    waived: Mapping[str, str] | None = None,
) -> str:
    """Findings as a whole page, recorded or not. `waived`: check -> who let it pass and why."""
    return _TEMPLATES.get_template("report.html").render(_words(name, findings, about or {}, waived or {}))


def findings_part(findings: Sequence[Finding], *, waived: Mapping[str, str] | None = None) -> Markup:
    """The same findings as a piece for another page, which brings `styles()` along."""
    return Markup(_TEMPLATES.get_template("findings.html").render(_words("", findings, {}, waived or {})))  # noqa: S704 - ours


def styles() -> Markup:
    """The style sheet that findings need."""
    return Markup(_TEMPLATES.get_template("report.css").render())  # noqa: S704 - ours


def _words(
    name: str, findings: Sequence[Finding], about: Mapping[str, str], waived: Mapping[str, str]
) -> dict[str, object]:
    ordered = [
        show(finding, waived.get(finding.check), number)
        for number, finding in enumerate(worst_first(findings), 1)
    ]
    blocked = any(finding.blocks for finding in ordered)
    worst = "fail" if blocked else next((finding.status for finding in ordered), "pass")
    return {
        "name": name, "about": about, "verdict": verdict(findings, tuple(waived)), "worst": worst, "style": styles,
        "tally": [(status.value, LABELS[status], count) for status, count in tally(findings)],
        "overview": _overview(ordered), "long": _LONG,
        "troubles": [finding for finding in ordered if finding.status != Status.PASS],
        "passed": [finding for finding in ordered if finding.status == Status.PASS],
    }  # fmt: skip


def show(finding: Finding, waiver: str | None, number: int) -> Shown:
    """One finding in words, with its plot drawn."""
    table = finding.table or Table(columns=(), rows=())
    unit = finding.measure.unit if finding.measure else None
    return Shown(
        anchor=f"{number}-" + re.sub(r"[^a-z0-9]+", "-", f"{finding.check} {finding.subject}".lower()).strip("-"),
        check=check_title(finding.check),
        subject="" if finding.subject == finding.check else finding.subject, status=finding.status.value,
        label=LABELS[finding.status], headline=finding.headline, advice=finding.advice, figures=measured(finding.measure),
        asked=asked(finding.threshold, unit), author=finding.author, blocks=finding.blocking and waiver is None,
        waiver=waiver if finding.blocking else None,
        plot=Markup(draw(finding.plot)) if finding.plot else None,  # noqa: S704 - drawn by us, names escaped by vl-convert
        plot_title=finding.plot.title if finding.plot else "", columns=table.columns,
        rows=tuple(_cells(table, row, _numeric(table)) for row in table.rows[:_ROWS_SHOWN]),
        more_rows=max(0, len(table.rows) - _ROWS_SHOWN),
    )  # fmt: skip


def _cells(table: Table, row: tuple[Cell, ...], numeric: tuple[bool, ...]) -> tuple[tuple[str, bool], ...]:
    return tuple((cell(value, share=column in table.shares), number)
                 for column, value, number in zip(table.columns, row, numeric, strict=True))  # fmt: skip


def _numeric(table: Table) -> tuple[bool, ...]:
    """Which columns hold numbers, missing ones aside."""
    columns = [
        [row[place] for row in table.rows if row[place] is not None] for place in range(len(table.columns))
    ]
    return tuple(
        bool(values)
        and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
        for values in columns
    )


def _overview(shown: Sequence[Shown]) -> list[tuple[str, str, str, str, int]]:
    """A line per check: title, worst status, its label, where its first finding stands, how many; worst first."""
    lines: dict[str, tuple[str, str, str, str, int]] = {}
    for each in shown:
        title, status, label, anchor, count = lines.get(
            each.check, (each.check, each.status, each.label, each.anchor, 0)
        )
        lines[each.check] = (title, status, label, anchor, count + 1)
    return list(lines.values())
