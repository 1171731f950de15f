"""Findings side by side: what got worse comes first, and noise is not called a change."""

from __future__ import annotations

from lockgate.checks.compare import Verdict, compare_findings
from lockgate.checks.finding import Finding, Measure, Status, Threshold


def finding(
    subject: str, status: Status, value: float | None = None, spread: float = 0.01, **more
) -> Finding:
    """A finding with a figure and its interval."""
    measure = (
        None if value is None else Measure(name=subject, value=value, low=value - spread, high=value + spread)
    )
    return Finding(check="performance", subject=subject, status=status, headline="h", measure=measure, **more)


LEAST, MOST = Threshold(at_least=0.5), Threshold(at_most=0.5)


def test_verdicts_follow_status_then_figures():
    """A worse status is worse; of one status only figures whose intervals lie apart count, the right way round."""
    before = [
        finding("auc", Status.PASS, 0.80, threshold=LEAST),
        finding("error", Status.PASS, 0.20, threshold=MOST),
        finding("steady", Status.PASS, 0.80, threshold=LEAST),
        finding("slices", Status.PASS),
        finding("against churn/1", Status.WARN),
        finding("gone", Status.PASS),
        finding("unbound", Status.PASS, 0.3),
        finding("labels", Status.COULD_NOT_RUN),
    ]
    after = [
        finding("auc", Status.PASS, 0.90, threshold=LEAST),
        finding("error", Status.PASS, 0.30, threshold=MOST),
        finding("steady", Status.PASS, 0.81, threshold=LEAST),
        finding("slices", Status.FAIL, blocking=True),
        finding("against churn/2", Status.PASS),
        finding("fresh", Status.WARN),
        finding("unbound", Status.PASS, 0.6),
        finding("labels", Status.COULD_NOT_RUN),
    ]
    lines = compare_findings([before, after])
    assert {line.subject: line.verdict for line in lines} == {
        "slices": Verdict.WORSE, "error": Verdict.WORSE, "fresh": Verdict.NEW, "gone": Verdict.LOST,
        "unbound": Verdict.CHANGED, "steady": Verdict.ALIKE, "labels": Verdict.ALIKE, "auc": Verdict.BETTER,
        "against another version": Verdict.BETTER,
    }  # fmt: skip
    assert lines[0].subject == "slices"
    assert lines[0].blocks
    assert lines[0].cells[1] is not None
    assert [cell.value for cell in next(line for line in lines if line.subject == "error").cells] == [
        0.2,
        0.3,
    ]


def test_three_versions_are_judged_first_against_last():
    """A column each; one that was not looked at has an empty cell."""
    lines = compare_findings([[finding("auc", Status.PASS, 0.9)], [], [finding("auc", Status.WARN, 0.7)]])
    assert [cell and cell.value for cell in lines[0].cells] == [0.9, None, 0.7]
    assert lines[0].verdict is Verdict.WORSE
    assert compare_findings([[], []]) == []
