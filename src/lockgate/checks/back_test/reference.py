"""Part of the back-test: a plain model that is trained again before each window, to see what retraining would have brought.

Gradient boosting over the version's own inputs with usual settings. It is not the version's algorithm: a sealed model can
answer, not learn. Where such a plain model, kept fresh, is better, the version grew old.
"""

from __future__ import annotations

import numpy as np

from lockgate.checks.evidence import Answers
from lockgate.checks.simple import Kind, answers_of

MOST_ROWS = 20_000


def retrained(
    matrix: np.ndarray,
    truth: np.ndarray,
    learn: np.ndarray,
    judge: np.ndarray,
    classes: tuple[str, ...] | None,
) -> Answers | None:
    """Answers to the rows `judge` of a model that learned the rows `learn` (row numbers, the newest MOST_ROWS of them).

    None where there is too little to learn.
    """
    learn = learn[-MOST_ROWS:]
    return answers_of(Kind.USUAL, matrix[learn], truth[learn], matrix[judge], classes)
