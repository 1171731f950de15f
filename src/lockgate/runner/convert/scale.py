"""scikit-learn's transformers that treat each column of numbers on its own: scalers, imputers, powers, known functions.

Formulas are those of sklearn/preprocessing/_data.py and sklearn/impute/_base.py, in the same order of operations, so that
what comes out is the same to the last bit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from .graph import Graph
from .parts import ADD, DIV, IMPUTE, MUL, SUB, Text, each, numbers, take, tensor
from .protobuf import DOUBLE
from .writing import CannotConvert, Writing


def _stepped(table: Any, w: Writing, *steps: tuple[str, Any]) -> Any:
    """The table with steps on each column; values given for all columns (width,)."""
    made = []
    for part, places in numbers(table, w.graph):
        for act, values in steps:
            if values is not None:
                part = part.then(act, np.asarray(values, dtype=np.float64)[places])  # noqa: PLW2901
        made.append(part)
    return tuple(made)


def standard(fitted: Any, table: Any, w: Writing) -> Any:
    """(x - mean) / scale."""
    return _stepped(table, w, (SUB, fitted.mean_ if fitted.with_mean else None), (DIV, fitted.scale_))


def robust(fitted: Any, table: Any, w: Writing) -> Any:
    """(x - center) / scale."""
    return _stepped(table, w, (SUB, fitted.center_), (DIV, fitted.scale_))


def max_abs(fitted: Any, table: Any, w: Writing) -> Any:
    """x / scale."""
    return _stepped(table, w, (DIV, fitted.scale_))


def min_max(fitted: Any, table: Any, w: Writing) -> Any:
    """x * scale + min, held to the range when `clip`."""
    made = _stepped(table, w, (MUL, fitted.scale_), (ADD, fitted.min_))
    if not fitted.clip:
        return made
    low, high = (w.graph.constant(np.array(float(end))) for end in fitted.feature_range)
    return tuple(tensor(w.graph.node("Clip", part.matrix(w.graph), low, high), part.width) for part in made)


def binarizer(fitted: Any, table: Any, w: Writing) -> Any:
    """1 where x > threshold."""
    limit = w.graph.constant(np.array(float(fitted.threshold)))
    made = []
    for part, _ in numbers(table, w.graph):
        above = w.graph.node("Greater", part.matrix(w.graph), limit)
        made.append(tensor(w.graph.node("Cast", above, to=DOUBLE), part.width))
    return tuple(made)


def simple_imputer(fitted: Any, table: Any, w: Writing) -> Any:
    """What misses becomes the statistic; columns without one are dropped; indicators follow at the end."""
    statistics = np.asarray(fitted.statistics_)
    if _is_text(table):
        made = _filled_text(fitted, table, statistics)
    else:
        if not _is_nan(fitted.missing_values):
            raise CannotConvert("an imputer of another missing value than NaN is not converted")
        values = statistics.astype(np.float64)
        kept = np.arange(len(values)) if fitted.strategy == "constant" else np.flatnonzero(~np.isnan(values))
        if getattr(fitted, "keep_empty_features", False):
            kept, values = np.arange(len(values)), np.nan_to_num(values)
        made = _stepped(take(table, kept), w, (IMPUTE, values[kept]))
    if not fitted.add_indicator:
        return made
    return (*made, *_indicators(take(table, fitted.indicator_.features_), w))


def missing_indicator(fitted: Any, table: Any, w: Writing) -> Any:
    """1 where x misses."""
    return _indicators(take(table, fitted.features_), w)


def _indicators(table: Any, w: Writing) -> Any:
    if not table:
        return ()
    if _is_text(table):
        raise CannotConvert("indicators of missing text are not converted")
    return tuple(
        tensor(w.graph.node("Cast", w.graph.node("IsNaN", part.matrix(w.graph)), to=DOUBLE), part.width)
        for part, _ in numbers(table, w.graph)
    )


def _filled_text(fitted: Any, table: Any, statistics: np.ndarray) -> Any:
    if not (_is_nan(fitted.missing_values) or fitted.missing_values is None):
        raise CannotConvert("an imputer of another missing text than NaN is not converted")
    made = []
    for part, filler in zip(each(table), statistics.tolist()):
        if not isinstance(part, Text) or not isinstance(filler, str):
            raise CannotConvert("an imputer of text and numbers in one is not converted: impute them apart")
        made.append(part if part.filled is not None else replace(part, filled=filler))
    return tuple(made)


def _is_text(table: Any) -> bool:
    return any(isinstance(part, Text) for part in table)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and bool(np.isnan(value))


def power(fitted: Any, table: Any, w: Writing) -> Any:
    """Yeo-Johnson or Box-Cox, then standardised. Yeo and Johnson, A new family of power transformations, 2000."""
    made = []
    for part, places in numbers(table, w.graph):
        lambdas = np.asarray(fitted.lambdas_)[places]
        write = _yeo_johnson if fitted.method == "yeo-johnson" else _box_cox
        columns = [write(w.graph, part.take(np.array([number])).matrix(w.graph), float(one))
                   for number, one in enumerate(lambdas)]  # fmt: skip
        made.append(
            tensor(
                columns[0] if len(columns) == 1 else w.graph.node("Concat", *columns, axis=1), len(columns)
            )
        )
    table = tuple(made)
    return standard(fitted._scaler, table, w) if fitted.standardize else table


def _box_cox(g: Graph, x: str, power_: float) -> str:
    if power_ == 0:
        return g.node("Log", x)
    raised = g.node("Exp", g.node("Mul", g.node("Log", x), _at(g, power_)))
    return g.node("Div", g.node("Sub", raised, _at(g, 1.0)), _at(g, power_))


def _yeo_johnson(g: Graph, x: str, power_: float) -> str:
    zero = _at(g, 0.0)
    up = _box_cox(g, g.node("Add", g.node("Max", x, zero), _at(g, 1.0)), power_)
    down = _box_cox(g, g.node("Add", g.node("Max", g.node("Neg", x), zero), _at(g, 1.0)), 2.0 - power_)
    bent = g.node("Where", g.node("GreaterOrEqual", x, zero), up, g.node("Neg", down))
    return g.node("Where", g.node("IsNaN", x), x, bent)  # Max would lose a missing value


def _at(g: Graph, value: float) -> str:
    return g.constant(np.array(value))


def function(fitted: Any, table: Any, w: Writing) -> Any:
    """A numpy function of one argument that ONNX has, too."""
    if fitted.func is None:
        return table
    name = getattr(fitted.func, "__name__", "")
    known = isinstance(fitted.func, np.ufunc) and getattr(np, name, None) is fitted.func
    if not known or name not in FUNCTIONS or fitted.kw_args:
        raise CannotConvert(f"the function {name or fitted.func} of a FunctionTransformer has no ONNX form")
    return tuple(tensor(FUNCTIONS[name](w.graph, part.matrix(w.graph)), part.width)
                 for part, _ in numbers(table, w.graph))  # fmt: skip


def _log1p(g: Graph, x: str) -> str:
    """log(u) x / (u - 1) with u = 1 + x: exact near 0. Kahan, in HP-15C Advanced Functions Handbook, 1982."""
    one = _at(g, 1.0)
    u = g.node("Add", x, one)
    exact = g.node("Mul", g.node("Log", u), g.node("Div", x, g.node("Sub", u, one)))
    large = g.node("Greater", u, _at(g, 1e300))  # x / (u - 1) is no number there
    return g.node("Where", g.node("Equal", u, one), x, g.node("Where", large, g.node("Log", u), exact))


def _expm1(g: Graph, x: str) -> str:
    """(u - 1) x / log(u) with u = exp(x), where x is small. Kahan, as above."""
    one = _at(g, 1.0)
    u = g.node("Exp", x)
    less = g.node("Sub", u, one)
    exact = g.node("Mul", less, g.node("Div", x, g.node("Log", u)))
    small = g.node("Less", g.node("Abs", x), _at(g, 0.5))
    return g.node("Where", g.node("Equal", u, one), x, g.node("Where", small, exact, less))


def _single(operator: str) -> Any:
    return lambda g, x: g.node(operator, x)


def _log_of(base: float) -> Any:
    return lambda g, x: g.node("Div", g.node("Log", x), _at(g, float(np.log(base))))


FUNCTIONS: dict[str, Any] = {
    "log1p": _log1p, "expm1": _expm1, "log": _single("Log"), "log2": _log_of(2.0), "log10": _log_of(10.0),
    "exp": _single("Exp"), "sqrt": _single("Sqrt"), "absolute": _single("Abs"), "sign": _single("Sign"),
    "floor": _single("Floor"), "ceil": _single("Ceil"), "rint": _single("Round"), "negative": _single("Neg"),
    "reciprocal": _single("Reciprocal"), "sin": _single("Sin"), "cos": _single("Cos"), "tanh": _single("Tanh"),
    "square": lambda g, x: g.node("Mul", x, x),
}  # fmt: skip

WRITERS: dict[str, Any] = {
    "StandardScaler": standard, "RobustScaler": robust, "MaxAbsScaler": max_abs, "MinMaxScaler": min_max,
    "Binarizer": binarizer, "SimpleImputer": simple_imputer, "MissingIndicator": missing_indicator,
    "PowerTransformer": power, "FunctionTransformer": function,
}  # fmt: skip
