"""Part of stress: the finding about the worst-off rows. Reported as figures; a warning where guessing would serve them better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.checks.base import figure, measured
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.judged import Judged, judge
from lockgate.checks.metrics import clusters_of, distance_title
from lockgate.checks.stress.segment import Segment, worst_segment
from lockgate.checks.stress.worst import ball_mean, tail_mean
from lockgate.stats.clusters import mean_by
from lockgate.stats.intervals import Interval, bootstrap
from lockgate.stats.pinball import best_constant, distance

ALPHAS = (0.5, 0.2, 0.1, 0.05)
RADII = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0)
_FEW = 100
_FEW_HELD = 10
_WORTH = 0.05  # of the guess's loss there, or over all rows: less worse than guessing is not worth a warning


@dataclass(frozen=True, eq=False)
class Loss:
    """Loss of n rows, its name, their labels, and the numbers of their subjects; None where each row is its own.
    `quantile`: what numbers are answered, as in `Judged`."""

    each: np.ndarray
    name: str
    kind: str
    truth: np.ndarray
    clusters: np.ndarray | None = None
    quantile: float | None = None

    @property
    def subjects(self) -> int:
        """How many rows tell of themselves alone."""
        return self.each.size if self.clusters is None else int(np.unique(self.clusters).size)

    def mean(self, rows: np.ndarray | None = None) -> Interval:
        """The mean loss of some rows (all of them by default)."""
        return self.mean_of(self.each if rows is None else self.each[rows], rows)

    def mean_of(self, values: np.ndarray, rows: np.ndarray | None) -> Interval:
        """The mean of values at these rows, by subject."""
        return mean_by(
            values, self.clusters if self.clusters is None or rows is None else self.clusters[rows]
        )

    def guessing(self, known: np.ndarray, asked: np.ndarray) -> np.ndarray:
        """What rows `asked` would lose with the one best answer for rows `known`."""
        if self.kind == "number":
            best = best_constant(self.truth[known], self.quantile)
            return distance(self.truth[asked], np.array(best), self.quantile)
        if self.kind == "probability":
            squared: np.ndarray = (self.truth[asked] - self.truth[known].mean()) ** 2
            return squared
        found, counts = np.unique(self.truth[known], return_counts=True)
        wrong: np.ndarray = (self.truth[asked] != found[counts.argmax()]).astype(float)
        return wrong


def labelled(evidence: Evidence, split: Split) -> bool:
    """Whether any row of a table has a label."""
    truth = evidence.truth(split)
    if truth is None:
        return False
    return any(name is not None for name in truth) if evidence.classifies else bool(np.isfinite(truth).any())


def loss_of(evidence: Evidence, judged: Judged) -> Loss:
    """What is lost with each labelled row: absolute error, squared error of the probability, or a wrong answer."""
    clusters = clusters_of(judged)
    if not evidence.classifies:
        return Loss(
            judged.distance,
            distance_title(judged).removeprefix("mean "),
            "number",
            judged.truth,
            clusters,
            judged.quantile,
        )
    if judged.truth.dtype == bool and judged.score is not None:
        truth = judged.truth.astype(float)
        score = np.asarray(judged.score, dtype=float)
        return Loss((score - truth) ** 2, "squared error of the probability", "probability", truth, clusters)
    wrong = (judged.decision != judged.truth).astype(float)
    return Loss(wrong, "share of wrong answers", "class", judged.truth, clusters)


def worst_case(check: str, evidence: Evidence, split: Split, *, least: float, limit: float | None) -> Finding:
    """Worst segment, conditional value at risk and chi-square ball, in one finding. `limit`: of the segment's mean loss."""
    judged = judge(evidence, split, evidence.answers[split])
    judged = judged.take(np.isfinite(loss_of(evidence, judged).each))
    loss = loss_of(evidence, judged)
    if loss.subjects < _FEW:
        what = "labelled rows" if loss.clusters is None else "labelled subjects"
        return Finding(check=check, subject="worst case", status=Status.PASS,
                       headline=f"{loss.subjects:,} {what} are too few to look for the worst among them.")  # fmt: skip
    columns = [name for name in evidence.inputs if name in evidence.frames[split].columns]
    segment = worst_segment(
        evidence.frames[split][judged.rows].select(columns),
        loss.each,
        least,
        evidence.random(check),
        loss.clusters,
    )
    found = _segment(loss, segment, limit)
    tails = {alpha: _tail(loss, alpha) for alpha in ALPHAS}
    rows: list[tuple[Cell, ...]] = [("all rows", float(loss.each.mean()), *_bounds(loss.mean()))]
    rows += [(f"worst {alpha:.0%}", tail.value, *_bounds(tail)) for alpha, tail in tails.items()]
    balls = [ball_mean(loss.each, radius) for radius in RADII]
    rows += [
        (f"reweighted within {radius:g}", ball, None, None) for radius, ball in zip(RADII, balls, strict=True)
    ]
    headline, advice, status, measure = found
    return Finding(
        check=check, subject="worst case", status=status, advice=advice, measure=measure,
        headline=headline, threshold=None if limit is None else Threshold(at_most=limit, source="checks.stress"),
        table=Table(columns=("rows", f"mean {loss.name}", "from", "to"), rows=tuple(rows)),
        plot=Plot(kind=PlotKind.CURVE, title="Mean loss if the mix of rows changes for the worse", data={
            "lines": [{"name": "worst mix", "x": [0.0, *RADII], "y": [float(loss.each.mean()), *balls]}],
            "x_axis": "how much the mix may change (chi-square distance)", "axis": f"mean {loss.name}", "unit": None}),
    )  # fmt: skip


