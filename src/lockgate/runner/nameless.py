"""Models that remember the names of their columns but compute without them: they may be given the bare matrix.

Building a pandas frame for each batch costs such a model more than its answer. Two proofs are asked for: nothing in the
model is of a kind that picks columns by name, and the first batch is answered alike, bit by bit, both ways.
"""

from __future__ import annotations

from typing import Any

from .columns import Columns

LIBRARIES = frozenset(["sklearn", "xgboost", "lightgbm"])
BY_NAME = frozenset(["ColumnTransformer", "FunctionTransformer", "TableVectorizer"])


def computes_without_names(fitted: Any) -> bool:
    """Whether every estimator inside is of a library we know and none picks columns by name or hands frames on."""
    try:
        inside = fitted.get_params(deep=True).values()
    except Exception:  # noqa: BLE001  somebody's own estimator: nothing is known of it
        return False
    estimators = [
        fitted,
        *[one for one in inside if hasattr(one, "get_params") and not isinstance(one, type)],
    ]
    return all(
        type(one).__module__.split(".")[0] in LIBRARIES
        and type(one).__name__ not in BY_NAME
        and not hasattr(one, "_sklearn_output_config")
        for one in estimators
    )


def same(first: Columns, second: Columns) -> bool:
    """Whether two answers are equal bit by bit, types and shapes too."""
    return first.keys() == second.keys() and all(
        one.dtype == second[name].dtype
        and one.shape == second[name].shape
        and (
            one.tolist() == second[name].tolist()
            if one.dtype.kind == "O"
            else one.tobytes() == second[name].tobytes()
        )
        for name, one in first.items()
    )
