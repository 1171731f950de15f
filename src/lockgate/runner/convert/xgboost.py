"""XGBoost from its own JSON: trees (dart too), linear boosters, names, categories, missing values, any objective that it links.

XGBoost compares float32: left where x < split (src/tree/tree_model.h); categories of a node's set go right, the rest left
(src/common/categorical.h). Sums are float32 there and double here: they differ by rounding alone.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from ..booster_xgboost import learned
from .answers import by_argmax, of_second, regressor
from .graph import Graph
from .linear import scores
from .parts import Coded, Part, Text, each, tensor, text_key, width
from .protobuf import DOUBLE, INT64
from .trees import Tree, Trees, ensemble
from .writing import Answer, CannotConvert, Writing

LOGISTIC = ("binary:logistic", "reg:logistic")
EXPONENTIAL = ("count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft")
PLAIN = ("reg:squarederror", "reg:squaredlogerror", "reg:absoluteerror", "reg:pseudohubererror", "reg:quantileerror",
         "binary:logitraw", "rank:ndcg", "rank:pairwise", "rank:map", "reg:linear")  # fmt: skip
SOFTMAX = ("multi:softprob", "multi:softmax")


def classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """XGBClassifier and XGBRFClassifier."""
    _check_missing(fitted)
    raw, objective = _raw(fitted.get_booster(), table, w)
    return _classes(raw, objective, fitted.classes_, w.graph)


def estimator(fitted: Any, table: Any, w: Writing) -> Answer:
    """XGBRegressor, XGBRFRegressor and XGBRanker."""
    _check_missing(fitted)
    raw, objective = _raw(fitted.get_booster(), table, w)
    return regressor(_linked(raw, objective, w.graph))


def booster(model: Any, table: Any, w: Writing) -> Answer:
    """A Booster as the runner answers it."""
    raw, objective = _raw(model.fitted, table, w)
    if model.task() != "classification":
        return regressor(_linked(raw, objective, w.graph))
    made = _classes(raw, objective, np.array(model.classes()), w.graph)
    if objective == "multi:softmax":
        return Answer(place=made.place, classes=made.classes)
    return made


def _check_missing(fitted: Any) -> None:
    missing = getattr(fitted, "missing", np.nan)
    if missing is not None and not np.isnan(missing):
        raise CannotConvert(f"XGBoost with missing={missing} is not converted: use NaN")


def _classes(raw: str, objective: str, classes: Any, graph: Graph) -> Answer:
    if objective in SOFTMAX:
        made = graph.node("Softmax", raw, axis=1)
        return by_argmax(made, classes, graph, made)
    if objective not in LOGISTIC:
        raise CannotConvert(f"classification by XGBoost's {objective} has no writer")
    return of_second(graph.node("Sigmoid", raw), classes, graph)


def _linked(raw: str, objective: str, graph: Graph) -> str:
    if objective in PLAIN:
        return raw
    if objective in LOGISTIC:
        return graph.node("Sigmoid", raw)
    if objective in EXPONENTIAL:
        return graph.node("Exp", raw)
    raise CannotConvert(f"XGBoost's objective {objective} has no writer")


def _raw(fitted: Any, table: Any, w: Writing) -> tuple[str, str]:
    """Sums before the link (n, k), and the objective."""
    learner = json.loads(bytes(fitted.save_raw("json")))["learner"]
    objective = str(learner["objective"]["name"])
    if int(learner["learner_model_param"].get("num_target", "1")) > 1:
        raise CannotConvert("XGBoost with several targets is not converted")
    groups = max(1, int(learner["learner_model_param"]["num_class"]))
    base = _base(learner["learner_model_param"]["base_score"], objective, groups)
    boosted = learner["gradient_booster"]
    if boosted["name"] == "gblinear":
        weights = np.array(boosted["model"]["weights"]).reshape(-1, groups)
        _no_categories(learner)
        return scores(table, weights[:-1], weights[-1] + base, w), objective
    model = boosted["gbtree"]["model"] if "gbtree" in boosted else boosted["model"]
    drops = boosted.get("weight_drop") or [1.0] * len(model["trees"])
    made = Trees()
    for number in _used(fitted, model):
        _add(made, model["trees"][number], int(model["tree_info"][number]), float(drops[number]))
    columns = _columns(fitted, table, w)
    sums = ensemble(made, columns, w.graph, targets=groups, single=True)
    return w.graph.node("Add", sums, w.graph.constant(base)), objective


def _base(said: str, objective: str, groups: int) -> np.ndarray:
    """(1, groups): the base score as it enters the sums. Newer versions write a list."""
    base = np.array(json.loads(said) if said.startswith("[") else [float(said)], dtype=np.float64)
    if objective in LOGISTIC:
        base = -np.log(1.0 / base - 1.0)
    elif objective in EXPONENTIAL:
        base = np.log(base)
    return np.broadcast_to(base, (groups,)).reshape(1, groups)


def _used(fitted: Any, model: Any) -> range:
    """The trees up to the best round, when training stopped early."""
    best = fitted.attr("best_iteration")
    if best is None:
        return range(len(model["trees"]))
    ends = model.get("iteration_indptr")
    if ends is None:
        raise CannotConvert("this version of XGBoost does not tell the trees of the best round apart")
    return range(int(ends[min(int(best) + 1, len(ends) - 1)]))


def _add(made: Trees, tree: Any, target: int, drop: float) -> None:
    if int(tree["tree_param"].get("size_leaf_vector") or 1) > 1:
        raise CannotConvert("XGBoost's trees of several targets are not converted")
    left, right = np.array(tree["left_children"]), np.array(tree["right_children"])
    conditions = np.array(tree["split_conditions"], dtype=np.float32)
    missing = np.array(tree["default_left"], dtype=bool)
    sets: dict[int, frozenset[int]] = {}
    spans = zip(tree["categories_nodes"], tree["categories_segments"], tree["categories_sizes"])
    for node, first, size in spans:
        sets[int(node)] = frozenset(tree["categories"][first : first + size])
        left[node], right[node] = right[node], left[node]  # members go right in XGBoost
        missing[node] = not missing[node]
    below = np.nextafter(conditions, np.float32(-np.inf)).astype(np.float64)  # < split: <= the float before
    weights = conditions.astype(np.float64) * drop
    made.add(Tree(left, right, np.array(tree["split_indices"]), below, missing, weights, sets), target)


def _no_categories(learner: Any) -> None:
    if "c" in (learner.get("feature_types") or []):
        raise CannotConvert("categories in a linear booster are not converted")


def _columns(fitted: Any, table: Any, w: Writing) -> tuple[Part, ...]:
    """The table as the trees see it: categories as the codes of their training."""
    known = learned(fitted)
    if not known:
        return tuple(table)
    types = fitted.feature_types
    if width(table) != len(types):
        raise CannotConvert(f"the model was trained on {len(types)} columns, not {width(table)}")
    names = fitted.feature_names or [str(place) for place in range(len(types))]
    return tuple(
        _category(part, known[name], w) if name in known else part for part, name in zip(each(table), names)
    )


def _category(part: Part, known: list[Any], w: Writing) -> Part:
    """A strict column: XGBoost refuses categories that it was not trained on."""
    if not known and isinstance(part, Text):
        raise CannotConvert(
            "XGBoost's file does not hold this column's categories whole (texts beyond ASCII are cut there)"
        )
    if not known:
        return whole(part, w)
    rows = np.append(np.arange(float(len(known))), np.nan).reshape(-1, 1)
    if isinstance(part, Text):
        keys = [text_key(value) for value in known] if isinstance(known[0], str) else []
        if not keys:
            raise CannotConvert("a column of text was trained as numbers: its categories are not text")
        return Coded(part.source, np.array([*keys, text_key(None)], dtype=object), rows, strict=True)
    if isinstance(known[0], str):
        raise CannotConvert("a column of numbers was trained as text: its categories are not numbers")
    return Coded(part.matrix(w.graph), np.array([*map(float, known), np.nan]), rows, strict=True)


def whole(part: Part, w: Writing) -> Part:
    """A column of bare codes, cut to whole numbers as the trees do; missing ones stay."""
    graph, name = w.graph, part.matrix(w.graph)
    cut = graph.node("Cast", graph.node("Cast", name, to=INT64), to=DOUBLE)
    return tensor(graph.node("Where", graph.node("IsNaN", name), name, cut), 1)


PREDICTORS: dict[str, Any] = {"XGBClassifier": classifier, "XGBRFClassifier": classifier, "XGBRegressor": estimator,
                              "XGBRFRegressor": estimator, "XGBRanker": estimator}  # fmt: skip
