"""What the Python API returns."""

from __future__ import annotations

from lockgate.client.results import SubmittedVersion, Validated

VERSION = {
    "model": "churn",
    "number": 3,
    "digest": "sha256:ab",
    "manifest": {"compiled": {"reason": "no data"}},
}


def test_a_submission_in_words_and_by_key() -> None:
    """A few lines for people; keys and `.json` as they were sent."""
    done = SubmittedVersion({"version": VERSION, "new": True, "remarks": ["no data", "old pins"]})
    assert repr(done).splitlines() == [
        "churn/3 is sealed: sha256:ab",
        "  not compiled: no data",
        "  old pins",
        '  next: lockgate.validate("churn/3")',
    ]
    assert (done.name, done.new, done.compiled, done["version"]) == ("churn/3", True, False, VERSION)
    assert dict(done) == done.json


def test_a_validation_in_words() -> None:
    """Counts, what blocks unless it is waived, and the headlines of what did not pass."""
    findings = [
        {"check": "leakage", "status": "fail", "headline": "it knows the answer", "blocking": True},
        {"check": "quality", "status": "fail", "headline": "gaps", "blocking": True},
        {"check": "performance", "status": "pass", "headline": "good"},
    ]
    found = Validated(
        {"model": "churn", "version": 3, "findings": findings, "waivers": [{"check": "quality"}]}
    )
    assert (found.counts, found.blocking) == ({"fail": 2, "pass": 1}, ("leakage",))
    assert repr(found).splitlines() == [
        "churn/3: 2 fail, 1 pass", "  it knows the answer", "  gaps", "  blocked by leakage",
    ]  # fmt: skip
    ends = Validated({**found.json, "waivers": [{"check": "quality", "until_us": 1_000}]})
    assert ends.blocking_at(999) == ("leakage",)
    assert ends.blocking_at(1_000) == ends.blocking == ("leakage", "quality")
    assert "start_release" in repr(Validated({**found.json, "findings": findings[2:]}))
