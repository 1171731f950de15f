"""Part of the quality check: subjects (patients, machines) that stand on both sides of a split."""

from __future__ import annotations

import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.stats.intervals import wilson


def repeated_subjects(
    check: str, train: pl.DataFrame, test: pl.DataFrame, group: str, limit: float
) -> list[Finding]:
    """One finding where surely more than a share `limit` of test rows belong to a subject that training has too."""
    if group not in train.columns or group not in test.columns or train.schema[group].is_nested():
        return []
    known = train[group].drop_nulls().cast(pl.String).unique()
    rows = test[group].drop_nulls().cast(pl.String)
    hits = int(rows.is_in(known.implode()).sum())
    share = wilson(hits, test.height)
    if share.low < limit:
        return []
    return [Finding(
        check=check, subject="repeated subjects", status=Status.WARN,
        headline=f"{figure(share.value, 'share')} of test rows belong to a {group} that training has too: the model may "
                 "know them by heart, and figures on them are too good.",
        advice=f"Split by {group}, so that each stands on one side only.",
        measure=Measure(name="test rows of known subjects", value=share.value, unit="share", low=share.low, high=share.high),
        threshold=Threshold(at_most=limit),
    )]  # fmt: skip
