"""Part of the performance check: what the decisions cost, and whether another threshold, or one answer for all, is cheaper.

The cheapest threshold is looked for on one half of the rows and priced on the other, both ways round, so that the search
itself saves nothing (subjects stay whole). Source: Elkan (2001), The foundations of cost-sensitive learning, IJCAI.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.judged import Judged
from lockgate.checks.metrics import COST, PER_DECISIONS, clusters_of, interval_of, mean_of, paid
from lockgate.stats.intervals import Interval

SUBJECT = "cost"
_POINTS = 60
_FEW_ROWS = 200  # fewer choose no threshold


@dataclass(frozen=True)
class _Rule:
    """Another way to decide: what it costs, and what it saves beside the version's own decisions."""

    words: str
    cost: Interval
    saved: Interval


def costs(
    check: str, judged: Judged, names: list[str], draw: np.random.Generator, *, least: float, limit: Threshold | None
) -> Finding:  # fmt: skip
    """One finding; `names`: the classes as costs are ordered, `least`: the share of the cost that is worth a word.

    Warns where deciding otherwise is cheaper by that share for sure. `limit`: what the goal asks, where it asks of the cost.
    """
    mine = interval_of(COST, judged)
    constant = [
        _rule(judged, f"always '{name}'", np.full(judged.truth.size, place))
        for place, name in enumerate(names)
    ]
    chosen = _threshold(judged, draw)
    rules = [*([chosen[0]] if chosen else []), *constant]
    scale = max(abs(mine.value), min(abs(each.cost.value) for each in constant))
    cheaper = [each for each in rules if each.saved.low > 0 and each.saved.value >= least * scale]
    best = max(cheaper, key=lambda each: each.saved.value, default=None)
    failed = limit is not None and limit.at_most is not None and mine.low > limit.at_most
    said = (
        f"{PER_DECISIONS:,} decisions cost {figure(mine.value)} ({figure(mine.low)} to {figure(mine.high)})"
    )
    return Finding(
        check=check, subject=SUBJECT,
        status=Status.FAIL if failed else Status.WARN if best else Status.PASS,
        headline=said + _beside(best, constant, limit, failed=failed), advice=_advice(best),
        measure=Measure(name=COST.title, value=mine.value, low=_finite(mine.low), high=_finite(mine.high)),
        threshold=limit, table=_table(mine, rules), plot=chosen[1] if chosen else None,
    )  # fmt: skip


def _beside(best: _Rule | None, constant: list[_Rule], limit: Threshold | None, *, failed: bool) -> str:
    asked = ""
    if limit is not None:
        asked = f"; {limit.source} asks for at most {figure(limit.at_most)}" + (
            ", which is surely missed" if failed else ""
        )
    if best is not None:
        return f"{asked}; {best.words} would save {figure(best.saved.value)} of that, at least {figure(best.saved.low)}."
    cheapest = min(constant, key=lambda each: each.cost.value)
    return f"{asked}; {cheapest.words} would cost {figure(cheapest.cost.value)}."


def _advice(best: _Rule | None) -> str:
    if best is None:
        return ""
    if best.words.startswith("always"):
        return "As these costs are declared, the model is not worth asking: see that they are right, then train against them."
    return "Decide there in the version itself (FixedThresholdClassifier, or in the code that answers), and validate again."


def _threshold(judged: Judged, draw: np.random.Generator) -> tuple[_Rule, Plot] | None:
    """The cheapest threshold of the score, priced honestly, with the curve; None where there is no score to cut."""
    if (
        judged.truth.dtype != bool
        or judged.score is None
        or judged.truth.size < _FEW_ROWS
        or judged.costs is None
    ):
        return None
    score, clusters = np.asarray(judged.score, dtype=float), clusters_of(judged)
    half = draw.permutation(score.size) % 2 if clusters is None else (
        draw.permutation(int(clusters.max()) + 1) % 2)[clusters]  # fmt: skip
    decided = np.zeros(score.size, dtype=int)
    for side in (0, 1):
        there = half != side
        if there.any():
            decided[half == side] = score[half == side] >= _cheapest(score[there], judged.costs[there])[0]
    cut, scores, prices = _cheapest(score, judged.costs)
    step = np.unique(np.linspace(0, scores.size - 1, min(scores.size, _POINTS)).astype(int))
    lines = [{"name": "cost", "x": scores[step].tolist(), "y": (prices[step] * PER_DECISIONS).tolist()}]
    now = ", now 0.5" if (judged.decision == (score >= 0.5)).mean() > 0.999 else ""
    plot = Plot(kind=PlotKind.CURVE, title=f"Cost of {PER_DECISIONS:,} decisions by threshold{now}",
                data={"lines": lines, "x_axis": "threshold", "axis": "cost", "unit": None})  # fmt: skip
    return _rule(judged, f"deciding at {figure(cut)}", decided), plot


def _cheapest(score: np.ndarray, costs_: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """The threshold at and above which to answer the positive class; all thresholds, rising, and their mean costs."""
    order = np.argsort(score, kind="stable")
    ordered, change = score[order], (costs_[:, 0] - costs_[:, 1])[order]
    # rows below the threshold change from positive to negative
    prices = (costs_[:, 1].sum() + np.concatenate([[0.0], np.cumsum(change)])) / score.size
    starts = np.concatenate([[True], np.diff(ordered) > 0, [True]])
    thresholds = np.concatenate([ordered, [np.nextafter(ordered[-1], np.inf)]])[starts]
    kept = prices[starts]
    return float(thresholds[int(np.argmin(kept))]), thresholds, kept


def _rule(judged: Judged, words: str, decided: np.ndarray) -> _Rule:
    other = paid(judged, decided)
    return _Rule(
        words, mean_of(COST, judged, other), mean_of(COST, judged, paid(judged, judged.decision) - other)
    )


def _table(mine: Interval, rules: list[_Rule]) -> Table:
    def line(words: str, cost: Interval, saved: float | None) -> tuple[Cell, ...]:
        return (words, *(_round(value) for value in (cost.value, cost.low, cost.high)), _round(saved))

    rows = [
        line("this version", mine, None),
        *(line(each.words, each.cost, each.saved.value) for each in rules),
    ]
    return Table(columns=("decision", COST.title, "from", "to", "saved"), rows=tuple(rows))


def _round(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else round(float(value), 4)


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None
