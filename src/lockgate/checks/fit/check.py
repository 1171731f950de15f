"""Fit: did it learn the relation, or its training rows by heart; is it worth more than a simple model; would more rows help?

Idea: nearly every good model does better on the rows that it learned. That matters only when it costs something on new
rows, so a gap alone is told and no alarm: the alarm is a gap that is large and certain, while a simple model trained on
the same rows does certainly better on the test rows.

Settings (`checks: {fit: {...}}`): `gap` (a share, or the part of the error), `cost` (the same, what a simple model must be
better by). Sources: Zou and Donner (2008) for the gap's interval, DeLong et al. (1988) and Agresti and Min (2005) for
differences on the same rows, Cortes et al. (1993), Learning curves, NIPS 6.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.base import Check, Part, figure, settings_for
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.fit.curve import curve
from lockgate.checks.judged import Judged, judge
from lockgate.checks.matrix import Matrix, matrix_of
from lockgate.checks.metrics import Metric, apart, interval_of, metrics_for, paired
from lockgate.checks.needs import Need
from lockgate.checks.simple import Kind, answers_of
from lockgate.config import Tier
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import Interval

NAME = "fit"
MOST_ROWS = 10_000
_PERFECT = 0.9995


class FitSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    gap: float = 0.05
    cost: float = 0.02


BINDING = {"gap": Setting(Stricter.LOWER), "cost": Setting(Stricter.LOWER)}


@dataclass(frozen=True, eq=False)
class _Simple:
    """A simple model's answers on the judged rows, and by how much the version is better; positive is better."""

    kind: Kind
    judged: Judged
    gain: Interval


def run(evidence: Evidence) -> list[Finding]:
    """Training rows against test rows, against simple models and the version before, and the learning curve."""
    settings = settings_for(evidence, NAME, FitSettings)
    split = evidence.judged_split() or Split.TEST
    seen = judge(evidence, Split.TRAIN, evidence.answers[Split.TRAIN])
    judged = judge(evidence, split, evidence.answers[split])
    metrics = metrics_for(evidence, judged)
    metric = metrics.get(evidence.goal.metric or "", next(iter(metrics.values())))
    if (
        seen.truth.dtype != judged.truth.dtype
    ):  # a label that one table alone holds makes three classes of two
        metric = metrics.get("accuracy", metric)
    matrix, truth, rows = _teaching(evidence, split)
    simple = [
        _Simple(kind, other, paired(metric, judged, other))
        for kind in (Kind.LINEAR, Kind.SMALL)
        if (other := _answered(evidence, split, kind, matrix, truth=truth, rows=rows)) is not None
    ]
    found: list[Finding | None] = [_train_against_test(metric, seen, judged, simple, settings)]
    if simple:
        heart = found[0] is not None and found[0].status is Status.WARN
        found.append(_against_simple(metric, judged, simple, settings, heart=heart))
    found.append(_against_previous(evidence, split, metric, judged, settings.cost))
    found.append(curve(
        NAME, evidence, split, metric, rows, cost=settings.cost,
        simple=lambda some: _answered(evidence, split, Kind.SMALL, matrix, truth=truth, rows=some),
    ))  # fmt: skip
    return [each for each in found if each is not None]


def _teaching(evidence: Evidence, split: Split) -> tuple[Matrix | None, np.ndarray, np.ndarray]:
    """Inputs as numbers, training labels, and the labelled training rows that simple models learn, in random order."""
    truth = evidence.truth(Split.TRAIN)
    labels = np.empty(0) if truth is None else truth
    known = (
        [name is not None for name in labels] if evidence.classifies else np.isfinite(labels.astype(float))
    )
    rows = evidence.random(NAME).permutation(np.flatnonzero(known))[:MOST_ROWS]
    frame: pl.DataFrame = evidence.frames[Split.TRAIN]
    inputs = tuple(name for name in evidence.inputs if name != evidence.target)
    return matrix_of(frame, evidence.frames[split], inputs), labels, rows


def _answered(
    evidence: Evidence,
    split: Split,
    kind: Kind,
    matrix: Matrix | None,
    *,
    truth: np.ndarray,
    rows: np.ndarray,
) -> Judged | None:
    classes = evidence.classes if evidence.classifies else None
    if matrix is None or (evidence.classifies and not classes):
        return None
    made = answers_of(kind, matrix.train[rows], truth[rows], matrix.test, classes)
    if made is None:
        return None
    if made.probabilities is not None and classes is not None and len(classes) == 2:
        place = classes.index(evidence.positive) if evidence.positive in classes else 1
        made = Answers(made.decisions, made.probabilities[:, place], made.probabilities)
    return judge(evidence, split, made)


