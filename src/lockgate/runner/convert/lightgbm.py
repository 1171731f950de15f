"""LightGBM from its own text: every boosting, names, pandas categories, missing values, zeros as missing, its links.

Decisions follow `NumericalDecision` and `CategoricalDecision` (include/LightGBM/tree.h): doubles, left where x <= threshold,
members of a node's set left and every other category, missing ones too, right.
"""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from ..booster_lightgbm import categorical_columns, categories_of, match
from .answers import by_argmax, of_second, regressor
from .graph import Graph
from .parts import Coded, Part, Text, each, tensor, text_key
from .trees import Tree, Trees, ensemble
from .writing import Answer, CannotConvert, Writing
from .xgboost import whole

CATEGORICAL, DEFAULT_LEFT, ZERO, NAN = (
    1,
    2,
    1,
    2,
)  # decision_type: two flags, then the kind of missing in bits 2 and 3
NEARLY_ZERO = 1.0000000180025095e-35  # kZeroThreshold, a float32
EXPONENTIAL = ("poisson", "gamma", "tweedie")
PLAIN = (
    "regression",
    "regression_l1",
    "huber",
    "fair",
    "quantile",
    "mape",
    "lambdarank",
    "rank_xendcg",
    "custom",
)


def classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """LGBMClassifier."""
    text = fitted.booster_.model_to_string()
    raw = _raw(fitted.booster_, text, table, w)
    return _classes(raw, _objective(text), np.asarray(fitted.classes_), w.graph)


def estimator(fitted: Any, table: Any, w: Writing) -> Answer:
    """LGBMRegressor and LGBMRanker."""
    text = fitted.booster_.model_to_string()
    return regressor(_linked(_raw(fitted.booster_, text, table, w), _objective(text), w.graph))


def booster(model: Any, table: Any, w: Writing) -> Answer:
    """A Booster as the runner answers it."""
    text = model.fitted.model_to_string()
    raw = _raw(model.fitted, text, table, w)
    if model.task() == "classification":
        return _classes(raw, _objective(text), np.array(model.classes()), w.graph)
    return regressor(_linked(raw, _objective(text), w.graph))


def _objective(text: str) -> list[str]:
    """The objective and its settings: `binary`, `sigmoid:1`."""
    found = re.search(r"^objective=(.+)$", text, re.MULTILINE)
    return found.group(1).split() if found else ["custom"]


def _setting(objective: list[str], name: str, otherwise: float) -> float:
    return next((float(one.partition(":")[2]) for one in objective if one.startswith(name + ":")), otherwise)


def _classes(raw: str, objective: list[str], classes: Any, graph: Graph) -> Answer:
    slope = graph.constant(np.array(_setting(objective, "sigmoid", 1.0)))
    if objective[0] == "binary":
        return of_second(graph.node("Sigmoid", graph.node("Mul", raw, slope)), classes, graph, decision=raw)
    if objective[0] == "multiclass":
        made = graph.node("Softmax", raw, axis=1)
    elif objective[0] == "multiclassova":
        made = graph.node("Sigmoid", graph.node("Mul", raw, slope))
    else:
        raise CannotConvert(f"classification by LightGBM's {objective[0]} has no writer")
    return by_argmax(made, classes, graph, made, decision=raw)


def _linked(raw: str, objective: list[str], graph: Graph) -> str:
    if objective[0] in EXPONENTIAL:
        return graph.node("Exp", raw)
    if objective[0] == "cross_entropy":
        return graph.node("Sigmoid", raw)
    if objective[0] == "cross_entropy_lambda":
        return graph.node("Log", graph.node("Add", graph.node("Exp", raw), graph.constant(np.array(1.0))))
    if objective[0] not in PLAIN:
        raise CannotConvert(f"LightGBM's objective {objective[0]} has no writer")
    if "sqrt" in objective:
        return graph.node("Mul", raw, graph.node("Abs", raw))
    return raw


def _raw(fitted: Any, text: str, table: Any, w: Writing) -> str:
    head, *trees = re.split(r"^Tree=\d+$", text.split("end of trees", maxsplit=1)[0], flags=re.MULTILINE)
    targets = int(_value(head, "num_tree_per_iteration") or 1)
    made, zeros = Trees(), set()
    for number, tree in enumerate(trees):
        zeros |= _add(made, tree, number % targets)
    columns = _columns(fitted, table, zeros, made, w)
    sums = ensemble(made, columns, w.graph, targets=targets)
    if re.search(r"^average_output$", head, re.MULTILINE):
        return w.graph.node("Div", sums, w.graph.constant(np.array(len(trees) / targets)))
    return sums


