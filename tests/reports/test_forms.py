"""Forms for programs: JUnit, SARIF, JSON Schema; each as its readers want it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree as ET

import jsonschema
import msgspec
import pytest
from tests.reports.test_reports import ALL, EVIL, LEAK, UNSEEN, validation

from lockgate.checks.finding import Finding, Status
from lockgate.checks.store import Usage, Waiver
from lockgate.reports.forms import Form, report_in
from lockgate.reports.junit import findings_junit
from lockgate.reports.schema import validation_schema

NOW_US = 1_700_000_000_000_000
PUBLISHED = Path(__file__).parents[2] / "docs/schema/validation.json"
LEVELS = {"none", "note", "warning", "error"}
# of each element: attributes that must be there, that may be, and what may lie in it (Jenkins' xunit plugin, junit-10.xsd)
SUITE = {
    "tests",
    "failures",
    "errors",
    "skipped",
    "time",
    "timestamp",
    "hostname",
    "id",
    "package",
    "disabled",
}
JUNIT = {
    "testsuites": (set(), {"name", "time", "tests", "failures", "errors", "disabled"}, {"testsuite"}),
    "testsuite": ({"name"}, SUITE, {"properties", "testcase", "testsuite", "system-out", "system-err"}),
    "testcase": ({"name", "classname"}, {"time", "assertions", "status", "file", "line"},
                 {"skipped", "error", "failure", "system-out", "system-err"}),
    "failure": (set(), {"type", "message"}, set()), "error": (set(), {"type", "message"}, set()),
    "skipped": (set(), {"type", "message"}, set()), "system-out": (set(), set(), set()),
}  # fmt: skip
TIME = r"(([0-9]{0,3},)*[0-9]{3}|[0-9]{0,3})*(\.[0-9]{0,3})?"
KINDS = {"pass", "open", "informational", "notApplicable", "review", "fail"}


def made(form: Form, **more: object) -> str:
    """A report of all kinds of findings."""
    return report_in(form, validation(**more), name="churn/3", now_us=NOW_US).body


def test_junit_counts_what_its_cases_say():
    """Suites and totals agree with their cases; a failure and a blocking "could not run" are told apart."""
    blocked = msgspec.structs.replace(UNSEEN, blocking=True)
    used = (Usage(check="leakage", wall_s=1.25, cpu_s=1.0, peak_bytes=1, rows=0),)
    root = ET.fromstring(made(Form.JUNIT, findings=(*ALL[:2], blocked, LEAK), used=used))
    assert (root.tag, root.get("tests"), root.get("failures"), root.get("errors")) == (
        "testsuites",
        "4",
        "1",
        "1",
    )
    for suite in root:
        cases = suite.findall("testcase")
        assert suite.get("tests") == str(len(cases))
        for kind, name in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert suite.get(kind) == str(sum(case.find(name) is not None for case in cases))
        assert all(case.get("classname") and case.get("name") for case in cases)
    assert {suite.get("name"): suite.get("time") for suite in root}["churn/3: Leakage"] == "1.250"
    assert EVIL in root.find(".//failure").get("message")


def test_junit_keeps_the_rules_of_its_readers():
    """Elements, attributes, times and totals as Jenkins' schema wants them; names that tell every case apart."""
    blocked = msgspec.structs.replace(UNSEEN, blocking=True)
    by_people = [msgspec.structs.replace(LEAK, author=who) for who in ("vera", "vito")]
    waiver = Waiver(check="leakage", reason="seen", by="vera", at_us=1)
    used = (Usage(check="leakage", wall_s=1234.5, cpu_s=1.0, peak_bytes=1, rows=0),)
    text = made(Form.JUNIT, findings=(*ALL, blocked, *by_people), waivers=(waiver,), used=used)
    assert text.startswith("<?xml version='1.0' encoding='utf-8'?>\n<testsuites ")
    root = ET.fromstring(text.encode())
    for element in root.iter():
        must, may, inside = JUNIT[element.tag]
        assert must <= set(element.keys()) <= must | may
        assert {child.tag for child in element} <= inside
        assert re.fullmatch(TIME, element.get("time", "0"))
        assert all(element.get(name, "0").isdecimal() for name in ("tests", "failures", "errors", "skipped"))
        assert re.fullmatch(
            r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.get("timestamp", "2024-01-31T12:00:00")
        )
    for name in ("tests", "failures", "errors"):
        assert int(root.get(name)) == sum(int(suite.get(name)) for suite in root)
    cases = root.findall("testsuite/testcase")
    assert len(cases) == len(ALL) + 3
    assert (
        len({(case.get("classname"), case.get("name")) for case in cases}) == len(cases) - 1
    )  # UNSEEN stands there twice
    assert all(
        sum(case.find(end) is not None for end in ("failure", "error", "skipped")) <= 1 for case in cases
    )


