"""Part of stress: what a project says must hold of answers whatever comes: monotone, invariant, bounded.

Monotone: for some rows the input is swept over the values that were seen (individual conditional expectations), all else as it
is; a row violates it when its score goes the wrong way by more than `slack`. Invariant: the input takes the values of other
rows, and no decision may change. Bounded: every score that was ever given lies in the range.
Source: Goldstein et al. (2015), Peeking inside the black box, J. Comput. Graph. Stat. 24, for the curves.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.base import could_not_run, figure
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.judged import subjects_in
from lockgate.checks.values import numbers_of
from lockgate.declared import Way
from lockgate.stats.clusters import share_by
from lockgate.stats.intervals import Interval

_POINTS, _ROWS = 15, 200
_INVARIANT_ROWS = 2_000
_SHOWN = 5


def monotone(
    check: str, evidence: Evidence, split: Split, name: str, way: Way, *, slack: float, limit: float
) -> Finding:
    """Whether the score goes the declared way as one input grows. `slack`: as a share of 1 (classes) or of the spread."""
    subject, frame = f"monotone: {name}", evidence.frames[split]
    answers = evidence.answers[split]
    if name not in evidence.inputs or name not in frame.columns or not frame[name].dtype.is_numeric():
        return could_not_run(check, subject, f"'{name}' is declared monotone, and the model takes no number of that name.",
                             "Mend assumptions: {monotonic: ...} in lockgate.yaml.")  # fmt: skip
    if answers.scores is None:
        return could_not_run(check, subject, f"'{name}' is declared monotone, and the model gives no score.",
                             "Submit the model with probabilities.")  # fmt: skip
    grid = _grid(frame[name])
    if grid.size < 2:
        return could_not_run(
            check, subject, f"'{name}' holds fewer than two values here.", "Give a table that has more."
        )
    draw = evidence.random(f"stress: {name}")
    rows = frame[np.sort(draw.choice(frame.height, min(_ROWS, frame.height), replace=False))]
    swept = [rows.with_columns(pl.lit(value).cast(frame[name].dtype).alias(name)) for value in grid]
    scores = (
        np.asarray(evidence.predict(pl.concat(swept)).scores, dtype=float).reshape(grid.size, rows.height).T
    )
    wrong = wrong_way(scores if way is Way.UP else -scores)
    allowed = slack * (1.0 if evidence.classifies else float(np.std(answers.scores)) or 1.0)
    broken = wrong > allowed
    share = share_by(broken, subjects_in(evidence, rows))
    worst = scores[np.argsort(-wrong)[:_SHOWN]]
    direction = "up" if way is Way.UP else "down"
    said = (f"for {figure(share.value, 'share')} of {rows.height:,} rows it goes the other way, by up to "
            f"{figure(float(wrong.max()))}"
            if broken.any() else f"it does for all of {rows.height:,} rows")  # fmt: skip
    return Finding(
        check=check, subject=subject, status=_status(share, limit),
        headline=f"The score must go {direction} as {name} grows, all else alike: {said}.",
        advice="Train with this constraint (monotonic_cst, monotone_constraints), or take the assumption back."
               if broken.any() else "",
        measure=Measure(name="rows that go the other way", value=share.value, unit="share", low=share.low, high=share.high),
        threshold=Threshold(at_most=limit, source="assumptions"),
        plot=Plot(kind=PlotKind.CURVE, title=f"The score as {name} grows: the worst rows", data={
            "lines": [{"name": f"row {place + 1}", "x": grid.tolist(), "y": line.tolist()} for place, line in enumerate(worst)],
            "x_axis": name, "axis": "score", "unit": None}),
    )  # fmt: skip


def wrong_way(scores: np.ndarray) -> np.ndarray:
    """How far each of n rows falls below what it had reached, over scores of shape (n, points) that must not fall.

    >>> wrong_way(np.array([[0.1, 0.4, 0.3], [0.1, 0.2, 0.2]])).round(3).tolist()
    [0.1, 0.0]
    """
    fallen: np.ndarray = (np.maximum.accumulate(scores, axis=1) - scores).max(axis=1)
    return fallen


def invariant(
    check: str, evidence: Evidence, split: Split, names: Sequence[str], *, limit: float, slack: float
) -> list[Finding]:
    """Whether answers stay when inputs that must not matter take other rows' values. One table for all of them."""
    frame, before = evidence.frames[split], evidence.answers[split]
    taken = [name for name in names if name in evidence.inputs and name in frame.columns]
    found = [
        Finding(check=check, subject=f"invariant: {name}", status=Status.PASS,
                headline=f"The model does not take {name}, so it cannot matter.") for name in names if name not in taken
    ]  # fmt: skip
    if not taken:
        return found
    draw = evidence.random("stress: invariant")
    chosen = np.sort(draw.choice(frame.height, min(_INVARIANT_ROWS, frame.height), replace=False))
    rows, first = frame[chosen], before.take(chosen)
    subjects = subjects_in(evidence, rows)
    mixed = [
        rows.with_columns(frame[name][draw.integers(0, frame.height, rows.height)].alias(name))
        for name in taken
    ]
    after = evidence.predict(pl.concat(mixed))
    for place, name in enumerate(taken):
        part = after.take(np.arange(place * rows.height, (place + 1) * rows.height))
        changed = _changed(evidence, first, part, slack)
        share = share_by(changed, subjects)
        found.append(Finding(
            check=check, subject=f"invariant: {name}", status=_status(share, limit),
            headline=f"{name} must not change an answer: with other rows' values {figure(share.value, 'share')} of "
                     f"{rows.height:,} change."
                     if changed.any() else f"{name} must not change an answer, and it changes none of {rows.height:,}.",
            advice=f"Leave {name} out of the model, or take the assumption back." if changed.any() else "",
            measure=Measure(name="answers that change", value=share.value, unit="share", low=share.low, high=share.high),
            threshold=Threshold(at_most=limit, source="assumptions"),
        ))  # fmt: skip
    return found


