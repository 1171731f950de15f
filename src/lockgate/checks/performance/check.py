"""Performance: good enough overall and on every given slice, better than guessing, no worse than the live version?

Idea: every figure carries its interval, and the interval decides. A figure on the wrong side of its limit fails only
when the whole interval lies there; else it warns and says that more rows are needed. Versions are compared on the same
rows (paired), which sees far smaller differences than two separate figures.

Settings (`checks: {performance: {...}}`): `metric`, `min`, `max` (else the model's goal), `margin` (how much worse than
the live version is still alike), `slice_gap` (share of wrong answers) and `slice_ratio` (mean error), `slice_rows`,
`calibration_gap`, `cost_saved` (share of the cost that deciding otherwise must save to be worth a word).

Of a ranking (`ranking: {query: COLUMN}`) every query is one observation; where rows have a subject (`group: COLUMN`), every
subject is.

Sources: DeLong et al. (1988) for ROC areas, Wilson (1927) for shares, Agresti and Min (2005) for paired shares,
Broecker and Smith (2007) for calibration, Benjamini and Hochberg (1995) for many slices.
"""

from __future__ import annotations

import msgspec
import numpy as np

from lockgate.checks.base import Check, Part, figure, sampled, settings_for, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Cell, Finding, Measure, Status, Table, Threshold
from lockgate.checks.judged import Judged, classes_of, judge
from lockgate.checks.metrics import COST, Metric, interval_of, metrics_for
from lockgate.checks.needs import Need
from lockgate.checks.performance.costs import costs
from lockgate.checks.performance.guessing import against_guessing
from lockgate.checks.performance.live import SHARE_MARGIN, against_live
from lockgate.checks.performance.loss import loss_of
from lockgate.checks.performance.own import own_metrics
from lockgate.checks.performance.pictures import picture
from lockgate.checks.performance.probabilities import calibration
from lockgate.checks.performance.quantiles import covered
from lockgate.checks.performance.slices import weak_slices
from lockgate.checks.performance.weak import MOST_ROWS, find_weak, weak_finding
from lockgate.errors import InvalidInput
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import Interval

NAME = "performance"
COST_MARGIN = 0.05  # of the live version's cost


class PerformanceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    metric: str | None = None
    min: float | None = None
    max: float | None = None
    margin: float | None = None
    slice_gap: float = 0.05
    slice_ratio: float = 1.25
    slice_rows: int = 50
    calibration_gap: float = 0.05
    cost_saved: float = 0.10


BINDING = {
    "metric": Setting(Stricter.NEITHER),
    "min": Setting(Stricter.HIGHER, needed=True),
    "max": Setting(Stricter.LOWER, needed=True),
    "margin": Setting(Stricter.LOWER, limit=SHARE_MARGIN),  # of an error it is relative: leave it out there
    **dict.fromkeys(
        ("slice_gap", "slice_ratio", "slice_rows", "calibration_gap", "cost_saved"), Setting(Stricter.LOWER)
    ),
}


def run(evidence: Evidence) -> list[Finding]:
    """All findings: overall, own metrics, cost, against guessing, calibration, slices, against live."""
    settings = settings_for(evidence, NAME, PerformanceSettings)
    split = evidence.judged_split() or Split.TEST
    judged = judge(evidence, split, evidence.answers[split])
    metrics = metrics_for(evidence, judged)
    metric, names = _chosen(evidence, settings, metrics), _names(evidence, split, judged)
    found = [
        _overall(evidence, settings, metric, metrics, judged=judged, split=split),
        against_guessing(NAME, evidence, judged, split),
        None
        if judged.queries is not None
        else calibration(NAME, judged, names, split, settings.calibration_gap),
        covered(NAME, judged, split, settings.calibration_gap),
        *_slices(evidence, settings, judged, split),
        _cost(evidence, settings, judged, names),
    ]
    if split in evidence.live:
        found += _against_live(evidence, settings, metric, judged, split)
    return [each for each in found if each is not None] + own_metrics(NAME, evidence, split, settings.margin)


