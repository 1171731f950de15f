"""A validation in every form in which it leaves the house."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version as installed

import msgspec

from lockgate.checks.store import Validation
from lockgate.clock import iso
from lockgate.reports.html import report_page
from lockgate.reports.junit import findings_junit
from lockgate.reports.markdown import findings_markdown
from lockgate.reports.sarif import findings_sarif


class Form(StrEnum):
    """A form of report."""

    HTML = "html"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    SARIF = "sarif"
    JSON = "json"


@dataclass(frozen=True)
class Made:
    """A report and its media type."""

    body: str
    media: str


def report_in(form: Form, validation: Validation, *, name: str, now_us: int) -> Made:
    """The validation in that form. `now_us`: waivers that have lapsed by then count no more."""
    held = [waiver for waiver in validation.waivers if waiver.holds(now_us)]
    waived = [waiver.check for waiver in held]
    if form is Form.MARKDOWN:
        return Made(findings_markdown(name, validation.findings, waived), "text/markdown")
    if form is Form.JUNIT:
        seconds = {used.check: used.wall_s for used in validation.used}
        made = findings_junit(
            name, validation.findings, waived=waived, seconds=seconds, at_us=validation.recorded_us
        )
        return Made(made, "application/xml")
    if form is Form.SARIF:
        made = findings_sarif(
            name, validation.findings, version=installed("lockgate"),
            waived={waiver.check: waiver.reason for waiver in held},
            about={"package": validation.package, "validation": validation.digest, "suite": validation.suite,
                   "policy": validation.policy, "validated": iso(validation.recorded_us)},
        )  # fmt: skip
        return Made(made, "application/sarif+json")
    if form is Form.JSON:
        return Made(
            msgspec.json.format(msgspec.json.encode(validation), indent=2).decode() + "\n", "application/json"
        )
    return Made(report_page(validation, name=name, now_us=now_us), "text/html")
