"""The figures by which answers are judged, each with the interval that suits it.

Rows of one subject (`group`) are alike, so intervals are computed over subjects wherever some have several rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lockgate.checks.evidence import Evidence
from lockgate.checks.judged import Judged
from lockgate.checks.ranking import Ranked, ndcg, precision, ranked, reciprocal_rank
from lockgate.stats.auc import auc, auc_difference, auc_interval
from lockgate.stats.calibration import reliability
from lockgate.stats.clusters import mean_by, paired_share_by, share_by
from lockgate.stats.intervals import Interval, bootstrap

_TINY = 1e-15  # probabilities are kept that far from 0 and 1 in the log loss, as in scikit-learn
PER_DECISIONS = 1_000  # costs are told for that many


@dataclass(frozen=True)
class Metric:
    """A figure over judged rows. `each`: its value per row, where it is a mean over rows; `owners`: of which row each value
    is, where they are not one a row (of a ranking: one a query)."""

    name: str
    title: str
    figure: Callable[[Judged], float]
    higher_is_better: bool = True
    unit: str | None = None
    each: Callable[[Judged], np.ndarray] | None = None
    owners: Callable[[Judged], np.ndarray] | None = None


def metrics_for(evidence: Evidence, judged: Judged) -> dict[str, Metric]:
    """The metrics that these rows allow, the usual one first."""
    ranking = evidence.ranking
    if ranking is not None and judged.queries is not None and judged.score is not None:
        return _table(*_ranking(ranking.at), *((_AUC, _PR_AUC) if judged.truth.dtype == bool else ()))
    if not evidence.classifies:
        return (
            _table(_PINBALL, _COVERED, _MAE)
            if evidence.quantile is not None
            else _table(_MAE, _RMSE, _R2, _BIAS)
        )
    costs = () if judged.costs is None else (COST,)
    if judged.truth.dtype == bool:
        scored = (_AUC, _PR_AUC, _ACCURACY, _F1, _LOG_LOSS, _BRIER, _ECE)
        return _table(*(scored if judged.score is not None else (_ACCURACY, _F1)), *costs)
    return _table(
        _ACCURACY, _MACRO_F1, *((_MULTI_LOG_LOSS,) if judged.probability is not None else ()), *costs
    )


def interval_of(metric: Metric, judged: Judged) -> Interval:
    """The metric with its 95 % interval: exact where there is a formula, else by resampling rows (or subjects)."""
    clusters = clusters_of(judged)
    if metric is _AUC and judged.score is not None:
        return auc_interval(judged.truth, judged.score, clusters=clusters)
    if metric is _ACCURACY:
        return share_by(judged.truth == judged.decision, clusters)
    if metric.each is not None:
        return mean_of(metric, judged, metric.each(judged))
    return bootstrap(lambda index: metric.figure(judged.take(index)), judged.truth.size, clusters=clusters)


def paired(metric: Metric, new: Judged, old: Judged) -> Interval:
    """By how much the new answers are better than the old ones on the same rows; positive is better."""
    sign, clusters = 1.0 if metric.higher_is_better else -1.0, clusters_of(new)
    if metric is _AUC and new.score is not None and old.score is not None:
        return auc_difference(new.truth, new.score, old.score, clusters=clusters)
    if metric is _ACCURACY:
        return paired_share_by(new.truth == new.decision, old.truth == old.decision, clusters)
    if metric is _BIAS:  # smaller in size is better, whichever way it points
        return bootstrap(
            lambda rows: abs(metric.figure(old.take(rows))) - abs(metric.figure(new.take(rows))),
            new.truth.size,
            clusters=clusters,
        )
    if metric.each is not None:
        return mean_of(metric, new, sign * (metric.each(new) - metric.each(old)))
    return bootstrap(
        lambda rows: sign * (metric.figure(new.take(rows)) - metric.figure(old.take(rows))),
        new.truth.size,
        clusters=clusters,
    )


def distance_title(judged: Judged) -> str:
    """What the mean of `Judged.distance` is called."""
    return (_MAE if judged.quantile is None else _PINBALL).title


def paid(judged: Judged, decided: np.ndarray) -> np.ndarray:
    """What deciding so costs at each row (n,), for PER_DECISIONS of them; a decision that no class is costs nothing."""
    table = np.zeros((decided.size, 1)) if judged.costs is None else judged.costs
    place = decided.astype(int)
    return np.asarray(PER_DECISIONS * table[np.arange(place.size), np.maximum(place, 0)] * (place >= 0))


def clusters_of(judged: Judged) -> np.ndarray | None:
    """The subjects of these rows, numbered 0, 1, ... without a gap; None where each row is its own."""
    if judged.clusters is None:
        return None
    found = np.unique(judged.clusters, return_inverse=True)[1]
    return None if int(found.max(initial=-1)) + 1 == found.size else found


def mean_of(metric: Metric, judged: Judged, values: np.ndarray) -> Interval:
    """The mean of a metric's values, as it gives them per row or per query, over subjects where there are some."""
    owners = judged if metric.owners is None else judged.take(metric.owners(judged))
    return mean_by(values, clusters_of(owners))


