"""Part of the back-test: a model that is trained again before each window, to see what retraining would have brought.

The version's own algorithm where its sealed file can be copied untrained, else (or where that takes too long) gradient
boosting over the version's own inputs with usual settings.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Evidence
from lockgate.checks.simple import FEWEST_ROWS, Kind, answers_of
from lockgate.errors import LockgateError, TimedOut

MOST_ROWS = 20_000
OWN_S = 180.0  # for all windows together
OWN, PLAIN = "its own algorithm", "a plain model"
Teach = Callable[[np.ndarray, np.ndarray], Answers | None]  # rows to learn, rows to answer, by their numbers


@dataclass(frozen=True, eq=False)
class Reference:
    """Answers to n rows, each of a model that learned only what lay before its window; `known` (n,): which have any.

    `name`: what was trained, for sentences; `why`: why it was not the version's own algorithm, empty where it was.
    """

    answers: Answers | None
    known: np.ndarray
    name: str
    why: str = ""


def reference(
    evidence: Evidence,
    frame: pl.DataFrame,
    matrix: np.ndarray,
    *,
    truth: np.ndarray,
    window: np.ndarray,
    classes: tuple[str, ...] | None,
) -> Reference:
    """The model that is kept fresh, over n rows in time order: `frame`, and as numbers `matrix` (n, k)."""

    def plain(learn: np.ndarray, judge: np.ndarray) -> Answers | None:
        return retrained(matrix, truth, learn, judge, classes)

    def own(learn: np.ndarray, judge: np.ndarray) -> Answers | None:
        learn = learn[-MOST_ROWS:]
        if learn.size < FEWEST_ROWS or len(set(truth[learn].tolist())) < 2:
            return None
        return evidence.relearned(frame[learn], truth[learn], frame[judge])

    why = ""
    if evidence.learns and evidence.ask is not None:
        try:
            return Reference(*_fresh(own, window, classes, evidence.tell, limit_s=OWN_S), OWN)
        except LockgateError as error:
            why = error.what
    return Reference(*_fresh(plain, window, classes, evidence.tell), PLAIN, why)


def retrained(
    matrix: np.ndarray,
    truth: np.ndarray,
    learn: np.ndarray,
    judge: np.ndarray,
    classes: tuple[str, ...] | None,
) -> Answers | None:
    """Answers to the rows `judge` of a plain model that learned the rows `learn` (row numbers, the newest MOST_ROWS of them).

    None where there is too little to learn.
    """
    learn = learn[-MOST_ROWS:]
    return answers_of(Kind.USUAL, matrix[learn], truth[learn], matrix[judge], classes)


def _fresh(
    teach: Teach,
    window: np.ndarray,
    classes: tuple[str, ...] | None,
    tell: Callable[[int, int, str], None],
    *,
    limit_s: float | None = None,
) -> tuple[Answers | None, np.ndarray]:
    """A model trained on all that lies before each window; which rows it answered. Raises TimedOut when it will take too long."""
    count, known = window.size, np.zeros(window.size, dtype=bool)
    decisions = np.zeros(count) if classes is None else np.full(count, (classes or ("",))[0], dtype=object)
    scores, wide = np.zeros(count), np.zeros((count, len(classes or ())))
    ends = int(window.max(initial=-1)) + 1
    if count < FEWEST_ROWS:
        return None, known
    began_s, before = time.monotonic(), [int((window[window >= 0] < place).sum()) for place in range(ends)]
    for place in range(1, ends):
        tell(place, ends - 1, "windows")
        rows = np.flatnonzero(window == place)
        made = teach(np.flatnonzero((window >= 0) & (window < place)), rows) if rows.size else None
        if made is not None:
            known[rows], decisions[rows] = True, made.decisions
            if made.scores is not None:
                scores[rows] = made.scores
            if made.probabilities is not None:
                wide[rows, : made.probabilities.shape[1]] = made.probabilities
        took_s = time.monotonic() - began_s
        if limit_s is not None and took_s * sum(before) > limit_s * max(sum(before[: place + 1]), 1):
            raise TimedOut(f"training it before each window would take more than {limit_s:g} seconds")
    if not known.any():
        return None, known
    return Answers(decisions, scores if classes is None or len(classes) == 2 else None,
                   wide if classes is not None and len(classes) > 2 else None), known  # fmt: skip
