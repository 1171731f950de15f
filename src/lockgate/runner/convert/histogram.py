"""scikit-learn's HistGradientBoosting: missing values, categories, every link.

Missing values and categories follow `_predict_one_from_raw_data` (sklearn/ensemble/_hist_gradient_boosting/_predictor.pyx).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .answers import by_argmax, of_second, regressor
from .parts import Coded, Part, Text, each, text_key
from .trees import Tree, Trees, ensemble
from .writing import Answer, CannotConvert, Writing

EXPONENTIAL = ("poisson", "gamma")


def histogram_regressor(fitted: Any, table: Any, w: Writing) -> Answer:
    """HistGradientBoostingRegressor."""
    raw = _raw(fitted, table, w)
    return regressor(w.graph.node("Exp", raw) if fitted.loss in EXPONENTIAL else raw)


def histogram_classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """HistGradientBoostingClassifier."""
    raw, graph = _raw(fitted, table, w), w.graph
    if len(fitted.classes_) > 2:
        made = graph.node("Softmax", raw, axis=1)
        return by_argmax(made, fitted.classes_, graph, made, decision=raw)
    return of_second(graph.node("Sigmoid", raw), fitted.classes_, graph, decision=raw)


def _raw(fitted: Any, table: Any, w: Writing) -> str:
    baseline = np.asarray(fitted._baseline_prediction, dtype=np.float64).reshape(1, -1)
    made = Trees()
    for group in fitted._predictors:
        for target, predictor in enumerate(group):
            _add(made, predictor, target)
    sums = ensemble(made, _ordered(fitted, table, w), w.graph, targets=baseline.shape[1])
    return w.graph.node("Add", sums, w.graph.constant(baseline))


def _ordered(fitted: Any, table: Any, w: Writing) -> tuple[Part, ...]:
    """The columns as the trees see them: categories first, as codes, then the others."""
    preprocessor = getattr(fitted, "_preprocessor", None)
    columns = each(table)
    if preprocessor is None:
        return tuple(columns)
    places = np.flatnonzero(fitted.is_categorical_).tolist()
    categories = preprocessor.named_transformers_["encoder"].categories_
    coded = [_category(columns[place], known, w) for place, known in zip(places, categories)]
    return (*coded, *(part for place, part in enumerate(columns) if place not in set(places)))


def _category(part: Part, categories: Any, w: Writing) -> Part:
    """Known categories as their codes, missing and unknown ones as NaN."""
    known = [value for value in categories.tolist() if value is not None and value == value]  # noqa: PLR0124
    rows = np.append(np.arange(float(len(known))), np.nan).reshape(-1, 1)
    if isinstance(part, Text):
        if not all(isinstance(value, str) for value in known):
            raise CannotConvert("a column of text was trained as numbers: its categories are not text")
        return Coded(part.source, np.array([text_key(value) for value in known], dtype=object), rows)
    if any(isinstance(value, str) for value in known):
        raise CannotConvert("a column of numbers was trained as text: its categories are not numbers")
    return Coded(part.matrix(w.graph), np.array(known, dtype=np.float64), rows)


def _add(made: Trees, predictor: Any, target: int) -> None:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    left = np.where(leaf, -1, nodes["left"].astype(np.int64))
    sets = {
        int(place): _members(predictor.raw_left_cat_bitsets[nodes[place]["bitset_idx"]])
        for place in np.flatnonzero(nodes["is_categorical"].astype(bool) & ~leaf)
    }
    made.add(Tree(left, nodes["right"], nodes["feature_idx"].astype(np.int64), nodes["num_threshold"],
                  nodes["missing_go_to_left"], nodes["value"], sets), target)  # fmt: skip


def _members(bits: Any) -> frozenset[int]:
    """The codes that go left, from 8 words of 32 bits."""
    return frozenset(
        word * 32 + bit for word in range(len(bits)) for bit in range(32) if int(bits[word]) >> bit & 1
    )


PREDICTORS: dict[str, Any] = {
    "HistGradientBoostingRegressor": histogram_regressor,
    "HistGradientBoostingClassifier": histogram_classifier,
}