def apart(one: Interval, other: Interval) -> Interval:
    """`one - other` of two separate sets of rows, from their intervals.

    Source: Zou and Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine 27.
    """
    value = one.value - other.value
    low = float(np.hypot(one.value - one.low, other.high - other.value))
    high = float(np.hypot(one.high - one.value, other.value - other.low))
    return Interval(value, value - low, value + high)


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


def _ranking(at: int) -> tuple[Metric, ...]:
    """Means over queries."""
    figures: tuple[tuple[str, str, Callable[[Ranked], np.ndarray]], ...] = (
        ("ndcg", f"NDCG@{at}", lambda found: ndcg(found, at)),
        ("mrr", "mean reciprocal rank", reciprocal_rank),
        ("precision_at_k", f"precision@{at}", lambda found: precision(found, at)),
    )
    return tuple(_by_query(name, title, of) for name, title, of in figures)


def _by_query(name: str, title: str, of: Callable[[Ranked], np.ndarray]) -> Metric:
    def each(judged: Judged) -> np.ndarray:
        return of(ranked(judged))

    return Metric(name, title, _mean(each), each=each, owners=lambda judged: ranked(judged).firsts)


def _mean(each: Callable[[Judged], np.ndarray]) -> Callable[[Judged], float]:
    return lambda judged: float(values.mean()) if (values := each(judged)).size else float("nan")


def _right(judged: Judged) -> np.ndarray:
    right: np.ndarray = (judged.truth == judged.decision).astype(float)
    return right


def _squared(judged: Judged) -> np.ndarray:
    squared: np.ndarray = (_score(judged) - judged.truth) ** 2
    return squared


def _absolute(judged: Judged) -> np.ndarray:
    distance: np.ndarray = np.abs(judged.decision - judged.truth)
    return distance


def _covered(judged: Judged) -> np.ndarray:
    return np.asarray(judged.truth <= judged.decision, dtype=float)


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
_PINBALL = Metric(
    "pinball",
    "pinball loss",
    _mean(lambda judged: judged.distance),
    False,
    each=lambda judged: judged.distance,
)
_COVERED = Metric("covered", "share of labels up to the answer", _mean(_covered), unit="share", each=_covered)
_RMSE = Metric(
    "rmse", "root mean squared error", lambda judged: float(np.sqrt((_signed(judged) ** 2).mean())), False
)
_R2 = Metric("r2", "R squared", _r2)
_BIAS = Metric("bias", "bias", _mean(_signed), False, each=_signed)


def _cost(judged: Judged) -> np.ndarray:
    return paid(judged, judged.decision)


COST = Metric("cost", f"cost of {PER_DECISIONS:,} decisions", _mean(_cost), False, each=_cost)
