"""Part of the back-test: a plain model that is trained again before each window, to see what retraining would have brought.

Gradient boosting over the version's own inputs with usual settings. It is not the version's algorithm: a sealed model can
answer, not learn. Where such a plain model, kept fresh, is better, the version grew old.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers
from lockgate.checks.values import numbers_of, times_of
from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import ensemble
else:
    ensemble = late("sklearn.ensemble")

MOST_ROWS = 20_000
FEWEST_ROWS = 200
_ROUNDS = 60
_LARGEST = 1e30


def matrix_of(frame: pl.DataFrame, inputs: tuple[str, ...]) -> np.ndarray:
    """The inputs as floats, shape (n, k): text by the rank of how often it stands there, NaN where nothing is."""
    columns = [
        _column(frame[name]) for name in inputs if name in frame.columns and not frame[name].dtype.is_nested()
    ]
    return np.column_stack(columns) if columns else np.empty((frame.height, 0))


def retrained(
    matrix: np.ndarray,
    truth: np.ndarray,
    learn: np.ndarray,
    judge: np.ndarray,
    classes: tuple[str, ...] | None,
) -> Answers | None:
    """Answers to the rows `judge` of a model that learned the rows `learn` (row numbers, the newest MOST_ROWS of them).

    None where there is too little to learn: few rows, one class, a constant number, no input.
    """
    learn = learn[-MOST_ROWS:]
    if learn.size < FEWEST_ROWS or not matrix.shape[1] or len(set(truth[learn].tolist())) < 2:
        return None
    kind = (
        ensemble.HistGradientBoostingRegressor if classes is None else ensemble.HistGradientBoostingClassifier
    )
    model = kind(max_iter=_ROUNDS, random_state=0, early_stopping=False).fit(matrix[learn], truth[learn])
    if classes is None:
        made = model.predict(matrix[judge])
        return Answers(made, made)
    given = model.predict_proba(matrix[judge])
    return _answers(given, [str(name) for name in model.classes_], classes)


def _answers(given: np.ndarray, known: list[str], classes: tuple[str, ...]) -> Answers:
    """Probabilities in the order of `classes`; one that was never seen has none."""
    wide = np.zeros((len(given), len(classes)))
    for place, name in enumerate(known):
        if name in classes:
            wide[:, classes.index(name)] = given[:, place]
    decisions = np.array(classes, dtype=object)[wide.argmax(axis=1)]
    return Answers(decisions, wide[:, -1] if len(classes) == 2 else None, wide)


def _column(series: pl.Series) -> np.ndarray:
    if series.dtype in {pl.String, pl.Categorical}:
        counts = series.value_counts(sort=True)
        place = dict(zip(counts[series.name].to_list(), range(counts.height), strict=True))
        place.pop(None, None)
        return np.array([place.get(value, np.nan) for value in series.to_list()], dtype=float)
    values = (
        times_of(series) if series.dtype.is_temporal() and series.dtype != pl.Time else numbers_of(series)
    )
    return np.where(np.abs(values) < _LARGEST, values, np.nan)
