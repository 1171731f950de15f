"""Findings as SARIF 2.1.0 (OASIS, 2020): code hosts show each finding as an annotation, a rule per check.

What is in order is told as `pass`, what could not run as `notApplicable`, or as an error when it blocks. The place of a
finding is the project's file, because that is what a person edits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from lockgate.checks.finding import Finding, Status, worst_first
from lockgate.reports.words import asked, check_title, measured

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Status.FAIL: "error", Status.WARN: "warning", Status.PASS: "none", Status.COULD_NOT_RUN: "none"}
_KINDS = {
    Status.FAIL: "fail",
    Status.WARN: "fail",
    Status.PASS: "pass",
    Status.COULD_NOT_RUN: "notApplicable",
}


def findings_sarif(
    name: str,
    findings: Sequence[Finding],
    *,
    version: str,
    waived: Mapping[str, str] | None = None,
    place: str = "lockgate.yaml",
    about: Mapping[str, str] | None = None,
) -> str:
    """One run with one result a finding, worst first. `waived`: check -> reason; `version`: of lockgate."""
    ordered = worst_first(findings)
    checks = list(dict.fromkeys(finding.check for finding in ordered))
    run = {
        "tool": {
            "driver": {
                "name": "lockgate", "semanticVersion": version, "rules": [_rule(check) for check in checks],
            }
        },
        "automationDetails": {"id": f"lockgate/{name}/"},
        "properties": dict(about or {}),
        "results": [_result(name, finding, checks.index(finding.check), waived or {}, place) for finding in ordered],
    }  # fmt: skip
    return (
        json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False)
        + "\n"
    )


def _rule(check: str) -> dict[str, Any]:
    return {"id": check, "name": check_title(check).title().replace(" ", ""),
            "shortDescription": {"text": f"{check_title(check)} of a model version"},
            "defaultConfiguration": {"level": "warning"}}  # fmt: skip


def _result(name: str, finding: Finding, rule: int, waived: Mapping[str, str], place: str) -> dict[str, Any]:
    blocked = finding.blocking and finding.status is Status.COULD_NOT_RUN
    unit = finding.measure.unit if finding.measure else None
    limit = asked(finding.threshold, unit)
    words = [finding.headline, measured(finding.measure), f"Limit: {limit}." if limit else "", finding.advice]
    fingerprint = sha256(f"{name.partition('/')[0]}\0{finding.check}\0{finding.subject}".encode()).hexdigest()
    result: dict[str, Any] = {
        "ruleId": finding.check, "ruleIndex": rule,
        "level": "error" if blocked else _LEVELS[finding.status],
        "kind": "fail" if blocked else _KINDS[finding.status],
        "message": {"text": " ".join(word for word in words if word)},
        "locations": [{
            "physicalLocation": {"artifactLocation": {"uri": place}, "region": {"startLine": 1}},
            "logicalLocations": [{"fullyQualifiedName": f"{name}: {finding.subject}", "kind": "member"}],
        }],
        "partialFingerprints": {"finding/v1": fingerprint},
        "properties": {"subject": finding.subject, "status": finding.status.value, "blocking": finding.blocking},
    }  # fmt: skip
    if finding.blocking and finding.check in waived:
        result["suppressions"] = [{"kind": "external", "justification": waived[finding.check]}]
    return result
