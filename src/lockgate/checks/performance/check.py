"""Performance: good enough overall and on every given slice, better than guessing, no worse than the live version?

Idea: every figure carries its interval, and the interval decides. A figure on the wrong side of its limit fails only
when the whole interval lies there; else it warns and says that more rows are needed. Versions are compared on the same
rows (paired), which sees far smaller differences than two separate figures.

Settings (`checks: {performance: {...}}`): `metric`, `min`, `max` (else the model's goal), `margin` (how much worse than
the live version is still alike), `slice_gap` (share of wrong answers) and `slice_ratio` (mean error), `slice_rows`,
`calibration_gap`.

Sources: DeLong et al. (1988) for ROC areas, Wilson (1927) for shares, Agresti and Min (2005) for paired shares,
Broecker and Smith (2007) for calibration, Benjamini and Hochberg (1995) for many slices.
"""

from __future__ import annotations

import msgspec
import numpy as np

from lockgate.checks.base import Check, Part, figure, sampled, settings_for, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Cell, Finding, Measure, Status, Table, Threshold
from lockgate.checks.metrics import Judged, Metric, interval_of, judge, metrics_for
from lockgate.checks.needs import Need
from lockgate.checks.performance.live import SHARE_MARGIN, against_live
from lockgate.checks.performance.pictures import picture
from lockgate.checks.performance.probabilities import calibration
from lockgate.checks.performance.slices import weak_slices
from lockgate.checks.performance.weak import MOST_ROWS, find_weak, loss_of, weak_finding
from lockgate.checks.values import class_names
from lockgate.errors import InvalidInput
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.auc import auc_interval
from lockgate.stats.intervals import Interval, bootstrap, paired_mean

NAME = "performance"


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


BINDING = {
    "metric": Setting(Stricter.NEITHER),
    "min": Setting(Stricter.HIGHER, needed=True),
    "max": Setting(Stricter.LOWER, needed=True),
    "margin": Setting(Stricter.LOWER, limit=SHARE_MARGIN),  # of an error it is relative: leave it out there
    **dict.fromkeys(("slice_gap", "slice_ratio", "slice_rows", "calibration_gap"), Setting(Stricter.LOWER)),
}


def run(evidence: Evidence) -> list[Finding]:
    """All findings of this check: overall, against guessing, calibration, slices, against live."""
    settings = settings_for(evidence, NAME, PerformanceSettings)
    split = evidence.judged_split() or Split.TEST
    judged = judge(evidence, split, evidence.answers[split])
    metrics = metrics_for(evidence, judged)
    metric = _chosen(evidence, settings, metrics)
    found = [
        _overall(evidence, settings, metric, metrics, judged=judged, split=split),
        _against_guessing(evidence, judged, split),
    ]
    found += [each for each in (calibration(NAME, judged, split, settings.calibration_gap),
                                _found_slices(evidence, settings, judged, split)) if each is not None]  # fmt: skip
    columns = tuple(dict.fromkeys((*evidence.slices, *evidence.protected)))
    if columns:
        found.append(weak_slices(
            NAME, evidence.frames[split][judged.rows], columns, judged, gap=settings.slice_gap,
            ratio=settings.slice_ratio, min_rows=settings.slice_rows, classifies=evidence.classifies,
        ))  # fmt: skip
    if split in evidence.live:
        other = judge(evidence, split, evidence.live[split])
        found.append(
            against_live(
                NAME,
                metric,
                judged,
                other,
                live=evidence.live_name or "the live version",
                margin=settings.margin,
            )
        )
    return found


def _found_slices(
    evidence: Evidence, settings: PerformanceSettings, judged: Judged, split: Split
) -> Finding | None:
    """Weak slices that nobody named, in the inputs and the declared columns, on at most `MOST_ROWS` rows."""
    judged = judged.take(sampled(evidence, NAME, judged.truth.size, MOST_ROWS).rows)
    frame, loss = evidence.frames[split][judged.rows], loss_of(judged, evidence.classifies)
    columns = [
        name for name in (*evidence.inputs, *evidence.slices, *evidence.protected) if name != evidence.target
    ]
    gap = settings.slice_gap if evidence.classifies else 2 * (settings.slice_ratio - 1)
    subjects = class_names(frame[evidence.group]) if evidence.group in frame.columns else None
    found = find_weak(
        frame, columns, loss, evidence.random(NAME), gap=gap, min_rows=settings.slice_rows, subjects=subjects
    )
    return None if found is None else weak_finding(NAME, found, loss, gap)


def _chosen(evidence: Evidence, settings: PerformanceSettings, metrics: dict[str, Metric]) -> Metric:
    wanted = settings.metric or evidence.goal.metric or next(iter(metrics))
    if wanted not in metrics:
        raise InvalidInput(f"'{wanted}' is no metric that these answers allow", allowed=", ".join(metrics),
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
                 f"{split_name(split).removeprefix('the ')}{verdict}",
        advice=advice, measure=_measure(metric, mine), threshold=limit,
        table=Table(columns=("figure", "value", "from", "to"), rows=rows), plot=picture(judged),
    )  # fmt: skip


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


def _against_guessing(evidence: Evidence, judged: Judged, split: Split) -> Finding:
    """Does it know more than a constant answer: chance order, chance recall, or the median."""
    if not evidence.classifies:
        name, gain, words = _against_median(evidence, judged, split)
    elif judged.score is not None and judged.truth.dtype == bool:
        area = auc_interval(judged.truth, judged.score)
        name, words = "ROC AUC above chance", "ordering rows by chance"
        gain = Interval(area.value - 0.5, area.low - 0.5, area.high - 0.5)
    else:
        name, words = "mean recall above chance", "answering by chance"
        gain = bootstrap(lambda index: _recall_above_chance(judged.take(index)), judged.truth.size)
    status = Status.PASS if gain.low > 0 else (Status.FAIL if gain.high <= 0 else Status.WARN)
    said = {
        Status.PASS: f"The model is better than {words}.",
        Status.WARN: f"On these rows the model cannot be told from {words}.",
        Status.FAIL: f"The model is no better than {words}.",
        Status.COULD_NOT_RUN: "",
    }[status]
    return Finding(
        check=NAME, subject="against guessing", status=status, headline=said,
        advice="" if status is Status.PASS else "See that the inputs are prepared as in training, and that labels belong "
                                               "to their rows.",
        measure=Measure(name=name, value=gain.value, low=gain.low, high=gain.high), threshold=Threshold(at_least=0.0),
    )  # fmt: skip


def _against_median(evidence: Evidence, judged: Judged, split: Split) -> tuple[str, Interval, str]:
    known = evidence.truth(Split.TRAIN)
    source = "training" if known is not None else split.value
    median = float(np.nanmedian(known)) if known is not None else float(np.median(judged.truth))
    gain = paired_mean(np.abs(judged.truth - median), np.abs(judged.truth - judged.decision))
    return "mean absolute error saved", gain, f"always answering the {source} median, {figure(median)}"


def _recall_above_chance(judged: Judged) -> float:
    names = np.unique(judged.truth)
    recalls = [float((judged.decision[judged.truth == name] == name).mean()) for name in names]
    return float(np.mean(recalls)) - 1 / max(len(names), 2)


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
    parts=(Part("against the live version", (Need.LIVE,)),),
)
