"""Part of the quality check: subjects (patients, machines) that stand on both sides of a split."""

from __future__ import annotations

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.subjects import Subjects


def repeated_subjects(check: str, found: Subjects, group: str, limit: float) -> list[Finding]:
    """One finding where surely more than a share `limit` of test rows belong to a subject that training has too.

    Where a subject's label is always the same, that is leakage, and the leakage check says it.
    """
    if found.share.low < limit or found.constant:
        return []
    return [Finding(
        check=check, subject="repeated subjects", status=Status.WARN,
        headline=f"{figure(found.share.value, 'share')} of test rows belong to a {group} that training has too: the model may "
                 "know them by heart, and figures on them are too good.",
        advice=f"Split by {group}, so that each stands on one side only.",
        measure=Measure(name="test rows of known subjects", value=found.share.value, unit="share", low=found.share.low,
                        high=found.share.high),
        threshold=Threshold(at_most=limit),
    )]  # fmt: skip
