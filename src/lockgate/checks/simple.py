"""Simple models with usual settings, trained beside a version to know what little effort would bring."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.checks.evidence import Answers
from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import ensemble, linear_model
else:
    ensemble, linear_model = late("sklearn.ensemble"), late("sklearn.linear_model")

FEWEST_ROWS = 200


class Kind(StrEnum):
    """Which simple model; the text is for sentences."""

    LINEAR = "a linear model"
    SMALL = "a small gradient boosting"
    USUAL = "a gradient boosting"


_SMALL = {"max_leaf_nodes": 8, "min_samples_leaf": 40, "l2_regularization": 1.0}


def answers_of(
    kind: Kind, matrix: np.ndarray, truth: np.ndarray, asked: np.ndarray, classes: tuple[str, ...] | None
) -> Answers | None:
    """Answers to the rows `asked` (m, k) of a model trained on `matrix` (n, k) and `truth` (n,); None where they teach nothing.

    `classes`: the names of the version's classes, in the order of the probabilities; None in regression. A class that was never
    seen has no probability. Few rows, one class, a constant number, no input: nothing is learned.
    """
    if truth.size < FEWEST_ROWS or not matrix.shape[1] or len(set(truth.tolist())) < 2:
        return None
    model = _model(kind, classes is not None).fit(matrix, truth)
    if classes is None:
        made = np.asarray(model.predict(asked), dtype=float)
        return Answers(made, made)
    given, wide = model.predict_proba(asked), np.zeros((len(asked), len(classes)))
    for place, name in enumerate(str(each) for each in model.classes_):
        if name in classes:
            wide[:, classes.index(name)] = given[:, place]
    decisions = np.array(classes, dtype=object)[wide.argmax(axis=1)]
    return Answers(decisions, wide[:, -1] if len(classes) == 2 else None, wide)


def _model(kind: Kind, classifies: bool) -> Any:
    if kind is Kind.LINEAR:
        return linear_model.LogisticRegression(max_iter=300) if classifies else linear_model.Ridge(alpha=1.0)
    boosting = (
        ensemble.HistGradientBoostingClassifier if classifies else ensemble.HistGradientBoostingRegressor
    )
    return boosting(
        max_iter=60, random_state=0, early_stopping=False, **(_SMALL if kind is Kind.SMALL else {})
    )
