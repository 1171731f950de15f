"""One labelling after another, played: rows are picked, get their labels, a model learns, until it is good enough."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from benchmarks.annotation.subjects import Subject
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lockgate.annotation.picking import Pool, Strategy, select

BATCH = 10
LEARNERS: dict[str, Callable[[int], Any]] = {
    "linear": lambda _seed: LogisticRegression(max_iter=200),
    "trees": lambda seed: ExtraTreesClassifier(100, random_state=seed),
}


@dataclass(frozen=True)
class Played:
    """How many labels it took; None: the goal was not reached with `most`."""

    labels: int | None


def quality(model: Any, subject: Subject) -> float:
    """ROC AUC for two classes, the share of right answers for more."""
    if subject.truth.max() == 1:
        return float(roc_auc_score(subject.truth, model.predict_proba(subject.judged)[:, 1]))
    return float((model.predict(subject.judged) == subject.truth).mean())


def learned(kind: str, subject: Subject, rows: np.ndarray, seed: int) -> Any:
    """A model that has learned these rows of the pool; None while they are of one class."""
    if np.unique(subject.labels[rows]).size < 2:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LEARNERS[kind](seed).fit(subject.pool[rows], subject.labels[rows])


def full_quality(kind: str, subject: Subject, seed: int = 0) -> float:
    """With every label of the pool."""
    return quality(learned(kind, subject, np.arange(len(subject.labels)), seed), subject)


def play(subject: Subject, kind: str, strategy: Strategy, goal: float, *, seed: int, most: int) -> Played:
    """Labels until the goal is reached, and held in the round after that."""
    codes = np.full(len(subject.labels), -1)
    frame = pl.DataFrame(subject.pool)
    before = False
    while True:
        rows = np.flatnonzero(codes >= 0)
        model = learned(kind, subject, rows, seed) if rows.size else None
        good = model is not None and quality(model, subject) >= goal
        if good and before:
            return Played(rows.size - BATCH)
        if rows.size >= most:
            return Played(None)
        before = good
        answers = () if model is None or strategy is Strategy.CHANCE else (_answers(model, subject),)
        pool = Pool(frame, subject.pool, codes, answers)
        for item in select(pool, strategy, BATCH, random=1_000 * seed + rows.size).items:
            codes[item.row] = subject.labels[item.row]


def _answers(model: Any, subject: Subject) -> np.ndarray:
    made = np.zeros((len(subject.pool), int(subject.labels.max()) + 1))
    made[:, model.classes_] = model.predict_proba(subject.pool)
    return made