def _train_against_test(
    metric: Metric, seen: Judged, judged: Judged, simple: list[_Simple], settings: FitSettings
) -> Finding:
    sign = 1.0 if metric.higher_is_better else -1.0
    then, now = interval_of(metric, seen), interval_of(metric, judged)
    gap = apart(then, now) if sign > 0 else apart(now, then)
    most = _most(settings.gap, metric, now.value)
    better = [each for each in simple if each.gain.high < -_most(settings.cost, metric, now.value)]
    warns = bool(gap.low > most and better)
    values = (f"{metric.title} is {figure(then.value, metric.unit)} on training rows and "
              f"{figure(now.value, metric.unit)} on the others")  # fmt: skip
    if warns:
        theirs = figure(metric.figure(better[0].judged), metric.unit)
        said = f"It learned its training rows by heart: {values}, where {better[0].kind} trained on the same rows has {theirs}."
    elif gap.low > most:
        said = f"It does better on what it has seen, at no cost that a simple model would show: {values}."
    else:
        said = f"New rows go about as well as those it learned: {values}."
    perfect = metric.higher_is_better and now.value > _PERFECT
    return Finding(
        check=NAME, subject="train against test", status=Status.WARN if warns else Status.PASS, headline=said,
        advice="Regularise: fewer or shallower trees, larger leaves, stronger penalty, early stopping." if warns else
               "So good on new rows is rare: see what the check leakage says." if perfect else "",
        measure=_measure(f"{metric.title}, training beside test", gap, metric.unit), threshold=Threshold(at_most=most),
        table=Table(columns=("rows", "count", metric.title, "from", "to"), rows=tuple(
            (name, int(each.truth.size), _round(found.value), _round(found.low), _round(found.high))
            for name, each, found in (("training", seen, then), ("test", judged, now)))),
    )  # fmt: skip


def _against_simple(
    metric: Metric, judged: Judged, simple: list[_Simple], settings: FitSettings, *, heart: bool
) -> Finding:
    """`heart`: that it learned by heart was said with a simple model's figure, so this only shows all of them."""
    mine = metric.figure(judged)
    most = _most(settings.cost, metric, mine)
    worst = min(simple, key=lambda each: each.gain.value)
    warns = worst.gain.high < -most
    theirs = f"{metric.title} {figure(mine, metric.unit)} against {figure(metric.figure(worst.judged), metric.unit)}"
    if warns:
        why = ", as can be expected where rows were learned by heart" if heart else ""
        said = f"{worst.kind[0].upper()}{worst.kind[1:]} trained on the same rows does better{why}: {theirs}."
    elif worst.gain.low > 0:
        said = f"It does better than a linear model and a small gradient boosting on the same rows: {theirs} for the better one."
    else:
        said = f"It does about as well as {worst.kind} trained on the same rows: {theirs}."
    bars = [{"name": "this version", "value": mine},
            *({"name": str(each.kind), "value": metric.figure(each.judged)} for each in simple)]  # fmt: skip
    return Finding(
        check=NAME, subject="against simple models", status=Status.WARN if warns and not heart else Status.PASS, headline=said,
        advice="Use the simple model, or find out what this one loses: inputs prepared otherwise, too few rounds, wrong loss."
               if warns and not heart else "",
        measure=_measure(f"{metric.title} gained over {worst.kind}", worst.gain, metric.unit),
        threshold=Threshold(at_least=-most),
        plot=Plot(kind=PlotKind.BARS, title=f"{metric.title} on the same {judged.truth.size:,} rows",
                  data={"bars": bars, "unit": metric.unit, "axis": metric.title}),
    )  # fmt: skip


def _against_previous(
    evidence: Evidence, split: Split, metric: Metric, judged: Judged, cost: float
) -> Finding | None:
    """The version that was validated before, on the same rows; the live one stands under performance."""
    before = evidence.previous
    if before is None or split not in before.answers or before.name == evidence.live_name:
        return None
    other = judge(evidence, split, before.answers[split])
    gain, was, now = paired(metric, judged, other), metric.figure(other), metric.figure(judged)
    most = _most(cost, metric, was)
    warns = gain.high < -most
    side = "worse than" if warns else "better than" if gain.low > 0 else "about as good as"
    return Finding(
        check=NAME, subject=f"against {before.name}", status=Status.WARN if warns else Status.PASS,
        headline=f"It is {side} {before.name}: {metric.title} {figure(now, metric.unit)} against {figure(was, metric.unit)} on "
                 f"the same {judged.truth.size:,} rows.",
        advice=f"Find out what {before.name} did better before this one goes on." if warns else "",
        measure=_measure(f"{metric.title} gained over {before.name}", gain, metric.unit), threshold=Threshold(at_least=-most),
    )  # fmt: skip


def _most(share: float, metric: Metric, value: float) -> float:
    """A setting in the metric's own measure: as it is for shares and areas, else that part of the error."""
    return share if metric.higher_is_better else share * abs(value)


def _measure(name: str, found: Interval, unit: str | None) -> Measure:
    low, high = (value if np.isfinite(value) else None for value in (found.low, found.high))
    return Measure(name=name, value=_round(found.value), unit=unit, low=low, high=high)


def _round(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


CHECK = Check(
    NAME,
    "Did it learn the relation or its training rows, and is it worth more than a simple model?",
    (Need.TRAIN, Need.JUDGED, Need.TARGET, Need.LABELS, Need.ANSWERS, Need.TRAIN_ANSWERS),
    FitSettings,
    run,
    BINDING,
    parts=(Part("learning curve of its own algorithm", (Need.LEARNER,)),),
    tier=Tier.MEDIUM,
)
