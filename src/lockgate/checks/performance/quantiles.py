"""Part of the performance check: does a model of a quantile keep its promise, that this share of labels lies up to its answer?"""

from __future__ import annotations

from lockgate.checks.base import figure, measured, split_name
from lockgate.checks.evidence import Split
from lockgate.checks.finding import Finding, Status, Threshold
from lockgate.checks.judged import Judged
from lockgate.checks.metrics import clusters_of
from lockgate.stats.clusters import share_by

_OF_REST = (
    0.5  # of the smaller side: a 99 % quantile that holds 98.4 % of labels is wrong half as often again
)


def covered(check: str, judged: Judged, split: Split, most: float) -> Finding | None:
    """The share of labels up to the answer, which should be the quantile; None for models that answer none.

    A warning needs an interval that lies outside of the quantile and a share that is off by more than `most`, or by half of
    the smaller side of the quantile where that is less.
    """
    quantile = judged.quantile
    if quantile is None:
        return None
    found = share_by(judged.truth <= judged.decision, clusters_of(judged))
    room = min(most, _OF_REST * min(quantile, 1 - quantile))
    holds = found.low <= quantile <= found.high
    off = not holds and abs(found.value - quantile) > room
    said = (
        f"{figure(found.value, 'share')} of labels lie up to the answer, {figure(quantile, 'share')} should"
    )
    passed = (
        f"The quantile holds: {said}." if holds else f"{said}; {figure(room, 'share')} off is still in order."
    )
    return Finding(
        check=check, subject="calibration", status=Status.WARN if off else Status.PASS,
        headline=f"{said}, on {split_name(split)}." if off else passed,
        advice=f"The answers are too {'low' if found.value < quantile else 'high'}: train with this quantile's loss on newer "
               "rows, or add a constant found on held-out rows (conformal prediction)." if off else "",
        measure=measured("share of labels up to the answer", found, "share"),
        threshold=Threshold(at_least=quantile - room, at_most=quantile + room),
    )  # fmt: skip


def quantile_advice(judged: Judged) -> str:
    """What to say of a model that seems no better than guessing: it may answer a quantile, and nobody said so."""
    if judged.truth.dtype.kind != "f" or judged.quantile is not None or judged.queries is not None:
        return ""
    found = share_by(judged.truth <= judged.decision, clusters_of(judged))
    if found.low <= 0.6 and found.high >= 0.4:
        return ""
    return (f" {figure(found.value, 'share')} of labels lie up to the answer: if the model is made for a quantile, "
            f"say so (quantile: {min(max(round(found.value, 2), 0.01), 0.99):g} in lockgate.yaml).")  # fmt: skip