def _value(text: str, name: str) -> str:
    found = re.search(rf"^{name}=(.*)$", text, re.MULTILINE)
    return found.group(1) if found else ""


def _numbers(text: str, name: str, kind: Any = np.int64) -> Any:
    return np.array([kind(one) for one in _value(text, name).split()], dtype=kind)


def _add(made: Trees, tree: str, target: int) -> set[int]:
    """Add a tree; returns the columns of which it takes zeros for missing."""
    if _value(tree, "is_linear") == "1":
        raise CannotConvert("LightGBM's linear trees are not converted")
    weights = _numbers(tree, "leaf_value", np.float64)
    if len(weights) == 1:
        nothing = np.zeros(1, dtype=np.int64)
        made.add(Tree(nothing - 1, nothing - 1, nothing, nothing, nothing, weights), target)
        return set()
    feature, kind = _numbers(tree, "split_feature"), _numbers(tree, "decision_type")
    split = _numbers(tree, "threshold", np.float64)
    missing = (kind >> 2) & 3
    # what misses is 0 to a node that never saw one missing
    ways = np.where(missing == 0, split >= 0, (kind & DEFAULT_LEFT) > 0)
    sets = _sets(tree, split, kind)
    ways[np.array(list(sets), dtype=np.int64)] = False
    left, right = (_padded(np.where(side >= 0, side, len(feature) + ~side), weights, -1)
                   for side in (_numbers(tree, "left_child"), _numbers(tree, "right_child")))  # fmt: skip
    made.add(Tree(left, right, _padded(feature, weights), _padded(split, weights), _padded(ways, weights),
                  np.append(np.zeros(len(feature)), weights), sets), target)  # fmt: skip
    return set(feature[(missing == ZERO) & ((kind & CATEGORICAL) == 0)].tolist())


def _padded(inner: Any, leaves: Any, value: int = 0) -> Any:
    """Values of inner nodes, followed by as many fillers as there are leaves."""
    return np.append(inner, np.full(len(leaves), value, dtype=inner.dtype))


def _sets(tree: str, split: Any, kind: Any) -> dict[int, frozenset[int]]:
    """Node -> the categories that go left, from words of 32 bits."""
    places = np.flatnonzero(kind & CATEGORICAL).tolist()
    if not places:
        return {}
    ends, words = _numbers(tree, "cat_boundaries"), _numbers(tree, "cat_threshold")
    made = {}
    for place in places:
        mine = words[ends[int(split[place])] : ends[int(split[place]) + 1]].tolist()
        made[place] = frozenset(
            32 * number + bit for number, word in enumerate(mine) for bit in range(32) if word >> bit & 1
        )
    return made


def _columns(fitted: Any, table: Any, zeros: set[int], made: Trees, w: Writing) -> tuple[Part, ...]:
    """The table as the trees see it: categories as the codes of their training, zeros missing where they are."""
    columns = each(table)
    coded = {int(np.concatenate(made.feature)[node]) for node in made.sets}
    learned = categories_of(fitted)
    if learned:
        names = [str(place) for place in range(len(columns))]
        for name, known in match(learned, categorical_columns(fitted), names).items():
            columns[int(name)] = _category(columns[int(name)], known, w)
            coded.discard(int(name))
    for place in coded:
        columns[place] = whole(columns[place], w)
    for place in zeros:
        name = columns[place].matrix(w.graph)
        small = w.graph.node(
            "LessOrEqual", w.graph.node("Abs", name), w.graph.constant(np.array(NEARLY_ZERO))
        )
        columns[place] = tensor(w.graph.node("Where", small, w.graph.constant(np.array(np.nan)), name), 1)
    return tuple(columns)


def _category(part: Part, known: list[Any], w: Writing) -> Part:
    """Others than the known ones are missing."""
    rows = np.append(np.arange(float(len(known))), np.nan).reshape(-1, 1)
    texts = [isinstance(value, str) for value in known]
    if isinstance(part, Text):
        if not all(texts):
            raise CannotConvert("a column of text was trained as numbers: its categories are not text")
        return Coded(part.source, np.array([text_key(value) for value in known], dtype=object), rows)
    if any(texts):
        raise CannotConvert("a column of numbers was trained as text: its categories are not numbers")
    return Coded(part.matrix(w.graph), np.array(known, dtype=np.float64), rows)


PREDICTORS: dict[str, Any] = {
    "LGBMClassifier": classifier,
    "LGBMRegressor": estimator,
    "LGBMRanker": estimator,
}
