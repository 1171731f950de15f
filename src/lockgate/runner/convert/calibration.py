"""scikit-learn's calibrators: sigmoids, isotonic curves and temperatures over the scores of any model that has a writer.

An isotonic curve is interpolated as numpy does it (`np.interp`: slope * (x - left) + height at the left), in double. Which
piece a score lies in, a tree tells: a search by halving over the curve's points.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .answers import by_argmax, of_second, regressor, shares
from .parts import matrix, tensor, width
from .protobuf import INT64
from .trees import Tree, Trees, ensemble
from .vote import average
from .writing import Answer, CannotConvert, NoWriter, Writing

SMALLEST = (
    1e-12  # what is added to a probability before its logarithm (sklearn/calibration.py, _convert_to_logits)
)
Curve = tuple[np.ndarray, np.ndarray]


def calibrated(fitted: Any, table: Any, w: Writing) -> Answer:
    """CalibratedClassifierCV: the mean over its folds, each a model with calibrators."""
    each = [_fold(one, table, w) for one in fitted.calibrated_classifiers_]
    made = each[0] if len(each) == 1 else average(each, None, w)
    return by_argmax(made, fitted.classes_, w.graph, made)


def isotonic(fitted: Any, table: Any, w: Writing) -> Answer:
    """IsotonicRegression of one column, where it is told to clip."""
    if fitted.out_of_bounds != "clip":
        raise CannotConvert(
            f"an isotonic curve with out_of_bounds='{fitted.out_of_bounds}' has no form beyond its ends"
        )
    if width(table) != 1:
        raise CannotConvert(f"an isotonic curve takes one column, not {width(table)}")
    return regressor(_curved(matrix(table, w.graph), [_curve(fitted)], w))


def _fold(one: Any, table: Any, w: Writing) -> str:
    """(n, classes) of one model with its calibrators."""
    if list(one.estimator.classes_) != list(one.classes):
        raise CannotConvert("a calibrated model that did not see every class is not converted")
    answer, two = w.predict(one.estimator, table), len(one.classes) == 2
    by_decision = hasattr(one.estimator, "decision_function")
    raw = answer.decision if by_decision else answer.probability
    if raw is None:
        raise NoWriter(f"the scores of {type(one.estimator).__name__} that are calibrated have no writer")
    kinds = {type(each).__name__ for each in one.calibrators}
    if kinds == {"_TemperatureScaling"}:
        return _tempered(raw, float(one.calibrators[0].beta_), by_decision, two, w)
    if two and not by_decision:
        raw = w.graph.node("Gather", raw, w.graph.constant(np.array([1])), axis=1)
    if kinds == {"_SigmoidCalibration"}:
        made = _sigmoids(raw, one.calibrators, w)
    elif kinds == {"IsotonicRegression"}:
        curves = _curved(raw, [_curve(each) for each in one.calibrators], w)
        made = w.graph.node("Min", curves, w.graph.constant(np.array(1.0)))  # rounding may pass it
    else:
        raise NoWriter(f"calibration by {', '.join(sorted(kinds))} has no writer")
    return _shares(made, len(one.classes), w)


def _shares(made: str, classes: int, w: Writing) -> str:
    """Probabilities from one number a class (n, k), or from the second's alone; equal ones where all are 0."""
    graph = w.graph
    if classes == 2:
        return str(of_second(made, np.array([0, 1]), graph).probability)
    return shares(made, classes, graph)


def _sigmoids(raw: str, calibrators: Any, w: Writing) -> str:
    """Platt, Probabilistic outputs for support vector machines, 1999."""
    slopes = w.graph.constant(np.array([[float(each.a_) for each in calibrators]]))
    shifts = w.graph.constant(np.array([[float(each.b_) for each in calibrators]]))
    sums = w.graph.node("Neg", w.graph.node("Add", w.graph.node("Mul", raw, slopes), shifts))
    return w.graph.node("Sigmoid", sums)


def _tempered(raw: str, beta: float, by_decision: bool, two: bool, w: Writing) -> str:
    """Soft-max of scores times one number. Guo et al., On calibration of modern neural networks, 2017."""
    graph = w.graph
    if not by_decision:
        raw = graph.node("Log", graph.node("Add", raw, graph.constant(np.array(SMALLEST))))
    elif two:
        raw = graph.node("Mul", raw, graph.constant(np.array([[-1.0, 1.0]])))
    return graph.node("Softmax", graph.node("Mul", raw, graph.constant(np.array(beta))), axis=1)


def _curve(fitted: Any) -> Curve:
    """The points of an isotonic curve, in double."""
    if fitted.X_thresholds_.dtype != np.float64:
        # a step may be as narrow as the scores' rounding, so sums in another precision land beside it
        raise CannotConvert("isotonic calibration of scores of 32 bits (XGBoost's) is not exact in a graph")
    return fitted.X_thresholds_, fitted.y_thresholds_.astype(np.float64)


def _curved(scores: str, curves: list[Curve], w: Writing) -> str:
    """(n, k): column by column the value of its curve, level beyond its ends."""
    graph, trees = w.graph, Trees()
    pieces: list[np.ndarray] = []  # left end, height there, slope
    for target, (x, y) in enumerate(curves):
        first = sum(map(len, pieces))
        slopes = np.concatenate([[0.0], np.diff(y) / np.diff(x), [0.0]])
        pieces.append(np.stack([np.concatenate([x[:1], x]), np.concatenate([y[:1], y]), slopes], axis=1))
        trees.add(_search(x, target, first), target)
    rows = np.vstack(pieces)
    place = graph.node(
        "Cast", ensemble(trees, (tensor(scores, len(curves)),), graph, targets=len(curves)), to=INT64
    )
    left, height, slope = (
        graph.node("Gather", graph.constant(rows[:, part].copy()), place) for part in range(3)
    )
    return graph.node("Add", graph.node("Mul", slope, graph.node("Sub", scores, left)), height)


def _search(points: np.ndarray, feature: int, first: int) -> Tree:
    """The tree that tells how many of the points (m,), in rising order, a number has reached; counted from `first`."""
    below = np.nextafter(points, -np.inf)  # x <= this is x < point
    nodes: list[list[float]] = []  # left, right, threshold, what a leaf tells

    def grow(low: int, high: int) -> int:
        place = len(nodes)
        nodes.append([-1, -1, 0.0, float(first + low)])
        if low < high:
            middle = (low + high) // 2
            nodes[place][2] = float(below[middle])
            nodes[place][0] = grow(low, middle)
            nodes[place][1] = grow(middle + 1, high)
        return place

    grow(0, len(points))
    made = np.array(nodes)
    count = len(nodes)
    return Tree(made[:, 0].astype(np.int64), made[:, 1].astype(np.int64), np.full(count, feature), made[:, 2],
                np.zeros(count, dtype=bool), made[:, 3])  # fmt: skip


PREDICTORS: dict[str, Any] = {"CalibratedClassifierCV": calibrated, "IsotonicRegression": isotonic}