def _segment(loss: Loss, segment: Segment | None, limit: float | None) -> tuple[str, str, Status, Measure]:
    overall = loss.mean()
    if segment is None or segment.held.size < _FEW_HELD or not np.isfinite(loss.mean(segment.held).low):
        return (f"No column tells which rows are served worst; the mean {loss.name} is {figure(overall.value)} over all rows, "
                f"and {figure(tail_mean(loss.each, 0.1))} over the worst tenth.", "", Status.PASS,
                measured(f"mean {loss.name}", overall))  # fmt: skip
    mine, guess = loss.mean(segment.held), loss.guessing(segment.found, segment.held)
    apart = loss.mean_of(loss.each[segment.held] - guess, segment.held)
    everywhere = np.arange(loss.each.size)
    matters = max(float(guess.mean()), float(loss.guessing(everywhere, everywhere).mean()))
    worse = apart.low > _WORTH * matters
    beyond = limit is not None and mine.value > limit
    status = (
        Status.FAIL
        if limit is not None and mine.low > limit
        else Status.WARN
        if beyond or worse
        else Status.PASS
    )
    words = (
        "Served worst is"
        if mine.value > overall.value
        else "No rows stand out as served worse; searched out was"
    )
    headline = (f"{words} where {segment.name}: the mean {loss.name} is {figure(mine.value)} there (on "
                f"{segment.held.size:,} rows that the search did not see), against {figure(overall.value)} over all "
                "rows")  # fmt: skip
    headline += (
        f"; one and the same answer for all of them would do better ({figure(float(guess.mean()))})."
        if worse
        else "."
    )
    advice = (
        ""
        if status is Status.PASS
        else "Look at these rows first: train on more of them, or answer them by a rule of their own."
    )
    return headline, advice, status, measured(f"mean {loss.name} there", mine)


def _tail(loss: Loss, alpha: float) -> Interval:
    clusters = None if loss.clusters is None else np.unique(loss.clusters, return_inverse=True)[1]
    return bootstrap(
        lambda index: tail_mean(loss.each[index], alpha), loss.each.size, times=100, clusters=clusters
    )


def _bounds(found: Interval) -> tuple[float | None, float | None]:
    low, high = (value if np.isfinite(value) else None for value in (found.low, found.high))
    return low, high
