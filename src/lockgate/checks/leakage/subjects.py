"""Part of the leakage check: subjects (patients, machines) on both sides of a split whose label hardly ever changes."""

from __future__ import annotations

from lockgate.checks.base import figure
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.subjects import known_subjects


def subjects_told(
    check: str, evidence: Evidence, judged: Split, *, fail: float, warn: float
) -> list[Finding]:
    """A finding where test rows surely belong to subjects of training, whose label there is their label here; else nothing.

    `fail`, `warn`: shares of test rows. The subject is `group`, else `key`.
    """
    group = evidence.group or evidence.key
    if group is None:
        return []
    found = known_subjects(
        evidence.frames[Split.TRAIN],
        evidence.frames[judged],
        group,
        evidence.truth(Split.TRAIN),
        evidence.truth(judged),
    )
    if found is None or found.share.low < warn or not found.constant:
        return []
    target = evidence.target
    told = f"have nearly the {target} that it has there (R squared {figure(found.told)})"
    if evidence.classifies:
        shares = f"{figure(found.told, 'share')} of rows (by chance {figure(found.chance, 'share')})"
        told = f"have the {target} that it has there in {shares}"
    return [Finding(
        check=check, subject=f"{group} on both sides", status=Status.FAIL if found.share.low >= fail else Status.WARN,
        headline=f"{figure(found.share.value, 'share')} of test rows belong to a {group} that training has too, and {told}: who "
                 f"recognises the {group} knows the answer.",
        advice=f"Split by {group}, so that each stands on one side only, and validate again: figures on these rows are too good.",
        measure=Measure(name="test rows of known subjects", value=found.share.value, unit="share", low=found.share.low,
                        high=found.share.high),
        threshold=Threshold(at_most=warn),
    )]  # fmt: skip
