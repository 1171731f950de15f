"""Part of the performance check: is the version worse than the live one on the same rows?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Threshold
from lockgate.checks.judged import Judged
from lockgate.checks.metrics import Metric, paired
from lockgate.stats.intervals import Interval

SHARE_MARGIN = 0.005  # half a point of AUC or accuracy is alike
LOSS_MARGIN = 0.01  # and 1 % of the live version's error, or of the labels' deviation for bias


@dataclass(frozen=True)
class Compared:
    """A figure of the new version (`after`) and of the live one (`before`) on the same rows; `gain`: better by, paired."""

    title: str
    unit: str | None
    before: float
    after: float
    gain: Interval
    rows: int
    alike: float


def against_live(
    check: str, metric: Metric, new: Judged, old: Judged, *, live: str, margin: float | None
) -> Finding:
    """The paired difference of the metric, positive where the new version is better."""
    before = metric.figure(old)
    alike = margin if margin is not None else alike_of(metric.higher_is_better, before)
    if margin is None and metric.name == "bias":  # near 0 for good versions, so its own size is no measure
        alike = LOSS_MARGIN * float(np.std(new.truth))
    compared = Compared(
        metric.title, metric.unit, before, metric.figure(new), paired(metric, new, old), new.truth.size, alike
    )
    return compared_finding(check, f"against {live}", compared, live)


def alike_of(higher_is_better: bool, before: float, *, share: bool = True) -> float:
    """How much worse is still alike: of a share or an area, and of an error or anything else."""
    return SHARE_MARGIN if higher_is_better and share else LOSS_MARGIN * abs(before)


def compared_finding(check: str, subject: str, found: Compared, live: str) -> Finding:
    """Fails when the whole interval lies below the margin, warns when the difference does but rows are too few to be sure."""
    gain, alike = found.gain, found.alike
    if gain.high < -alike:
        status = Status.FAIL
    elif gain.value < -alike:
        status = Status.WARN
    else:
        status = Status.PASS
    return Finding(
        check=check, subject=subject, status=status, headline=_headline(status, found, live),
        advice=_advice(status, gain, found.rows),
        measure=Measure(name=f"{found.title} gained", value=gain.value, unit=found.unit,
                        low=gain.low if math.isfinite(gain.low) else None,
                        high=gain.high if math.isfinite(gain.high) else None),
        threshold=Threshold(at_least=-alike),
        plot=Plot(kind=PlotKind.BARS, title=f"{found.title} on the same {found.rows:,} rows",
                  data={"bars": [{"name": live, "value": found.before}, {"name": "this version", "value": found.after}],
                        "unit": found.unit, "axis": found.title}),
    )  # fmt: skip


def _headline(status: Status, found: Compared, live: str) -> str:
    gain, alike, unit = found.gain, found.alike, found.unit
    figures = f"{found.title} {figure(found.after, unit)} against {figure(found.before, unit)} on the same {found.rows:,} rows"
    if status is Status.FAIL:
        return f"This version is worse than {live}: {figures}."
    if status is Status.WARN:
        return f"This version looks worse than {live}, and these rows are too few to be sure: {figures}."
    if gain.low > alike:
        return f"This version is better than {live}: {figures}."
    if gain.low >= -alike:
        return f"This version is as good as {live}: {figures}."
    return f"No sign that this version is worse than {live}: {figures}."


def _advice(status: Status, gain: Interval, rows: int) -> str:
    if status is Status.FAIL:
        return "Keep the live version, or say why this one is wanted although it is worse."
    if status is Status.WARN and np.isfinite(gain.low):
        # the half width shrinks with the root of the rows; it must shrink to the size of the difference
        needed = math.ceil(rows * ((gain.high - gain.low) / 2 / abs(gain.value)) ** 2)
        return f"Test on about {max(needed - rows, 1):,} more rows, or let a shadow release decide."
    return ""