def _names(evidence: Evidence, split: Split, judged: Judged) -> list[str]:
    truth = evidence.answered_truth(split)
    return classes_of(evidence, np.asarray(truth)[judged.rows]) if evidence.classifies else []


def _cost(
    evidence: Evidence, settings: PerformanceSettings, judged: Judged, names: list[str]
) -> Finding | None:
    if judged.costs is None:
        return None
    limit = (
        _limit(evidence, settings, COST) if (settings.metric or evidence.goal.metric) == COST.name else None
    )
    return costs(NAME, judged, names, evidence.random("threshold"), least=settings.cost_saved, limit=limit)


def _against_live(
    evidence: Evidence, settings: PerformanceSettings, metric: Metric, judged: Judged, split: Split
) -> list[Finding]:
    other = judge(evidence, split, evidence.live[split])
    live = evidence.live_name or "the live version"
    found = [against_live(NAME, metric, judged, other, live=live, margin=settings.margin)]
    if judged.costs is not None and metric is not COST:
        # a few decisions make much of a cost, so the margin is wider than an error's
        alike = COST_MARGIN * abs(COST.figure(other))
        dearer = against_live(NAME, COST, judged, other, live=live, margin=alike)
        found.append(msgspec.structs.replace(dearer, subject=f"cost against {live}"))
    return found


def _slices(
    evidence: Evidence, settings: PerformanceSettings, judged: Judged, split: Split
) -> list[Finding | None]:
    """Weak slices that nobody named, in the inputs and the declared columns, on at most `MOST_ROWS` rows; and those named."""
    named = tuple(dict.fromkeys((*evidence.slices, *evidence.protected)))
    known = {evidence.target, evidence.ranking.query if evidence.ranking else None}
    columns = [name for name in dict.fromkeys((*evidence.inputs, *named)) if name not in known]
    some = judged.take(sampled(evidence, NAME, judged.truth.size, MOST_ROWS).rows)
    loss = loss_of(evidence, split, some)
    gap = 2 * (settings.slice_ratio - 1) if loss.relative else settings.slice_gap
    found = find_weak(loss, columns, evidence.random(NAME), gap=gap, min_rows=settings.slice_rows)
    own = None
    if named:
        whole = loss if some.truth.size == judged.truth.size else loss_of(evidence, split, judged)
        own = weak_slices(NAME, whole, named, gap=settings.slice_gap, ratio=settings.slice_ratio,
                          min_rows=settings.slice_rows)  # fmt: skip
    return [None if found is None else weak_finding(NAME, found, loss, gap), own]


def _chosen(evidence: Evidence, settings: PerformanceSettings, metrics: dict[str, Metric]) -> Metric:
    wanted = settings.metric or evidence.goal.metric or next(iter(metrics))
    if wanted in evidence.metrics:  # a metric of the project's own has a finding of its own
        wanted = next(iter(metrics))
    if wanted not in metrics:
        raise InvalidInput(f"'{wanted}' is no metric that these answers allow", allowed=", ".join((*metrics, *evidence.metrics)),
                           fix="change goal.metric or checks.performance.metric in lockgate.yaml")  # fmt: skip
    return metrics[wanted]


def _limit(evidence: Evidence, settings: PerformanceSettings, metric: Metric) -> Threshold | None:
    """What was asked of this metric; the tighter of goal and settings."""
    goal = evidence.goal if (evidence.goal.metric or metric.name) == metric.name else None
    lows = [value for value in (settings.min, goal.at_least if goal else None) if value is not None]
    highs = [value for value in (settings.max, goal.at_most if goal else None) if value is not None]
    if not lows and not highs:
        return None
    asked = settings.min is not None or settings.max is not None
    return Threshold(at_least=max(lows) if lows else None, at_most=min(highs) if highs else None,
                     source="checks.performance" if asked else "the goal")  # fmt: skip