def bounded(check: str, evidence: Evidence, low: float, high: float) -> Finding:
    """Whether every score on every table lies in the declared range."""
    rows, outside = [], 0
    for split, answers in evidence.answers.items():
        scores = np.asarray(answers.scores if answers.scores is not None else [], dtype=float)
        out = int((~((scores >= low) & (scores <= high))).sum())
        outside += out
        if scores.size:
            rows.append(
                (str(split), int(scores.size), out, float(np.nanmin(scores)), float(np.nanmax(scores)))
            )
    if not rows:
        return could_not_run(check, "range", "A range is declared, and the model gives no score.",
                             "Submit the model with probabilities, or take the range back.")  # fmt: skip
    lowest, highest = min(row[3] for row in rows), max(row[4] for row in rows)
    return Finding(
        check=check, subject="range", status=Status.FAIL if outside else Status.PASS,
        headline=f"Scores lie between {figure(lowest)} and {figure(highest)}; declared is {low:g} to {high:g}"
                 + (f", and {outside:,} of {sum(row[1] for row in rows):,} lie outside." if outside else "."),
        advice="Clip the answers in the model, or declare the range that it has." if outside else "",
        measure=Measure(name="scores outside", value=float(outside)), threshold=Threshold(at_most=0.0, source="assumptions"),
        table=Table(columns=("table", "scores", "outside", "lowest", "highest"), rows=tuple(rows)),
    )  # fmt: skip


def _status(share: Interval, limit: float) -> Status:
    """A declared thing that is broken at all is worth a look; broken for sure beyond the limit, it fails."""
    return Status.FAIL if share.low > limit else Status.WARN if share.value > 0 else Status.PASS


def _grid(series: pl.Series) -> np.ndarray:
    values = numbers_of(series)
    values = values[np.isfinite(values)]
    grid = np.quantile(values, np.linspace(0, 1, _POINTS)) if values.size else np.empty(0)
    points: np.ndarray = np.unique(np.round(grid) if series.dtype.is_integer() else grid)
    return points


def _changed(evidence: Evidence, before: Answers, after: Answers, slack: float) -> np.ndarray:
    if evidence.classifies:
        return np.array(
            [new != old for new, old in zip(after.decisions, before.decisions, strict=True)], dtype=bool
        )
    old, new = np.asarray(before.decisions, dtype=float), np.asarray(after.decisions, dtype=float)
    moved: np.ndarray = np.logical_not(np.abs(new - old) <= slack * (float(old.std()) or 1.0))
    return moved
