"""The figures by which answers are judged, each with the interval that suits it.

Classification is judged on truth values (two classes) or class numbers (more); regression on floats.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.errors import InvalidInput
from lockgate.stats.auc import auc, auc_difference, auc_interval
from lockgate.stats.calibration import reliability
from lockgate.stats.intervals import (
    Interval,
    bootstrap,
    mean_interval,
    paired_mean,
    paired_share_difference,
    wilson,
)

_TINY = 1e-15  # probabilities are kept that far from 0 and 1 in the log loss, as in scikit-learn


@dataclass(frozen=True, eq=False)
class Judged:
    """Labelled rows as arrays of n: `truth` and `decision` coded alike, `score` (n,), `probability` (n, classes).

    `rows` are the places of these rows in their table.
    """

    rows: np.ndarray
    truth: np.ndarray
    decision: np.ndarray
    score: np.ndarray | None
    probability: np.ndarray | None

    def take(self, index: np.ndarray) -> Judged:
        """Some of the rows."""
        return Judged(self.rows[index], self.truth[index], self.decision[index],
                      None if self.score is None else self.score[index],
                      None if self.probability is None else self.probability[index])  # fmt: skip


@dataclass(frozen=True)
class Metric:
    """A figure over judged rows. `each`: its value per row, where it is a mean over rows."""

    name: str
    title: str
    figure: Callable[[Judged], float]
    higher_is_better: bool = True
    unit: str | None = None
    each: Callable[[Judged], np.ndarray] | None = None


def judge(evidence: Evidence, split: Split, answers: Answers) -> Judged:
    """The labelled rows of a table with a version's answers; where a sample was answered, `rows` are places in the sample.

    Raises InvalidInput when no row has a label."""
    truth = evidence.answered_truth(split)
    if truth is None:
        raise InvalidInput(f"the {split} table has no target column", got=evidence.target)
    if not evidence.classifies:
        rows = np.flatnonzero(np.isfinite(truth))
        _refuse_none(rows, evidence, split)
        decision = np.asarray(answers.decisions, dtype=float)[rows]
        return Judged(rows, truth[rows], decision, decision, None)
    rows = np.flatnonzero([name is not None for name in truth])
    _refuse_none(rows, evidence, split)
    names = classes_of(evidence, truth[rows])
    kept = answers.take(rows)
    if len(names) == 2:
        positive = names[1]
        return Judged(rows, truth[rows] == positive, kept.decisions == positive, kept.scores, None)
    place = {name: number for number, name in enumerate(names)}
    codes = [
        np.array([place.get(str(name), -1) for name in values]) for values in (truth[rows], kept.decisions)
    ]
    return Judged(rows, codes[0], codes[1], None, kept.probabilities)


def classes_of(evidence: Evidence, truth: np.ndarray) -> list[str]:
    """The class names; of two the second is the positive one. Labels that the model does not know come last."""
    known = list(evidence.classes or [])
    names = known + sorted({str(name) for name in truth} - set(known))
    if len(names) == 2 and evidence.positive == names[0]:
        names.reverse()
    return names


def metrics_for(evidence: Evidence, judged: Judged) -> dict[str, Metric]:
    """The metrics that these rows allow, the usual one first."""
    if not evidence.classifies:
        return _table(_MAE, _RMSE, _R2, _BIAS)
    if judged.truth.dtype == bool:
        return _table(_AUC, _PR_AUC, _ACCURACY, _F1, _LOG_LOSS, _BRIER, _ECE) if judged.score is not None else _table(
            _ACCURACY, _F1)  # fmt: skip
    return (
        _table(_ACCURACY, _MACRO_F1, _MULTI_LOG_LOSS)
        if judged.probability is not None
        else _table(_ACCURACY, _MACRO_F1)
    )


def interval_of(metric: Metric, judged: Judged) -> Interval:
    """The metric with its 95 % interval: exact where there is a formula, else by resampling rows."""
    if metric is _AUC and judged.score is not None:
        return auc_interval(judged.truth, judged.score)
    if metric is _ACCURACY:
        return wilson(int((judged.truth == judged.decision).sum()), judged.truth.size)
    if metric.each is not None:
        return mean_interval(metric.each(judged))
    return bootstrap(lambda index: metric.figure(judged.take(index)), judged.truth.size)


def apart(one: Interval, other: Interval) -> Interval:
    """`one - other` of two separate sets of rows, from their intervals.

    Source: Zou and Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine 27.
    """
    value = one.value - other.value
    low = float(np.hypot(one.value - one.low, other.high - other.value))
    high = float(np.hypot(one.high - one.value, other.value - other.low))
    return Interval(value, value - low, value + high)


def paired(metric: Metric, new: Judged, old: Judged) -> Interval:
    """By how much the new answers are better than the old ones on the same rows; positive is better."""
    sign = 1.0 if metric.higher_is_better else -1.0
    if metric is _AUC and new.score is not None and old.score is not None:
        return auc_difference(new.truth, new.score, old.score)
    if metric is _ACCURACY:
        right, was_right = new.truth == new.decision, old.truth == old.decision
        return paired_share_difference(
            int((right & ~was_right).sum()), int((was_right & ~right).sum()), right.size
        )
    if metric is _BIAS:  # smaller in size is better, whichever way it points
        return bootstrap(
            lambda rows: abs(metric.figure(old.take(rows))) - abs(metric.figure(new.take(rows))),
            new.truth.size,
        )
    if metric.each is not None:
        return paired_mean(sign * metric.each(new), sign * metric.each(old))
    return bootstrap(
        lambda rows: sign * (metric.figure(new.take(rows)) - metric.figure(old.take(rows))), new.truth.size
    )


def _refuse_none(rows: np.ndarray, evidence: Evidence, split: Split) -> None:
    if rows.size == 0:
        raise InvalidInput(f"no row of the {split} table has a value in '{evidence.target}'",
                           fix="give a table whose labels are known")  # fmt: skip


def _table(*metrics: Metric) -> dict[str, Metric]:
    return {metric.name: metric for metric in metrics}


def _score(judged: Judged) -> np.ndarray:
    return np.asarray(judged.score, dtype=float)


def _pr_auc(judged: Judged) -> float:
    """Average precision: precision at each distinct score, weighted by the recall gained there."""
    ups = int(judged.truth.sum())
    if ups == 0:
        return float("nan")
    score = _score(judged)
    order = np.argsort(-score, kind="stable")
    ends = np.flatnonzero(np.diff(score[order], append=np.nan))
    right = np.cumsum(judged.truth[order])[ends]
    return float(np.sum(np.diff(right, prepend=0) / ups * right / (ends + 1)))


def _f1(truth: np.ndarray, decision: np.ndarray) -> float:
    both = int((truth & decision).sum())
    return 2 * both / named if (named := int(truth.sum()) + int(decision.sum())) else 0.0


def _macro_f1(judged: Judged) -> float:
    names = np.union1d(judged.truth, judged.decision)
    return float(np.mean([_f1(judged.truth == name, judged.decision == name) for name in names]))


def _log_loss(judged: Judged) -> np.ndarray:
    score = _score(judged).clip(_TINY, 1 - _TINY)
    loss: np.ndarray = -np.where(judged.truth, np.log(score), np.log1p(-score))
    return loss


def _multi_log_loss(judged: Judged) -> np.ndarray:
    probability = np.asarray(judged.probability, dtype=float)
    known = (judged.truth >= 0) & (judged.truth < probability.shape[1])
    given = probability[np.arange(judged.truth.size), np.where(known, judged.truth, 0)]
    loss: np.ndarray = -np.log(np.where(known, given, 0.0).clip(_TINY, 1.0))
    return loss


def _mean(each: Callable[[Judged], np.ndarray]) -> Callable[[Judged], float]:
    return lambda judged: float(each(judged).mean())


def _right(judged: Judged) -> np.ndarray:
    right: np.ndarray = (judged.truth == judged.decision).astype(float)
    return right


def _squared(judged: Judged) -> np.ndarray:
    squared: np.ndarray = (_score(judged) - judged.truth) ** 2
    return squared


def _absolute(judged: Judged) -> np.ndarray:
    distance: np.ndarray = np.abs(judged.decision - judged.truth)
    return distance


def _signed(judged: Judged) -> np.ndarray:
    signed: np.ndarray = judged.decision - judged.truth
    return signed


def _r2(judged: Judged) -> float:
    spread = float(((judged.truth - judged.truth.mean()) ** 2).sum())
    return 1 - float((_signed(judged) ** 2).sum()) / spread if spread else float("nan")


_AUC = Metric("roc_auc", "ROC AUC", lambda judged: auc(judged.truth, _score(judged)))
_PR_AUC = Metric("pr_auc", "PR AUC", _pr_auc)
_ACCURACY = Metric("accuracy", "accuracy", _mean(_right), unit="share", each=_right)
_F1 = Metric("f1", "F1", lambda judged: _f1(judged.truth, judged.decision))
_MACRO_F1 = Metric("macro_f1", "macro F1", _macro_f1)
_LOG_LOSS = Metric("log_loss", "log loss", _mean(_log_loss), False, each=_log_loss)
_MULTI_LOG_LOSS = Metric("log_loss", "log loss", _mean(_multi_log_loss), False, each=_multi_log_loss)
_BRIER = Metric("brier", "Brier score", _mean(_squared), False, each=_squared)
_ECE = Metric(
    "ece", "calibration error", lambda judged: reliability(judged.truth, _score(judged)).error, False
)
_MAE = Metric("mae", "mean absolute error", _mean(_absolute), False, each=_absolute)
_RMSE = Metric(
    "rmse", "root mean squared error", lambda judged: float(np.sqrt((_signed(judged) ** 2).mean())), False
)
_R2 = Metric("r2", "R squared", _r2)
_BIAS = Metric("bias", "bias", _mean(_signed), False, each=_signed)
