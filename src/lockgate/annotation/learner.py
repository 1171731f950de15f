"""The simple models that stand in where no version answers a pool: trained on the labels that are there."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.annotation.diverse import drawn
from lockgate.checks.label_errors.learners import tell_classes
from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import ensemble, linear_model, model_selection
else:
    ensemble, linear_model = late("sklearn.ensemble"), late("sklearn.linear_model")
    model_selection = late("sklearn.model_selection")

FEWEST = 10  # of each of two classes at least, before anything is learned
_FOLDS = 3
_TREES = 60
_MOST = 20_000  # rows that are learned from
_MOST_COMPARED = 2_000  # on which the two are held against each other for the choice of how to pick


def learners(random: int) -> tuple[Any, ...]:
    """The simple models, unfitted: a linear one and extremely randomised trees."""
    return (
        linear_model.LogisticRegression(max_iter=200),
        ensemble.ExtraTreesClassifier(_TREES, random_state=random),
    )


def proxy_answers(matrix: np.ndarray, codes: np.ndarray, classes: int, random: int) -> np.ndarray | None:
    """What the better of the simple models says of every row, (n, classes); None while there are too few labels.

    The better one is told by cross-validation on the labels alone.
    """
    rows = np.flatnonzero(codes >= 0)
    counts = np.bincount(codes[rows], minlength=classes)
    if rows.size < FEWEST or (counts >= 2).sum() < 2 or matrix.shape[1] == 0:
        return None
    if rows.size > _MOST:
        rows = np.random.default_rng(random).choice(rows, _MOST, replace=False)
    usual = rows[counts[codes[rows]] >= 2]
    best = max(learners(random), key=lambda model: _skill(model, matrix[usual], codes[usual], random))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # not quite converged is good enough here
        best.fit(matrix[rows], codes[rows])
    made = np.zeros((len(matrix), classes))
    made[:, best.classes_] = best.predict_proba(matrix)
    return made


def is_straight(matrix: np.ndarray, codes: np.ndarray, random: int) -> bool:
    """Whether the linear one of the simple models does for two classes, by cross-validation on the labels that are there: trees
    are not better by more than a standard error, the simpler one stands (Breiman et al. 1984, Classification and regression
    trees). False while there are too few labels."""
    rows = np.flatnonzero(codes >= 0)
    rows = rows[drawn(rows.size, _MOST_COMPARED, random)]
    counts = np.bincount(codes[rows], minlength=2)
    if rows.size < FEWEST or counts.size != 2 or counts.min() < 2:
        return False
    split = model_selection.StratifiedKFold(min(_FOLDS, int(counts.min())), shuffle=True, random_state=random)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        told = [
            model_selection.cross_val_predict(
                model, matrix[rows], codes[rows], cv=split, method="predict_proba"
            )
            for model in learners(random)
        ]
    linear, trees = (np.square(each[:, 1] - codes[rows]) for each in told)
    worse = linear - trees
    return bool(worse.mean() <= worse.std() / rows.size**0.5)


def held_out_answers(matrix: np.ndarray, codes: np.ndarray, classes: int, random: int) -> np.ndarray | None:
    """What models that have not seen a row's label say of it, (n, classes): as the label check. Rows of classes too rare to
    learn keep a probability of one for their label. None where there is nothing to learn."""
    counts = np.bincount(codes[codes >= 0], minlength=classes)
    usual = np.flatnonzero(counts >= FEWEST)
    rows = np.flatnonzero(np.isin(codes, usual))
    if usual.size < 2 or matrix.shape[1] == 0:
        return None
    if rows.size > _MOST:
        rows = np.sort(np.random.default_rng(random).choice(rows, _MOST, replace=False))
    told = tell_classes(matrix[rows], np.searchsorted(usual, codes[rows]), usual.size, random)
    made = np.zeros((len(codes), classes))
    there = np.flatnonzero(codes >= 0)
    made[there, codes[there]] = 1.0
    made[rows] = 0.0
    made[np.ix_(rows, usual)] = told.probabilities
    return made


def _skill(model: Any, matrix: np.ndarray, codes: np.ndarray, random: int) -> float:
    folds = min(_FOLDS, int(np.bincount(codes)[np.unique(codes)].min()))
    split = model_selection.StratifiedKFold(folds, shuffle=True, random_state=random)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(
            np.mean(model_selection.cross_val_score(model, matrix, codes, cv=split, scoring="accuracy"))
        )
