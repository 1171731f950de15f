"""Part of the label check: what a row's label should be, told by models that have not seen that row.

Three plain models of different kinds (extremely randomised trees, a linear model, the nearest neighbours) learn four fifths
of the rows and answer the rest, in turn. The version under test is not asked: it has learned its training rows by heart,
with their wrong labels. Sources: Breiman (1996), Stacked regressions; Geurts et al. (2006), Extremely randomized trees.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import ensemble, linear_model, model_selection, neighbors
else:
    ensemble, linear_model = late("sklearn.ensemble"), late("sklearn.linear_model")
    neighbors, model_selection = late("sklearn.neighbors"), late("sklearn.model_selection")

_FOLDS = 5
_TREES = 60
_NEIGHBOURS = 10
_LEAST = 1e-3  # a share of no votes is not impossible


@dataclass(frozen=True, eq=False)
class Told:
    """`probabilities` of all models, shape (n, classes); `similar`: the share of similar rows with each class;
    `skill`: how much better than the class shares alone (1: sure and right, 0: no better), by logarithmic loss."""

    probabilities: np.ndarray
    similar: np.ndarray
    skill: float


def tell_classes(matrix: np.ndarray, codes: np.ndarray, classes: int, random: int) -> Told:
    """Out-of-fold probabilities for codes 0..classes-1, each of at least _FOLDS rows."""
    folds = model_selection.StratifiedKFold(_FOLDS, shuffle=True, random_state=random)
    splits = list(folds.split(matrix, codes))
    base = np.bincount(codes, minlength=classes) / codes.size
    given, skills = [], []
    for model in _classifiers(random):
        made = np.empty((codes.size, classes))
        for learn, judge in splits:
            made[judge] = _fitted(model, matrix[learn], codes[learn]).predict_proba(matrix[judge])
        made = (made + _LEAST) / (1 + classes * _LEAST)
        given.append(made)
        skills.append(max(0.0, 1 - _loss(made, codes) / _loss(np.tile(base, (codes.size, 1)), codes)))
    if not any(skills):
        return Told(np.tile(base, (codes.size, 1)), given[-1], 0.0)
    weights = np.square(skills) / np.square(skills).sum()
    mixed = np.tensordot(weights, np.array(given), axes=1)
    return Told(
        mixed, given[-1], max(0.0, 1 - _loss(mixed, codes) / _loss(base[None].repeat(codes.size, 0), codes))
    )


def tell_numbers(matrix: np.ndarray, values: np.ndarray, random: int) -> np.ndarray:
    """Out-of-fold answers for numbers, shape (n,): the middle one of three models."""
    splits = list(model_selection.KFold(_FOLDS, shuffle=True, random_state=random).split(matrix))
    models = (
        ensemble.ExtraTreesRegressor(_TREES, min_samples_leaf=3, random_state=random),
        linear_model.HuberRegressor(max_iter=200),
        neighbors.KNeighborsRegressor(_NEIGHBOURS),
    )
    made = np.empty((len(models), values.size))
    low, middle, high = np.quantile(values, (0.25, 0.5, 0.75))
    # gross errors must not teach: what lies beyond ten quarter ranges is drawn in
    reach = 10 * (high - low) if high > low else float(np.ptp(values))
    learned = np.clip(values, middle - reach, middle + reach)
    scale = float(np.std(learned)) or 1.0
    for place, model in enumerate(models):
        for learn, judge in splits:
            made[place, judge] = _fitted(model, matrix[learn], learned[learn] / scale).predict(matrix[judge])
    return np.asarray(np.median(made, axis=0) * scale)


def _classifiers(random: int) -> tuple[Any, ...]:
    return (
        ensemble.ExtraTreesClassifier(_TREES, min_samples_leaf=2, random_state=random),
        linear_model.LogisticRegression(C=0.1, max_iter=100),
        neighbors.KNeighborsClassifier(_NEIGHBOURS),
    )


def _fitted(model: Any, matrix: np.ndarray, wanted: np.ndarray) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a linear model that has not quite converged is good enough here
        return model.fit(matrix, wanted)


def _loss(probabilities: np.ndarray, codes: np.ndarray) -> float:
    return float(-np.log(np.clip(probabilities[np.arange(codes.size), codes], 1e-12, 1)).mean())