def _overall(
    evidence: Evidence,
    settings: PerformanceSettings,
    metric: Metric,
    metrics: dict[str, Metric],
    *,
    judged: Judged,
    split: Split,
) -> Finding:
    intervals = {name: interval_of(each, judged) for name, each in metrics.items()}
    mine, limit = intervals[metric.name], _limit(evidence, settings, metric)
    status, verdict, advice = _verdict(mine, limit, metric)
    rows: tuple[tuple[Cell, ...], ...] = tuple(
        (metrics[name].title, _round(found.value), _round(found.low), _round(found.high))
        for name, found in intervals.items()
    )
    return Finding(
        check=NAME, subject=metric.title, status=status,
        headline=f"{metric.title[0].upper()}{metric.title[1:]} is {figure(mine.value, metric.unit)} "
                 f"({figure(mine.low, metric.unit)} to {figure(mine.high, metric.unit)}) on {judged.truth.size:,} "
                 f"{split_name(split).removeprefix('the ')}{_of(judged)}{verdict}",
        advice=advice, measure=_measure(metric, mine), threshold=limit,
        table=Table(columns=("figure", "value", "from", "to"), rows=rows), plot=picture(judged),
    )  # fmt: skip


def _of(judged: Judged) -> str:
    """How many queries or subjects the rows are of."""
    if judged.queries is not None:
        return f" of {np.unique(judged.queries).size:,} queries"
    return "" if judged.clusters is None else f" of {np.unique(judged.clusters).size:,} subjects"


def _verdict(mine: Interval, limit: Threshold | None, metric: Metric) -> tuple[Status, str, str]:
    """Status, end of the sentence, advice."""
    if limit is None:
        return (
            Status.PASS,
            "; no goal was set to hold it against.",
            "State a goal: goal: {metric: ..., at_least: ...}",
        )
    bounds = [
        (limit.at_least, mine.value, mine.high, "at least"),
        (limit.at_most, -mine.value, -mine.low, "at most"),
    ]
    worst, words = Status.PASS, f"; {limit.source} asks for {_asked(limit, metric)}."
    for bound, value, best, direction in bounds:
        if bound is None:
            continue
        asked = bound if direction == "at least" else -bound
        if best < asked:
            return Status.FAIL, f", and {limit.source} asks for {_asked(limit, metric)}.", (
                "Do not release this version: train a better one, or have the goal changed by whoever set it.")  # fmt: skip
        if value < asked:
            worst, words = Status.WARN, (
                f"; {limit.source} asks for {_asked(limit, metric)}, and these rows are too few to tell.")  # fmt: skip
    return worst, words, "Test on more rows." if worst is Status.WARN else ""


def _asked(limit: Threshold, metric: Metric) -> str:
    parts = [f"at least {figure(limit.at_least, metric.unit)}" if limit.at_least is not None else "",
             f"at most {figure(limit.at_most, metric.unit)}" if limit.at_most is not None else ""]  # fmt: skip
    return " and ".join(part for part in parts if part)


def _measure(metric: Metric, found: Interval) -> Measure:
    low, high = (value if np.isfinite(value) else None for value in (found.low, found.high))
    return Measure(name=metric.title, value=found.value, unit=metric.unit, low=low, high=high)


def _round(value: float) -> float | None:
    return round(float(value), 6) if np.isfinite(value) else None


CHECK = Check(
    NAME,
    "Is it good enough, everywhere, and no worse than the live version?",
    (Need.JUDGED, Need.TARGET, Need.LABELS, Need.ANSWERS),
    PerformanceSettings,
    run,
    BINDING,
    parts=(
        Part("against the live version", (Need.LIVE,)),
        Part("what its errors cost", (Need.COSTS,)),
        Part("metrics of your own", (Need.METRICS,)),
    ),
)
