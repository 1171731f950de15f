"""scikit-learn's trees, forests and gradient boosting, with missing values, any number of classes and outputs.

Trees compare float32 numbers with double thresholds (sklearn/tree/_tree.pyx, `apply`); a forest's answer is the sum of its
trees' answers in their order over their number (sklearn/ensemble/_forest.py), which is done here in the same order.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .answers import by_argmax, of_second, regressor
from .protobuf import INT64
from .trees import Tree, Trees, ensemble
from .writing import Answer, CannotConvert, Writing

Array = np.ndarray


def regression_forest(fitted: Any, table: Any, w: Writing) -> Answer:
    """DecisionTreeRegressor, RandomForestRegressor and their like, one output or several."""
    trees = getattr(fitted, "estimators_", [fitted])
    outputs = int(fitted.n_outputs_)
    values = [np.asarray(tree.tree_.value)[:, :, 0] for tree in trees]
    if outputs > 1:
        return regressor(_by_leaf(trees, values, table, w), outputs, squeezed=False)
    made = Trees()
    for tree, value in zip(trees, values):
        _add(made, tree, value[:, 0])
    return regressor(_mean(ensemble(made, table, w.graph, single=True), len(trees), w))


def classification_forest(fitted: Any, table: Any, w: Writing) -> Answer:
    """DecisionTreeClassifier, RandomForestClassifier and their like."""
    if int(fitted.n_outputs_) != 1:
        raise CannotConvert("several answers a row with classes of their own are not converted")
    trees = getattr(fitted, "estimators_", [fitted])
    values = [_shares(np.asarray(tree.tree_.value)[:, 0, :]) for tree in trees]
    if len(fitted.classes_) == 2 and all(_pure(tree, value) for tree, value in zip(trees, values)):
        # votes are whole numbers: those against are what is left, exactly
        made = Trees()
        for tree, value in zip(trees, values):
            _add(made, tree, value[:, 1])
        votes = w.graph.node(
            "Mul", ensemble(made, table, w.graph, single=True), w.graph.constant(np.array([[-1.0, 1.0]]))
        )
        both = w.graph.node("Add", votes, w.graph.constant(np.array([[float(len(trees)), 0.0]])))
        probability = _mean(both, len(trees), w)
    else:
        probability = _by_leaf(trees, values, table, w)
    return by_argmax(probability, fitted.classes_, w.graph, probability)


def _shares(value: Array) -> Array:
    """Shares of the classes (nodes, classes); scikit-learn before 1.3 kept weights."""
    total = value.sum(axis=1, keepdims=True)
    if np.abs(total - 1).max(initial=0) < 1e-6:
        return value
    total[total == 0] = 1
    return np.asarray(value / total)


def _pure(tree: Any, value: Array) -> bool:
    leaf = tree.tree_.children_left < 0
    return bool(np.isin(value[leaf], (0.0, 1.0)).all())


def _by_leaf(trees: Any, values: list[Array], table: Any, w: Writing) -> str:
    """Means (n, k) of rows of `values`: each tree tells its leaf, a look-up what that stands for."""
    made, rows, first = Trees(), [], 0
    for number, (tree, value) in enumerate(zip(trees, values)):
        leaf = tree.tree_.children_left < 0
        _add(made, tree, first + np.cumsum(leaf) - 1.0, target=number)
        rows.append(value[leaf])
        first += int(leaf.sum())
    graph = w.graph
    leaves = graph.node("Cast", ensemble(made, table, graph, targets=len(trees), single=True), to=INT64)
    found = graph.node("Gather", graph.constant(np.vstack(rows)), leaves)  # n x trees x k
    return _mean(graph.node("ReduceSum", found, graph.constant(np.array([1])), keepdims=0), len(trees), w)


def _mean(total: str, count: int, w: Writing) -> str:
    return total if count == 1 else w.graph.node("Div", total, w.graph.constant(np.array(float(count))))


def _add(made: Trees, tree: Any, weight: Array, target: int = 0) -> None:
    inner = tree.tree_
    missing = getattr(inner, "missing_go_to_left", None)
    if missing is None:
        state = inner.__getstate__()["nodes"]
        known = state.dtype.names or ()
        missing = state["missing_go_to_left"] if "missing_go_to_left" in known else np.zeros(inner.node_count)
    made.add(
        Tree(inner.children_left, inner.children_right, inner.feature, inner.threshold, missing, weight),
        target,
    )


def boosting_regressor(fitted: Any, table: Any, w: Writing) -> Answer:
    """GradientBoostingRegressor."""
    return regressor(_boosted(fitted, table, w))


def boosting_classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """GradientBoostingClassifier: the logistic link (of twice the sum for the exponential loss), or soft-max."""
    raw, graph = _boosted(fitted, table, w), w.graph
    if len(fitted.classes_) > 2:
        made = graph.node("Softmax", raw, axis=1)
        return by_argmax(made, fitted.classes_, graph, made, decision=raw)
    twice = graph.node("Mul", raw, graph.constant(np.array(2.0))) if fitted.loss == "exponential" else raw
    return of_second(graph.node("Sigmoid", twice), fitted.classes_, graph, decision=raw)


def _boosted(fitted: Any, table: Any, w: Writing) -> str:
    """The raw sums (n, k): what it starts from, and each tree times the learning rate."""
    first = fitted.init_
    if first != "zero" and type(first).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise CannotConvert("gradient boosting that starts from another model is not converted")
    start = np.asarray(fitted._raw_predict_init(np.zeros((1, fitted.n_features_in_), dtype=np.float32)))
    made = Trees()
    for stage in fitted.estimators_:
        for target, tree in enumerate(stage):
            _add(made, tree, np.asarray(tree.tree_.value)[:, 0, 0] * fitted.learning_rate, target)
    trees = ensemble(made, table, w.graph, targets=start.shape[1], single=True)
    return w.graph.node("Add", trees, w.graph.constant(start.astype(np.float64)))


PREDICTORS: dict[str, Any] = {
    **dict.fromkeys(["DecisionTreeClassifier", "ExtraTreeClassifier", "RandomForestClassifier", "ExtraTreesClassifier"],
                    classification_forest),
    **dict.fromkeys(["DecisionTreeRegressor", "ExtraTreeRegressor", "RandomForestRegressor", "ExtraTreesRegressor"],
                    regression_forest),
    "GradientBoostingRegressor": boosting_regressor, "GradientBoostingClassifier": boosting_classifier,
}  # fmt: skip
