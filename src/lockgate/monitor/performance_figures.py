"""How right labelled rows were, with intervals that have a formula: cheap enough to be made anew whenever labels come.

The names are those of the checks (`checks/metrics.py`), so a figure of production stands beside the validation's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
import numpy as np

from lockgate.monitor.class_model import RECALL, class_figures
from lockgate.stats.auc import auc_interval
from lockgate.stats.clusters import mean_by, share_by
from lockgate.stats.intervals import Interval
from lockgate.stats.pinball import distance

FEWEST = 20  # labelled rows below which nothing is said
_TINY = 1e-15
TITLES = {
    "roc_auc": "ROC AUC", "accuracy": "accuracy", "precision": "precision", "recall": "recall", "f1": "F1",
    "log_loss": "log loss", "brier": "Brier score", "positive_rate": "share that came true", "mae": "mean absolute error",
    "rmse": "root mean squared error", "bias": "bias", "macro_f1": "macro F1", "mean_recall": "mean recall of classes",
    "pinball": "pinball loss", "covered": "share of labels up to the answer",
}  # fmt: skip
SHARES = frozenset({"accuracy", "precision", "recall", "positive_rate", "mean_recall", "covered"})
LOWER_IS_BETTER = frozenset({"log_loss", "brier", "mae", "rmse", "pinball"})
NEITHER = frozenset({"positive_rate", "bias", "covered"})  # no direction is better


class Figure(msgspec.Struct, frozen=True, array_like=True):
    """A figure with its 95 % interval."""

    value: float
    low: float
    high: float


class Labelled(msgspec.Struct, frozen=True, kw_only=True):
    """Labelled rows as arrays of n. Two classes: `truth` and `decided` are truth values and `score` a probability or None;
    more: class numbers, and `score` is that of the decision; regression: floats. `subject` (n,): the number of each row's
    subject, None where each is its own; `names`: of several classes, those that the model knows;
    `quantile`: which one of the labels the numbers are, None: their mean or median."""

    truth: np.ndarray
    decided: np.ndarray
    score: np.ndarray | None = None
    subject: np.ndarray | None = None
    names: tuple[str, ...] = ()
    quantile: float | None = None

    @property
    def each(self) -> float:
        """Rows of one subject, on average."""
        return (
            1.0
            if self.subject is None or not self.truth.size
            else self.truth.size / (int(self.subject.max()) + 1)
        )

    def take(self, rows: np.ndarray) -> Labelled:
        """Some of the rows."""
        return Labelled(
            truth=self.truth[rows], decided=self.decided[rows],
            score=None if self.score is None else self.score[rows], subject=renumbered(self.subject, rows),
            names=self.names, quantile=self.quantile,
        )  # fmt: skip


def figures_of(labelled: Labelled, names: frozenset[str] | None = None) -> dict[str, Figure]:
    """The figures that these rows allow, by name, the usual one first; none below `FEWEST` rows. `names`: these alone."""
    if labelled.truth.size < FEWEST:
        return {}
    if labelled.truth.dtype == bool:
        makers = _TWO if labelled.score is not None else {name: _TWO[name] for name in _DECIDED}
    else:
        numbers = _NUMBERS if labelled.quantile is None else _QUANTILE
        makers = numbers if labelled.truth.dtype.kind == "f" else _MANY
    found = {}
    for name, make in makers.items():
        interval = make(labelled) if names is None or name in names else None
        if interval is not None and np.isfinite([interval.value, interval.low, interval.high]).all():
            found[name] = Figure(interval.value, interval.low, interval.high)
    return found | (_of_classes(labelled, names) if makers is _MANY else {})


def is_share(name: str) -> bool:
    """Whether a figure is written in per cent."""
    return name in SHARES or name.startswith(RECALL)


def _of_classes(labelled: Labelled, names: frozenset[str] | None) -> dict[str, Figure]:
    """Those of several classes."""
    if names is not None and not any(
        name in ("macro_f1", "mean_recall") or name.startswith(RECALL) for name in names
    ):
        return {}
    made = class_figures(labelled.decided, labelled.truth, labelled.names, rows_per_subject=labelled.each)
    return {
        name: Figure(one.value, one.low, one.high)
        for name, one in made.items()
        if names is None or name in names
    }


def renumbered(subject: np.ndarray | None, rows: np.ndarray) -> np.ndarray | None:
    """The subjects of some rows, numbered without a gap; None where each row is its own."""
    if subject is None:
        return None
    found = np.unique(subject[rows], return_inverse=True)[1]
    return None if int(found.max(initial=-1)) + 1 == found.size else found


def _auc(of: Labelled) -> Interval | None:
    ups = int(of.truth.sum())
    if of.score is None or min(ups, of.truth.size - ups) < 5:
        return None
    return auc_interval(of.truth, of.score, clusters=of.subject)


def _among(
    hits: Callable[[Labelled], np.ndarray], inside: Callable[[Labelled], np.ndarray]
) -> Callable[[Labelled], Interval | None]:
    """A share of those rows that are inside."""

    def share(of: Labelled) -> Interval | None:
        rows = np.flatnonzero(inside(of))
        return share_by(hits(of)[rows], renumbered(of.subject, rows)) if rows.size else None

    return share


def _everywhere(of: Labelled) -> np.ndarray:
    return np.ones(of.truth.size, dtype=bool)


def _f1(of: Labelled) -> Interval | None:
    """F1 = 2 J / (1 + J) of the share J of hits among rows that were named or came true, which has an interval."""
    found = _among(lambda one: one.truth & one.decided, lambda one: one.truth | one.decided)(of)
    return (
        None
        if found is None
        else Interval(*(2 * each / (1 + each) for each in (found.value, found.low, found.high)))
    )


def _mean(values: Callable[[Labelled], np.ndarray]) -> Callable[[Labelled], Interval | None]:
    return lambda of: mean_by(values(of), of.subject)


def _rmse(of: Labelled) -> Interval | None:
    found = mean_by((of.decided - of.truth) ** 2, of.subject)
    return Interval(*(float(np.sqrt(max(each, 0.0))) for each in (found.value, found.low, found.high)))


def _log_loss(of: Labelled) -> np.ndarray:
    score = np.asarray(of.score).clip(_TINY, 1 - _TINY)
    loss: np.ndarray = -np.where(of.truth, np.log(score), np.log1p(-score))
    return loss


_right = _among(lambda of: of.truth == of.decided, _everywhere)
_TWO: Mapping[str, Callable[[Labelled], Interval | None]] = {
    "roc_auc": _auc,
    "accuracy": _right,
    "precision": _among(lambda of: of.truth, lambda of: of.decided),
    "recall": _among(lambda of: of.decided, lambda of: of.truth),
    "f1": _f1,
    "log_loss": _mean(_log_loss),
    "brier": _mean(lambda of: (np.asarray(of.score) - of.truth) ** 2),
    "positive_rate": _among(lambda of: of.truth, _everywhere),
}
_DECIDED = ("accuracy", "precision", "recall", "f1", "positive_rate")
_MANY: Mapping[str, Callable[[Labelled], Interval | None]] = {"accuracy": _right}
_QUANTILE: Mapping[str, Callable[[Labelled], Interval | None]] = {
    "pinball": _mean(lambda of: distance(of.truth, of.decided, of.quantile)),
    "covered": _among(lambda of: of.truth <= of.decided, _everywhere),
    "mae": _mean(lambda of: np.abs(of.decided - of.truth)),
}
_NUMBERS: Mapping[str, Callable[[Labelled], Interval | None]] = {
    "mae": _mean(lambda of: np.abs(of.decided - of.truth)),
    "rmse": _rmse,
    "bias": _mean(lambda of: of.decided - of.truth),
}
