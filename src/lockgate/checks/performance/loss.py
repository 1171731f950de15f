"""Part of the performance check: what each row (of a ranking: each query) loses, which weak slices are made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.judged import Judged
from lockgate.checks.metrics import clusters_of, distance_title
from lockgate.checks.ranking import ndcg, ranked

_LEVELS = 20  # levels of confidence that rows are compared within


@dataclass(frozen=True, eq=False)
class Loss:
    """Per row of `frame`: its loss, and what rows of the same confidence lose on average. `relative`: slices are compared by
    ratio. `what`, `unit`, `each` name it in sentences; `varied` are columns that differ within what is judged as one.
    `clusters` (n,): the rows' subjects, None where each is its own.
    """

    frame: pl.DataFrame
    own: np.ndarray
    expected: np.ndarray
    relative: bool
    what: str
    unit: str | None
    each: str = "rows"
    clusters: np.ndarray | None = None
    varied: tuple[str, ...] = ()

    @property
    def beyond(self) -> np.ndarray:
        """What the search looks for, 0 on average."""
        if not self.relative:
            return np.asarray(self.own - self.expected)
        ratio = self.own / np.where(self.expected > 0, self.expected, 1.0)
        return np.asarray(
            np.minimum(ratio, np.quantile(ratio, 0.995)) - 1.0
        )  # one monstrous error is no slice


def loss_of(evidence: Evidence, split: Split, judged: Judged) -> Loss:
    """Wrong answers, absolute errors, or of a ranking what each query lacks of the best order."""
    frame = evidence.frames[split][judged.rows]
    if evidence.ranking is not None and judged.queries is not None and judged.score is not None:
        return _of_queries(frame, judged, evidence.ranking.at)
    clusters = clusters_of(judged)
    if not evidence.classifies:
        error = judged.distance
        like = _like(error, judged.decision, _LEVELS)
        return Loss(frame, error, like, True, distance_title(judged), None, clusters=clusters)
    wrong = np.asarray(judged.truth != judged.decision, dtype=float)
    like = _like(wrong, _confidence(judged), _LEVELS)
    return Loss(frame, wrong, like, False, "wrong answers", "share", clusters=clusters)


def _of_queries(frame: pl.DataFrame, judged: Judged, at: int) -> Loss:
    """A row per query, of the columns that are the same in all rows of a query."""
    found = ranked(judged)
    lost = 1 - ndcg(found, at)
    whole = frame.with_columns(pl.Series("\0query", judged.queries))
    counts = whole.group_by("\0query").agg(pl.all().n_unique()).drop("\0query").max()
    constant = [name for name in counts.columns if counts[name][0] == 1]
    clusters = clusters_of(judged.take(found.firsts))
    varied = tuple(name for name in frame.columns if name not in constant)
    return Loss(frame[found.firsts].select(constant), lost, np.full(lost.size, lost.mean() if lost.size else 0.0), False,
                f"gain lost of the best order (1 - NDCG@{at})", "share", "queries", clusters, varied)  # fmt: skip


def _confidence(judged: Judged) -> np.ndarray:
    """How sure the model was of its decision; where it does not say, the decision itself."""
    if judged.score is not None and judged.truth.dtype == bool:
        return np.asarray(judged.score, dtype=float)
    if judged.probability is not None:
        return np.asarray(np.max(judged.probability, axis=1), dtype=float)
    return np.asarray(judged.decision, dtype=float)


def _like(loss: np.ndarray, by: np.ndarray, levels: int) -> np.ndarray:
    """The mean loss of rows whose `by` is alike (the same of `levels` quantiles), shape (n,)."""
    edges = np.unique(np.quantile(by, np.linspace(0, 1, levels + 1)[1:-1], method="lower"))
    level = np.searchsorted(edges, by, side="left")
    sums, counts = np.bincount(level, loss), np.bincount(level)
    return np.asarray((sums / np.maximum(counts, 1))[level])
