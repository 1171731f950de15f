"""Part of the performance check: does the model know more than a constant answer, or an order drawn by lot?"""

from __future__ import annotations

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.judged import Judged
from lockgate.checks.metrics import clusters_of
from lockgate.checks.performance.quantiles import quantile_advice
from lockgate.checks.ranking import ndcg, ndcg_by_chance, ranked
from lockgate.stats.auc import auc_interval
from lockgate.stats.clusters import mean_by
from lockgate.stats.intervals import LEVEL, Interval, bootstrap
from lockgate.stats.pinball import best_constant, distance


def against_guessing(check: str, evidence: Evidence, judged: Judged, split: Split) -> Finding:
    """Chance order, chance recall, the median, or an order drawn by lot; passes where the whole interval is above it."""
    name, gain, words = _gain(evidence, judged, split)
    status = Status.PASS if gain.low > 0 else (Status.FAIL if gain.high <= 0 else Status.WARN)
    said = {
        Status.PASS: f"The model is better than {words}.",
        Status.WARN: f"On these rows the model cannot be told from {words}.",
        Status.FAIL: f"The model is no better than {words}.",
        Status.COULD_NOT_RUN: "",
    }[status]
    low, high = (value if np.isfinite(value) else None for value in (gain.low, gain.high))
    return Finding(
        check=check, subject="against guessing", status=status, headline=said,
        advice="" if status is Status.PASS else "See that the inputs are prepared as in training, and that labels belong "
                                               f"to their rows.{quantile_advice(judged)}",
        measure=Measure(name=name, value=gain.value, low=low, high=high), threshold=Threshold(at_least=0.0),
    )  # fmt: skip


def _gain(evidence: Evidence, judged: Judged, split: Split) -> tuple[str, Interval, str]:
    clusters = clusters_of(judged)
    if evidence.ranking is not None and judged.queries is not None and judged.score is not None:
        found = ranked(judged)
        values = ndcg(found, evidence.ranking.at) - ndcg_by_chance(found, evidence.ranking.at)
        gain = mean_by(values, clusters_of(judged.take(found.firsts)))
        return f"NDCG@{evidence.ranking.at} above chance", gain, "an order drawn by lot"
    if not evidence.classifies:
        return _above_median(evidence, judged, split)
    if judged.score is not None and judged.truth.dtype == bool:
        area = auc_interval(judged.truth, judged.score, clusters=clusters)
        gain = Interval(area.value - 0.5, area.low - 0.5, area.high - 0.5)
        return "ROC AUC above chance", gain, "ordering rows by chance"
    gain = bootstrap(
        lambda index: _recall_above_chance(judged.take(index)), judged.truth.size, clusters=clusters
    )
    return "mean recall above chance", gain, "answering by chance"


def _above_median(evidence: Evidence, judged: Judged, split: Split) -> tuple[str, Interval, str]:
    """By the absolute error against the median, and by the squared one against the mean: a model is made for either, and of
    skewed labels the mean is no good median. Better by one of them is better, so each interval is at half the risk."""
    known = evidence.truth(Split.TRAIN)
    source, labels = ("training", known) if known is not None else (split.value, judged.truth)
    clusters, level = clusters_of(judged), 1 - (1 - LEVEL) / 2
    if judged.quantile is not None:
        constant = best_constant(labels, judged.quantile)
        gained = distance(judged.truth, np.array(constant), judged.quantile) - judged.distance
        words = f"always answering the {source} quantile {judged.quantile:g}, {figure(constant)}"
        return "pinball loss saved", mean_by(gained, clusters), words
    median, mean = float(np.nanmedian(labels)), float(np.nanmean(labels))
    error = judged.truth - judged.decision
    absolute = mean_by(np.abs(judged.truth - median) - np.abs(error), clusters, level)
    squared = mean_by((judged.truth - mean) ** 2 - error**2, clusters, level)
    if absolute.low > 0 or squared.high <= 0:
        return (
            "mean absolute error saved",
            absolute,
            f"always answering the {source} median, {figure(median)}",
        )
    return "mean squared error saved", squared, f"always answering the {source} mean, {figure(mean)}"


def _recall_above_chance(judged: Judged) -> float:
    names = np.unique(judged.truth)
    recalls = [float((judged.decision[judged.truth == name] == name).mean()) for name in names]
    return float(np.mean(recalls)) - 1 / max(len(names), 2)