def test_junit_holds_any_text():
    """Control characters, which no XML holds, are replaced; the file is read again as it was meant."""
    odd = Finding(check="quality", subject="a\x00\x1bb", status=Status.WARN, headline="<&>\ud800 \x0b end")
    case = ET.fromstring(findings_junit("m/1", [odd]).encode("utf-8", "replace")).find(".//testcase")
    assert case.get("name") == "a??b"
    assert "<&>" in case.find("system-out").text


def test_a_waiver_skips_until_it_lapses():
    """A check that is let pass is skipped in JUnit and suppressed in SARIF; after its end it fails again."""
    waiver = Waiver(
        check="leakage", reason="known early", by="vera", at_us=1, owner="otto", until_us=NOW_US + 1
    )
    for ends_us, state in ((NOW_US + 1, "skipped"), (NOW_US, "failure")):
        held = msgspec.structs.replace(waiver, until_us=ends_us)
        case = ET.fromstring(made(Form.JUNIT, waivers=(held,))).find(
            ".//testcase[@classname='churn/3.leakage']"
        )
        assert case.find(state) is not None
        result = json.loads(made(Form.SARIF, waivers=(held,)))["runs"][0]["results"][0]
        assert (result.get("suppressions") is not None) == (state == "skipped")
        assert ("known early (vera" in made(Form.HTML, waivers=(held,))) == (state == "skipped")
    assert "until 2023-11-14; otto sees to it" in made(Form.HTML, waivers=(waiver,))


def test_sarif_keeps_the_rules_of_its_standard():
    """Version, known levels and kinds, indices of rules, absolute URI of the schema, a fingerprint each (OASIS 2020)."""
    log = json.loads(made(Form.SARIF))
    assert log["version"] == "2.1.0"
    assert log["$schema"].startswith("https://")
    (run,) = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules) == 4
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in LEVELS
        assert result["kind"] in KINDS
        assert result["kind"] == "fail" or result["level"] == "none"  # section 3.27.9
        assert result["message"]["text"]
        assert set(result["partialFingerprints"]) == {"finding/v1"}
        assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "lockgate.yaml"
    assert [result["level"] for result in run["results"]] == ["error", "warning", "none", "none"]


def test_the_schema_is_published_and_true():
    """docs/schema holds the schema that the types give; every form of validation satisfies it, a wrong one does not."""
    schema = validation_schema()
    assert json.loads(PUBLISHED.read_text()) == schema
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(made(Form.JSON)), schema)
    waiver = Waiver(check="leakage", reason="r", by="vera", at_us=1)
    used = (Usage(check="leakage", wall_s=1.0, cpu_s=1.0, peak_bytes=1, rows=0),)
    jsonschema.validate(json.loads(made(Form.JSON, waivers=(waiver,), used=used, baseline="x")), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**json.loads(made(Form.JSON)), "findings": [{"check": "x"}]}, schema)


@pytest.mark.parametrize("form", Form)
def test_every_form_tells_what_blocks(form):
    """The worst headline is in each of them."""
    body = made(form)
    assert "gives the target away" in body
