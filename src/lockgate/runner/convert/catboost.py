"""CatBoost from its own JSON: trees over numbers, missing values and categories, any number of classes.

A number passes a border when it is greater as a float32 (catboost/libs/model/model_export/resources/catboost_model.py);
of a symmetric tree the first border is the lowest bit of the leaf's place. What it knows of categories: catboost_categories.py.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import catboost_categories as categories
from .answers import by_argmax, of_second, regressor
from .parts import each
from .trees import Tree, Trees, ensemble
from .writing import Answer, CannotConvert, Writing

LEFT = {"AsIs": True, "AsFalse": True, "AsTrue": False}


def booster(model: Any, table: Any, w: Writing) -> Answer:
    """A model as the runner answers it."""
    known = categories.candidates(model) if model.categorical else []
    said = _json(model.fitted, _pool(model, known))
    scale, bias = said["scale_and_bias"]
    start = np.atleast_1d(np.array(bias, dtype=np.float64)).reshape(1, -1)
    made = Trees()
    ways = {
        one["feature_index"]: LEFT[one["nan_value_treatment"]]
        for one in said["features_info"]["float_features"]
    }
    flat = {
        one["feature_index"]: one["flat_feature_index"] for one in said["features_info"]["float_features"]
    }
    columns = each(table)
    asked = categories.Columns(said, columns, model.categorical, known, w) if model.categorical else None
    for tree in said.get("oblivious_trees") or said["trees"]:
        nodes: list[Any] = []
        _grow(nodes, tree, Questions(flat, ways, asked))
        _add(made, nodes, start.shape[1], float(scale))
    table = (*columns, *asked.made) if asked is not None else table
    sums = ensemble(made, table, w.graph, targets=start.shape[1], single=True)
    raw = w.graph.node("Add", sums, w.graph.constant(start))
    return _linked(raw, model, w)


def _linked(raw: str, model: Any, w: Writing) -> Answer:
    loss, graph = model.loss.partition(":")[0], w.graph
    if model.task() != "classification":
        return regressor(graph.node("Exp", raw) if loss in ("Poisson", "Tweedie") else raw)
    classes = np.array(model.classes())
    if loss in ("Logloss", "CrossEntropy"):
        return of_second(graph.node("Sigmoid", raw), classes, graph)
    made = graph.node("Softmax", raw, axis=1) if loss == "MultiClass" else graph.node("Sigmoid", raw)
    return by_argmax(made, classes, graph, made)


@dataclass(frozen=True)
class Questions:
    """What the splits of a model ask: `flat` place of a number among the columns, `ways` of its missing values (left: True)."""

    flat: dict[int, int]
    ways: dict[int, bool]
    asked: Any  # of categories, None where there are none

    def of(self, split: Any) -> tuple[int, float, bool]:
        """Column, border, and whether a missing value goes left. Raises CannotConvert."""
        if split.get("split_type") == "FloatFeature":
            feature = int(split["float_feature_index"])
            return self.flat[feature], float(split["border"]), self.ways[feature]
        if self.asked is None:
            raise CannotConvert(f"CatBoost's {split.get('split_type')} has no writer")
        column, border = self.asked.of(split)
        return column, border, False


def _pool(model: Any, known: list[list[str]]) -> Any:
    """Rows that hold every known category, for which the JSON then lists the hash."""
    if not known:
        return None
    import catboost
    import pandas

    count = max(map(len, known))
    rows = {name: np.zeros(count) for name in model.fitted.feature_names_}
    frame = pandas.DataFrame(rows)
    for place, texts in zip(model.categorical, known):
        frame[frame.columns[place]] = [texts[min(row, len(texts) - 1)] for row in range(count)]
    return catboost.Pool(frame, cat_features=model.categorical)


def _json(fitted: Any, pool: Any) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "model.json")
        fitted.save_model(path, format="json", pool=pool)
        with open(path, encoding="utf-8") as file:
            return json.load(file)


def _grow(nodes: list[Any], tree: Any, questions: Questions) -> int:
    """Append a tree's nodes (left, right, feature, border, missing left, values), the root first; returns its place."""
    place = len(nodes)
    nodes.append(None)
    if (
        "leaf_values" in tree
    ):  # symmetric: all nodes of a level ask the same, the last border is asked first here
        splits, values = tree["splits"] or [], tree["leaf_values"]
        tree = _symmetric(splits, np.array(values).reshape(2 ** len(splits), -1))
    if "split" not in tree:
        value = tree["value"]
        nodes[place] = (-1, -1, 0, 0.0, False, value if isinstance(value, list) else [value])
        return place
    column, border, missing_left = questions.of(tree["split"])
    left, right = _grow(nodes, tree["left"], questions), _grow(nodes, tree["right"], questions)
    nodes[place] = (left, right, column, border, missing_left, [])
    return place


def _symmetric(splits: list[Any], values: np.ndarray) -> dict[str, Any]:
    if not splits:
        return {"value": values[0].tolist()}
    half = len(values) // 2  # the last split is the highest bit
    return {
        "split": splits[-1],
        "left": _symmetric(splits[:-1], values[:half]),
        "right": _symmetric(splits[:-1], values[half:]),
    }


def _add(made: Trees, nodes: list[Any], targets: int, scale: float) -> None:
    left, right, feature, border, missing, values = zip(*nodes)
    for target in range(targets):
        weights = np.array([one[target] * scale if one else 0.0 for one in values])
        made.add(Tree(np.array(left), np.array(right), np.array(feature), np.array(border, dtype=np.float32), np.array(missing),
                      weights), target)  # fmt: skip
