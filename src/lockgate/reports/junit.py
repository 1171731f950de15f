"""Findings as JUnit XML: build servers show each finding as a test, grouped by check.

The form is the common one (Jenkins' xunit plugin, `junit-10.xsd`): a failure blocks or fails, an error could not run and
blocks, what could not run otherwise or is waived is skipped, a warning passes with its words in `system-out`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree as ET

from lockgate.checks.finding import Finding, Status
from lockgate.clock import iso
from lockgate.reports.words import asked, check_title, measured

_REFUSED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # no XML 1.0 characters
_KEPT = ("failure", "error", "skipped")


def findings_junit(
    name: str,
    findings: Sequence[Finding],
    *,
    waived: Sequence[str] = (),
    seconds: Mapping[str, float] | None = None,
    at_us: int | None = None,
) -> str:
    """One suite a check, one case a finding. `seconds`: what each check took; `at_us`: when."""
    root = ET.Element("testsuites", name=_text(name))
    totals = dict.fromkeys(("tests", *_KEPT), 0)
    for check in dict.fromkeys(finding.check for finding in findings):
        cases = [_case(name, finding, waived) for finding in findings if finding.check == check]
        counts = {kind: sum(case.find(kind) is not None for case in cases) for kind in _KEPT}
        took = (seconds or {}).get(check, 0.0)
        about = {
            "name": _text(f"{name}: {check_title(check)}"), "tests": str(len(cases)), "failures": str(counts["failure"]),
            "errors": str(counts["error"]), "skipped": str(counts["skipped"]), "time": f"{took:.3f}",
        }  # fmt: skip
        suite = ET.SubElement(
            root, "testsuite", {**about, **({"timestamp": iso(at_us)[:19]} if at_us else {})}
        )
        suite.extend(cases)
        totals["tests"] += len(cases)
        for kind, count in counts.items():
            totals[kind] += count
    root.set("tests", str(totals["tests"]))
    root.set("failures", str(totals["failure"]))
    root.set("errors", str(totals["error"]))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _case(name: str, finding: Finding, waived: Sequence[str]) -> ET.Element:
    author = f" (by {finding.author})" if finding.author else ""  # two people may write of one subject
    subject = _text(f"{finding.subject}{author}")
    case = ET.Element("testcase", classname=_text(f"{name}.{finding.check}"), name=subject, time="0")
    words = _words(finding)
    let_pass = finding.check in waived and finding.blocking
    if let_pass:
        ET.SubElement(case, "skipped", message=_text(f"waived: {finding.headline}"))
    elif finding.status is Status.COULD_NOT_RUN and finding.blocking:
        ET.SubElement(case, "error", type="could_not_run", message=_text(finding.headline)).text = words
    elif finding.status is Status.COULD_NOT_RUN:
        ET.SubElement(case, "skipped", message=_text(finding.headline))
    elif finding.status is Status.FAIL or finding.blocking:
        ET.SubElement(
            case, "failure", type=finding.status.value, message=_text(finding.headline)
        ).text = words
    ET.SubElement(case, "system-out").text = words
    return case


def _words(finding: Finding) -> str:
    unit = finding.measure.unit if finding.measure else None
    limit = asked(finding.threshold, unit)
    parts = [finding.headline, measured(finding.measure), f"limit: {limit}" if limit else "", finding.advice]
    return _text("\n".join(part for part in parts if part))


def _text(text: str) -> str:
    """Text that XML can hold: names of columns come from strangers.

    >>> _text("a\\x00b")
    'a?b'
    """
    return _REFUSED.sub("?", text)
