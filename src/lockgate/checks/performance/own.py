"""Part of the performance check: the project's own metrics, each with an interval by resampling, beside the live version's.

The function runs confined, where the project's code runs; rows (subjects where there are some) are redrawn there, the same
draws for both versions, so that their difference is paired.
"""

from __future__ import annotations

import numpy as np

from lockgate.checks.base import could_not_run, figure
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.judged import Judged, judge
from lockgate.checks.metrics import clusters_of
from lockgate.checks.performance.live import Compared, alike_of, compared_finding
from lockgate.declared import OwnMetric
from lockgate.errors import InvalidInput, LockgateError
from lockgate.stats.intervals import Interval, percentiles

_TIMES = 200


def own_metrics(check: str, evidence: Evidence, split: Split, margin: float | None) -> list[Finding]:
    """A finding per metric, and one against the live version; one that fails or cannot be computed stops no other."""
    if evidence.ask_metric is None:
        return []
    found: list[Finding] = []
    for name, metric in evidence.metrics.items():
        try:
            found += _one(check, evidence, split, name, margin)
        except LockgateError as error:
            found.append(could_not_run(check, name, f"Your metric '{name}' could not be computed: {error.what}.",
                                       error.fix or f"See {metric.function}: {error.got or error.what}."))  # fmt: skip
    return found


def own_verdict(evidence: Evidence, name: str, mine: Interval) -> tuple[Status, str, Threshold | None]:
    """Status, end of the sentence and limit, where the goal is set in this metric."""
    goal = evidence.goal
    if goal.metric != name or (goal.at_least is None and goal.at_most is None):
        return Status.PASS, ".", None
    limit = Threshold(at_least=goal.at_least, at_most=goal.at_most, source="the goal")
    low = goal.at_least is not None
    asked = f"at {'least' if low else 'most'} {figure(goal.at_least if low else goal.at_most, evidence.metrics[name].unit)}"
    missed = (goal.at_least is not None and mine.value < goal.at_least) or (
        goal.at_most is not None and mine.value > goal.at_most)  # fmt: skip
    surely = (goal.at_least is not None and mine.high < goal.at_least) or (
        goal.at_most is not None and mine.low > goal.at_most)  # fmt: skip
    if surely:
        return Status.FAIL, f", and the goal asks for {asked}.", limit
    if missed:
        return Status.WARN, f"; the goal asks for {asked}, and these rows are too few to tell.", limit
    return Status.PASS, f"; the goal asks for {asked}.", limit


def _one(check: str, evidence: Evidence, split: Split, name: str, margin: float | None) -> list[Finding]:
    metric = evidence.metrics[name]
    judged, drawn = _asked(evidence, split, name, metric, evidence.answers[split])
    mine = percentiles(drawn[0], drawn[1:])
    status, words, limit = own_verdict(evidence, name, mine)
    low, high = (value if np.isfinite(value) else None for value in (mine.low, mine.high))
    sure = f" ({figure(low, metric.unit)} to {figure(high, metric.unit)})" if low is not None else ""
    found = [Finding(
        check=check, subject=name, status=status,
        headline=f"Your metric '{name}' is {figure(mine.value, metric.unit)}{sure} on {judged.truth.size:,} rows{words}",
        advice={Status.FAIL: "Do not release this version: train a better one, or have the goal changed by whoever set it.",
                Status.WARN: "Test on more rows."}.get(status, ""),
        measure=Measure(name=name, value=mine.value, unit=metric.unit, low=low, high=high), threshold=limit,
    )]  # fmt: skip
    if split in evidence.live:
        _, theirs = _asked(evidence, split, name, metric, evidence.live[split])
        live = evidence.live_name or "the live version"
        same = min(drawn.size, theirs.size)  # where time ran out, as many draws of each
        sign = 1.0 if metric.higher_is_better else -1.0
        gain = percentiles(sign * float(drawn[0] - theirs[0]), sign * (drawn[1:same] - theirs[1:same]))
        alike = margin if margin is not None and metric.unit == "share" else (
            alike_of(metric.higher_is_better, float(theirs[0]), share=metric.unit == "share"))  # fmt: skip
        compared = Compared(
            name, metric.unit, float(theirs[0]), float(drawn[0]), gain, judged.truth.size, alike
        )
        found.append(compared_finding(check, f"{name} against {live}", compared, live))
    return found


def _asked(
    evidence: Evidence, split: Split, name: str, metric: OwnMetric, answers: Answers
) -> tuple[Judged, np.ndarray]:
    """The labelled rows, and the metric of them followed by that of redrawn rows."""
    judged = judge(evidence, split, answers)
    frame = evidence.frames[split][judged.rows]
    if absent := [column for column in metric.columns if column not in frame.columns]:
        raise InvalidInput("the table lacks columns that it takes", got=", ".join(frame.columns[:20]),
                           fix=f"keep {', '.join(absent)} in the table")  # fmt: skip
    truth, decision = evidence.answered_truth(split), np.asarray(answers.decisions)[judged.rows]
    columns = {"truth": np.asarray(truth)[judged.rows], "decision": decision}
    if answers.scores is not None:
        columns["score"] = np.asarray(answers.scores, dtype=float)[judged.rows]
    columns |= {column: frame[column].to_numpy() for column in metric.columns}
    clusters = clusters_of(judged)
    return judged, evidence.own_metric(name, columns, _TIMES, clusters)
