"""One labelling after another, played: rows are picked, get their labels, a model learns, until it is good enough."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import polars as pl
from benchmarks.annotation.subjects import Subject
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from lockgate.annotation.picking import Pool, Strategy, select

BATCH = 10
FEWEST = 100  # labels a labelling goes on to
LEARNERS: dict[str, Callable[[int], Any]] = {
    "linear": lambda _seed: LogisticRegression(max_iter=200),
    "trees": lambda seed: ExtraTreesClassifier(100, random_state=seed),
}


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


def play(
    subject: Subject, kind: str, strategy: Strategy, goal: float, *, seed: int, most: int
) -> list[float]:
    """The quality after each round (0 while nothing can be learned), until the goal was held for a round and as many labels again
    were given, a hundred at least."""
    codes = np.full(len(subject.labels), -1)
    frame, found, model = pl.DataFrame(subject.pool), [], None
    while len(found) * BATCH < min(most, max(FEWEST, 2 * (first_held(found, goal) or most))):
        answers = () if model is None or strategy is Strategy.CHANCE else (_answers(model, subject),)
        pool = Pool(frame, subject.pool, codes, answers)
        for item in select(pool, strategy, BATCH, random=1_000 * seed + len(found) * BATCH).items:
            codes[item.row] = subject.labels[item.row]
        model = learned(kind, subject, np.flatnonzero(codes >= 0), seed)
        found.append(0.0 if model is None else quality(model, subject))
    return found


def first_held(qualities: Sequence[float], goal: float) -> int | None:
    """Labels when the goal is reached for the first time and held in the round after that.

    >>> first_held([0.5, 0.9, 0.7, 0.9, 0.9], 0.8)
    40
    """
    good = [each >= goal for each in qualities]
    return next(
        (BATCH * (place + 1) for place in range(len(good) - 1) if good[place] and good[place + 1]), None
    )


def usually_enough(labellings: Sequence[Sequence[float]], goals: Sequence[float]) -> int | None:
    """The number of labels with which at least half of the labellings are good enough, as with the next number. A labelling that
    was ended early counts from there on as it was at its end.

    >>> usually_enough([[0.9, 0.5, 0.9, 0.9], [0.5, 0.9, 0.9, 0.9], [0.5, 0.5, 0.9, 0.9]], [0.8] * 3)
    30
    """
    longest = max(map(len, labellings))
    filled = [[*each, *[each[-1]] * (longest - len(each))] for each in labellings]
    good = [
        sorted(row[place] / goal for row, goal in zip(filled, goals, strict=True)) for place in range(longest)
    ]
    return first_held([each[len(each) // 2] for each in good], 1.0)


def _answers(model: Any, subject: Subject) -> np.ndarray:
    made = np.zeros((len(subject.pool), int(subject.labels.max()) + 1))
    made[:, model.classes_] = model.predict_proba(subject.pool)
    return made
