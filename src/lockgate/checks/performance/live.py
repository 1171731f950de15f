"""Part of the performance check: is the version worse than the live one on the same rows?"""

from __future__ import annotations

import math

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Threshold
from lockgate.checks.metrics import Judged, Metric, paired
from lockgate.stats.intervals import Interval

SHARE_MARGIN = 0.005  # half a point of AUC or accuracy is alike
LOSS_MARGIN = 0.01  # and 1 % of the live version's error, or of the labels' deviation for bias


def against_live(
    check: str, metric: Metric, new: Judged, old: Judged, *, live: str, margin: float | None
) -> Finding:
    """The paired difference of the metric, positive where the new version is better.

    Fails when the whole interval lies below the margin, warns when the difference does but rows are too few to be sure.
    """
    gain, before, after = paired(metric, new, old), metric.figure(old), metric.figure(new)
    alike = margin if margin is not None else _alike(metric, new, before)
    if gain.high < -alike:
        status = Status.FAIL
    elif gain.value < -alike:
        status = Status.WARN
    else:
        status = Status.PASS
    return Finding(
        check=check, subject=f"against {live}", status=status,
        headline=_headline(
            status, metric, gain, before=before, after=after, live=live, rows=new.truth.size, alike=alike
        ),
        advice=_advice(status, gain, new.truth.size),
        measure=Measure(name=f"{metric.title} gained", value=gain.value, unit=metric.unit,
                        low=gain.low if math.isfinite(gain.low) else None,
                        high=gain.high if math.isfinite(gain.high) else None),
        threshold=Threshold(at_least=-alike),
        plot=Plot(kind=PlotKind.BARS, title=f"{metric.title} on the same {new.truth.size:,} rows",
                  data={"bars": [{"name": live, "value": before}, {"name": "this version", "value": after}],
                        "unit": metric.unit, "axis": metric.title}),
    )  # fmt: skip


def _alike(metric: Metric, new: Judged, before: float) -> float:
    if metric.higher_is_better:
        return SHARE_MARGIN
    if metric.name == "bias":  # near 0 for good versions, so its own size is no measure
        return LOSS_MARGIN * float(np.std(new.truth))
    return LOSS_MARGIN * abs(before)


def _headline(
    status: Status,
    metric: Metric,
    gain: Interval,
    *,
    before: float,
    after: float,
    live: str,
    rows: int,
    alike: float,
) -> str:
    figures = f"{metric.title} {figure(after, metric.unit)} against {figure(before, metric.unit)} on the same {rows:,} rows"
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
