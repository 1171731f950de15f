"""Part of the fit check: what more rows bring, to the version's own algorithm where it can be trained, else to a simple one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from lockgate.checks.base import figure, sampled
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table
from lockgate.checks.judged import Judged, judge
from lockgate.checks.metrics import Metric, paired
from lockgate.errors import LockgateError
from lockgate.stats.intervals import Interval

PARTS = (0.125, 0.25, 0.5, 1.0)  # of the training rows
BUDGET_S = 120.0  # for all points; the next one is not begun when it would hardly fit
_GROWS = 2.5  # twice the rows take about that much longer
_JUDGED = 20_000
Point = Callable[
    [np.ndarray], Judged | None
]  # training rows by their numbers -> judged rows answered after learning them


def curve(
    check: str,
    evidence: Evidence,
    split: Split,
    metric: Metric,
    rows: np.ndarray,
    *,
    simple: Point,
    cost: float,
) -> Finding | None:
    """The figure after an eighth, a quarter, half and all of `rows`; None where nothing could be learned.

    `cost`: what is worth a word, in the metric's own measure (the same for the version's own algorithm).
    """
    why = ""
    points: list[tuple[int, Judged]] = []
    name = "a small gradient boosting"
    if evidence.learns and evidence.ask is not None:
        try:
            points = _points(_own(evidence, split), rows)
            name = "the version's own algorithm"
        except LockgateError as error:
            why = f" (Its own algorithm could not be trained here: {error.what}.)"
    if len(points) < 2:
        points, name = _points(simple, rows), "a small gradient boosting"
    if len(points) < 2:
        return None
    (half, before), (whole, after) = points[-2:]
    gain = paired(metric, after, before)
    least = (cost if metric.higher_is_better else cost * abs(metric.figure(before))) / 2
    helps = gain.low > 0 and gain.value >= least
    figures = [metric.figure(each) for _, each in points]
    return Finding(
        check=check, subject="learning curve", status=Status.PASS,
        headline=f"More rows {'would help' if helps else 'would bring little'}: {metric.title} of {name} goes from "
                 f"{figure(figures[-2], metric.unit)} to {figure(figures[-1], metric.unit)} from {half:,} to {whole:,} "
                 f"training rows.{why}",
        advice="Twice as many rows are worth a try before another algorithm is." if helps else "",
        measure=_gained(metric, gain),
        table=Table(columns=("training rows", metric.title),
                    rows=tuple((size, _round(value)) for (size, _), value in zip(points, figures, strict=True))),
        plot=Plot(kind=PlotKind.CURVE, title=f"{metric.title} of {name} by training rows",
                  data={"lines": [{"name": name, "x": [size for size, _ in points], "y": figures}],
                        "x_axis": "training rows", "axis": metric.title, "unit": metric.unit}),
    )  # fmt: skip


def _points(answered: Point, rows: np.ndarray) -> list[tuple[int, Judged]]:
    found = []
    began_s = time.monotonic()
    for part in PARTS:
        some = rows[: int(part * rows.size)]
        if (time.monotonic() - began_s) * _GROWS > BUDGET_S:
            break
        judged = answered(some)
        if judged is not None:
            found.append((some.size, judged))
    return found


def _own(evidence: Evidence, split: Split) -> Point:
    """The version's own algorithm, trained again; its answers to at most _JUDGED labelled rows."""
    table, train, truth = evidence.frames[split], evidence.frames[Split.TRAIN], evidence.truth(Split.TRAIN)
    drawn = sampled(evidence, "learning curve", table.height, _JUDGED).rows
    some = replace(evidence, frames={split: table[drawn]}, answered={})

    def answered(rows: np.ndarray) -> Judged | None:
        if truth is None or len(set(truth[rows].tolist())) < 2:
            return None
        evidence.tell(rows.size, rows.size, "rows to learn")
        return judge(some, split, evidence.relearned(train[rows], truth[rows], some.frames[split]))

    return answered


def _gained(metric: Metric, gain: Interval) -> Measure:
    low, high = (value if np.isfinite(value) else None for value in (gain.low, gain.high))
    return Measure(
        name=f"{metric.title} gained by twice the rows",
        value=_round(gain.value),
        unit=metric.unit,
        low=low,
        high=high,
    )


def _round(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None
