"""scikit-learn's ways to put transformers together, and to choose columns."""

from __future__ import annotations

from typing import Any

import numpy as np

from .parts import numbers, take, width
from .writing import Answer, CannotConvert, Writing


def pipeline_steps(fitted: Any, table: Any, w: Writing) -> Any:
    """A pipeline of transformers only."""
    for _, step in fitted.steps:
        table = w.transform(step, table)
    return table


def pipeline(fitted: Any, table: Any, w: Writing) -> Answer:
    """Transformers, then a predictor."""
    for _, step in fitted.steps[:-1]:
        table = w.transform(step, table)
    return w.predict(fitted.steps[-1][1], table)


def search(fitted: Any, table: Any, w: Writing) -> Answer:
    """The best estimator that a search found."""
    return w.predict(fitted.best_estimator_, table)


def column_transformer(fitted: Any, table: Any, w: Writing) -> Any:
    """Each transformer on its columns, side by side in their order."""
    names = getattr(fitted, "feature_names_in_", None)
    made: list[Any] = []
    for name, transformer, columns in fitted.transformers_:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        places = _places(columns, names, width(table))
        if not len(places):
            continue
        weight = (fitted.transformer_weights or {}).get(name)
        made += _weighted(w.transform(transformer, take(table, places)), weight, w)
    return tuple(made)


def _places(columns: Any, names: Any, count: int) -> list[int]:
    """The places of chosen columns: names, numbers (from the end too), truth values, slices."""
    if isinstance(columns, str) or np.isscalar(columns):
        raise CannotConvert(
            "a step on one bare column (a series), as text vectorisers take, is not converted; "
            "where the step takes a table, too, choose the column as a list"
        )
    if isinstance(columns, slice):
        if isinstance(columns.start, str) or isinstance(columns.stop, str):
            ordered = list(names)
            first = ordered.index(columns.start) if columns.start is not None else 0
            last = ordered.index(columns.stop) + 1 if columns.stop is not None else count
            return list(range(first, last))
        return list(range(count))[columns]
    chosen = list(columns)
    if chosen and all(isinstance(one, (bool, np.bool_)) for one in chosen):
        return np.flatnonzero(chosen).tolist()
    known = {str(name): place for place, name in enumerate(names)} if names is not None else {}
    return [known[one] if isinstance(one, str) else range(count)[int(one)] for one in chosen]


def union(fitted: Any, table: Any, w: Writing) -> Any:
    """All transformers on all columns, side by side."""
    made: list[Any] = []
    for name, transformer in fitted.transformer_list:
        if isinstance(transformer, str) and transformer == "drop":
            continue
        weight = (fitted.transformer_weights or {}).get(name)
        made += _weighted(w.transform(transformer, table), weight, w)
    return tuple(made)


def _weighted(table: Any, weight: float | None, w: Writing) -> list[Any]:
    if weight is None:
        return list(table)
    return [part.then("Mul", [float(weight)]) for part, _ in numbers(table, w.graph)]


TRANSFORMERS: dict[str, Any] = {
    "Pipeline": pipeline_steps,
    "ColumnTransformer": column_transformer,
    "FeatureUnion": union,
}
PREDICTORS: dict[str, Any] = {"Pipeline": pipeline, "GridSearchCV": search, "RandomizedSearchCV": search,
                              "HalvingGridSearchCV": search, "HalvingRandomSearchCV": search}  # fmt: skip
