"""Part of the fit check: simple models trained on the version's training rows, to know what little effort would bring.

A linear one and a small, strongly regularised gradient boosting, over the version's own inputs with usual settings.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers
from lockgate.checks.values import numbers_of, times_of
from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import ensemble, linear_model
else:
    ensemble, linear_model = late("sklearn.ensemble"), late("sklearn.linear_model")

MOST_ROWS = 10_000
FEWEST_ROWS = 200
_CATEGORIES = 10  # further values of a column count as none of them
_MOST_TEXT = 200  # a text with more values is read by nobody simple
_LARGEST = 1e15


class Kind(StrEnum):
    """Which simple model; the text is for sentences."""

    LINEAR = "a linear model"
    SMALL = "a small gradient boosting"


@dataclass(frozen=True, eq=False)
class Matrix:
    """Inputs as floats, shape (n, k), standardised by the training rows; categories are columns of 0 and 1."""

    train: np.ndarray
    test: np.ndarray


def matrix_of(train: pl.DataFrame, test: pl.DataFrame, inputs: tuple[str, ...]) -> Matrix | None:
    """Both tables as numbers, read by what the training rows hold; None where no input can be."""
    parts = [
        _column(train[name], test[name]) for name in inputs if name in train.columns and name in test.columns
    ]
    columns = [part for part in parts if part is not None]
    if not columns:
        return None
    return Matrix(np.column_stack([one for one, _ in columns]), np.column_stack([two for _, two in columns]))


def learned(
    kind: Kind, matrix: Matrix, truth: np.ndarray, rows: np.ndarray, classes: tuple[str, ...] | None
) -> Answers | None:
    """Answers to the test rows of a model trained on `rows` of the training ones; None where they teach nothing.

    `classes`: the names of the version's classes; None in regression.
    """
    if rows.size < FEWEST_ROWS or len(set(truth[rows].tolist())) < 2:
        return None
    model = _model(kind, classes is not None).fit(matrix.train[rows], truth[rows])
    if classes is None:
        made = np.asarray(model.predict(matrix.test), dtype=float)
        return Answers(made, made)
    given = model.predict_proba(matrix.test)
    known = [str(name) for name in model.classes_]
    wide = np.zeros((len(given), len(classes)))
    for place, name in enumerate(known):
        if name in classes:
            wide[:, classes.index(name)] = given[:, place]
    return Answers(np.array(classes, dtype=object)[wide.argmax(axis=1)], None, wide)


def _model(kind: Kind, classifies: bool) -> ensemble.HistGradientBoostingClassifier:
    if kind is Kind.LINEAR:
        return linear_model.LogisticRegression(max_iter=300) if classifies else linear_model.Ridge(alpha=1.0)
    small = {
        "max_iter": 60,
        "max_leaf_nodes": 8,
        "min_samples_leaf": 40,
        "l2_regularization": 1.0,
        "random_state": 0,
    }
    boosting = (
        ensemble.HistGradientBoostingClassifier if classifies else ensemble.HistGradientBoostingRegressor
    )
    return boosting(**small, early_stopping=False)


def _column(train: pl.Series, test: pl.Series) -> tuple[np.ndarray, np.ndarray] | None:
    """One input in both tables: a standardised number and whether it is missing, or a column for each category."""
    if train.dtype.is_nested() or train.dtype in (pl.Object, pl.Binary, pl.Time):
        return None
    if train.dtype.is_numeric() or train.dtype.is_temporal() or train.dtype == pl.Boolean:
        one, two = (
            times_of(each) if each.dtype.is_temporal() else numbers_of(each) for each in (train, test)
        )
        return _scaled(one, two)
    texts = [each.cast(pl.String, strict=False) for each in (train, test)]
    counts = texts[0].drop_nulls().value_counts().sort(["count", train.name], descending=[True, False])
    if not 0 < counts.height <= _MOST_TEXT:
        return None
    kept = counts[train.name].to_list()[:_CATEGORIES]
    one, two = (
        np.column_stack([(text == name).fill_null(False).to_numpy() for name in kept]) for text in texts
    )
    return one.astype(float), two.astype(float)


def _scaled(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    there = np.abs(train) < _LARGEST
    if not there.any() or not np.ptp(train[there]):
        return None
    low, high = np.quantile(train[there], [0.001, 0.999])  # one monstrous value does not flatten the others
    middle, spread = float(train[there].mean()), float(train[there].clip(low, high).std()) or 1.0
    columns = []
    for values in (train, test):
        seen = np.abs(values) < _LARGEST
        scaled = (np.where(seen, values, middle).clip(low, high) - middle) / spread
        columns.append(np.column_stack([scaled, ~seen]).astype(float))
    return columns[0], columns[1]
