"""Part of stress: what each declared scenario does to answers and to the metric.

Labels stay as they are: the world changes in what the model sees, so what is lost is what it would get wrong of the same
outcomes. Where outcomes would change as well, the shift of decisions is the figure to read.
"""

from __future__ import annotations

import numpy as np

from lockgate.checks.base import could_not_run, figure
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Cell, Finding, Measure, Status, Table, Threshold
from lockgate.checks.judged import judge
from lockgate.checks.metrics import Metric, metrics_for, paired
from lockgate.checks.stress.tails import labelled
from lockgate.checks.stress.worlds import world
from lockgate.declared import Scenario
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.stats.intervals import Interval

_SHOWN = 20


def scenario(
    check: str,
    evidence: Evidence,
    split: Split,
    name: str,
    declared: Scenario,
    *,
    worse: float,
    error_share: float,
) -> Finding:
    """One declared scenario. `worse`: how much of a score may be lost; `error_share`: of an error, as a share of it."""
    subject, frame = f"scenario: {name}", evidence.frames[split]
    try:
        there, inside = world(frame, declared, evidence.inputs)
        after = evidence.predict(there)
    except PredictionFailed as error:
        return Finding(check=check, subject=subject, status=Status.FAIL,
                       headline=f"In the scenario '{name}' the model does not answer: {error.what}.",
                       advice="Let the model take such values, or say what is answered in its place.")  # fmt: skip
    except InvalidInput as error:
        allowed = f" Allowed: {error.allowed}." if error.allowed else ""
        return could_not_run(check, subject, f"The scenario '{name}' cannot be played: {error.what}.",
                             f"Mend scenarios: {{{name}: ...}} in lockgate.yaml.{allowed}")  # fmt: skip
    before = evidence.answers[split]
    moved, rows = _moved(evidence, before, after), _mix(evidence, before, after)
    lost = _lost(evidence, split, before, after)
    words = f"In the scenario '{name}' ({inside:,} of {frame.height:,} rows lie in it) {moved}"
    if lost is None:
        return Finding(check=check, subject=subject, status=Status.PASS, headline=f"{words}; without labels no more can be said.",
                       table=rows)  # fmt: skip
    limits = (declared.worse, worse, error_share)
    return _verdict(check, name, words, rows, lost=lost, allowed=limits)


def _verdict(
    check: str,
    name: str,
    words: str,
    rows: Table,
    *,
    lost: tuple[Metric, float, float, Interval],
    allowed: tuple[float | None, float, float],
) -> Finding:
    """How much of the metric is lost, beside what may be: declared, of a score, of an error."""
    metric, was, now, loss = lost
    own, worse, error_share = allowed
    subject = f"scenario: {name}"
    usual = worse if metric.higher_is_better else error_share * abs(was)
    limit = usual if own is None else own
    status = Status.FAIL if loss.low > limit else Status.WARN if loss.value > limit else Status.PASS
    return Finding(
        check=check, subject=subject, status=status,
        headline=f"{words}, and {metric.title} goes from {figure(was, metric.unit)} to {figure(now, metric.unit)}; "
                 f"{figure(limit, metric.unit)} may be lost.",
        advice="" if status is Status.PASS else
               "Train with rows of such a world, or decide before it comes who answers then. "
               "The labels are taken to stay as they are." + (" More rows would tell." if status is Status.WARN else ""),
        measure=Measure(name=f"{metric.title} lost", value=loss.value, unit=metric.unit, low=loss.low, high=loss.high),
        threshold=Threshold(at_most=limit, source=f"scenarios.{name}" if own is not None else "lockgate"), table=rows,
    )  # fmt: skip


def _lost(
    evidence: Evidence, split: Split, before: Answers, after: Answers
) -> tuple[Metric, float, float, Interval] | None:
    if not labelled(evidence, split):
        return None
    old, new = judge(evidence, split, before), judge(evidence, split, after)
    metrics = metrics_for(evidence, old)
    # an order that a scenario keeps hides that every decision changes: without a goal, right decisions are counted
    usual = metrics.get("accuracy") or next(iter(metrics.values()))
    metric = metrics.get(evidence.goal.metric or "", usual)
    return metric, metric.figure(old), metric.figure(new), paired(metric, old, new)


def _moved(evidence: Evidence, before: Answers, after: Answers) -> str:
    if not evidence.classifies:
        old, new = (np.asarray(each.decisions, dtype=float).mean() for each in (before, after))
        return f"the mean answer goes from {figure(float(old))} to {figure(float(new))}"
    changed = np.mean([new != old for new, old in zip(after.decisions, before.decisions, strict=True)])
    wanted = evidence.positive
    if wanted is None:
        return f"{figure(float(changed), 'share')} of decisions change"
    old, new = (float(np.mean(each.decisions == wanted)) for each in (before, after))
    return f"'{wanted}' is answered for {figure(new, 'share')} and not {figure(old, 'share')}"


def _mix(evidence: Evidence, before: Answers, after: Answers) -> Table:
    """Answers before and in the scenario: shares of classes, or quantiles."""
    rows: list[tuple[Cell, ...]]
    if evidence.classifies:
        names = sorted({str(name) for each in (before, after) for name in each.decisions})[:_SHOWN]
        rows = [
            (name, *(float(np.mean(each.decisions == name)) for each in (before, after))) for name in names
        ]
        return Table(columns=("answer", "now", "then"), rows=tuple(rows), shares=("now", "then"))
    levels = (0.05, 0.25, 0.5, 0.75, 0.95)
    made = [np.quantile(np.asarray(each.decisions, dtype=float), levels) for each in (before, after)]
    rows = [
        (f"{level:.0%} below", float(old), float(new)) for level, old, new in zip(levels, *made, strict=True)
    ]
    return Table(columns=("answers", "now", "then"), rows=tuple(rows))
