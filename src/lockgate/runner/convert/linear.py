"""scikit-learn's linear models and multi-layer perceptrons. Scalers before them go into their coefficients."""

from __future__ import annotations

from typing import Any

import numpy as np

from .answers import by_argmax, by_sign, regressor, shares
from .parts import AFFINE, DIV, MUL, SUB, Coded, Number, tensor
from .writing import Answer, CannotConvert, Writing

Array = np.ndarray


def scores(table: Any, weights: Any, intercept: Any, w: Writing) -> str:
    """x weights + intercept (n, k): one product over the numbers as they came, one look-up a column of categories."""
    weights = np.asarray(weights, dtype=np.float64)
    bias = np.zeros(weights.shape[1]) + (
        0.0 if intercept is None else np.asarray(intercept, dtype=np.float64)
    )
    sources: dict[str, tuple[int, Array]] = {}
    lookups: list[tuple[Coded, Array]] = []
    start = 0
    for part in table:
        rows = weights[start : start + part.width]
        start += part.width
        if isinstance(part, Coded):
            lookups.append((part, part.table @ rows))
            continue
        plain, rows, shift = _folded(part, rows, w)
        bias = bias + shift
        _, total = sources.setdefault(
            plain.source, (plain.source_width, np.zeros((plain.source_width, len(bias))))
        )
        np.add.at(total, plain.columns, rows)
    if start != len(weights):
        raise CannotConvert(f"{len(weights)} coefficients for {start} columns")
    return _summed(sources, lookups, bias, w)


def _folded(part: Any, rows: Array, w: Writing) -> tuple[Number, Array, Array]:
    """A part without steps, the coefficients that make up for them, and what they add to the intercept."""
    if not isinstance(part, Number):
        raise CannotConvert("text goes where numbers are expected: encode the column first")
    first = next((i for i in range(len(part.steps), 0, -1) if part.steps[i - 1].act not in AFFINE), 0)
    if first:
        before = Number(part.source, part.source_width, part.columns, part.steps[:first])
        plain = tensor(before.matrix(w.graph), part.width)
    else:
        plain = Number(part.source, part.source_width, part.columns)
    factor, shift = np.ones(part.width), np.zeros(part.width)
    for step in part.steps[first:]:
        if step.act in (MUL, DIV):
            scale = step.values if step.act == MUL else 1.0 / step.values
            factor, shift = factor * scale, shift * scale
        else:
            shift = shift - step.values if step.act == SUB else shift + step.values
    return plain, rows * factor[:, None], shift @ rows


def _summed(sources: dict[str, Any], lookups: list[Any], bias: Array, w: Writing) -> str:
    graph = w.graph
    terms = []
    if lookups:
        found = [part.looked_up(graph, table + (bias if not number and not sources else 0.0))
                 for number, (part, table) in enumerate(lookups)]  # fmt: skip
        total = found[0] if len(found) == 1 else graph.node("Sum", *found)
        terms.append(graph.node("Squeeze", total, graph.constant(np.array([1]))))
    if sources:
        names = list(sources)
        tall = np.vstack([sources[name][1] for name in names])
        whole = names[0] if len(names) == 1 else graph.node("Concat", *names, axis=1)
        terms.append(graph.node("Gemm", whole, graph.constant(tall), graph.constant(bias)))
    return terms[0] if len(terms) == 1 else graph.node("Add", *terms)


def linear_regressor(fitted: Any, table: Any, w: Writing) -> Answer:
    """x coef' + intercept, with the link of generalised models."""
    coefficients = np.asarray(fitted.coef_)
    targets = np.atleast_2d(coefficients)
    raw = scores(table, targets.T, np.asarray(fitted.intercept_).ravel(), w)
    name = type(fitted).__name__
    if name in ("PoissonRegressor", "GammaRegressor") or (name == "TweedieRegressor" and _is_log(fitted)):
        raw = w.graph.node("Exp", raw)
    return regressor(raw, len(targets), squeezed=coefficients.ndim == 1)


def _is_log(fitted: Any) -> bool:
    return bool(fitted.link == "log" or (fitted.link == "auto" and fitted.power > 0))


def linear_classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """The sign or the largest of the scores; for logistic models the probabilities."""
    targets, graph = np.atleast_2d(fitted.coef_), w.graph
    bias = np.broadcast_to(np.asarray(fitted.intercept_, dtype=np.float64).ravel(), (len(targets),))
    kind = _probabilities_of(fitted)
    if len(fitted.classes_) > 2:
        raw = scores(table, targets.T, bias, w)
        if kind == "none":
            return by_argmax(raw, fitted.classes_, graph, decision=raw)
        if kind == "softmax":
            return by_argmax(raw, fitted.classes_, graph, graph.node("Softmax", raw, axis=1), decision=raw)
        apart = shares(graph.node("Sigmoid", raw), len(targets), graph)
        return by_argmax(raw, fitted.classes_, graph, apart, decision=raw)
    if kind == "none":
        return by_sign(scores(table, targets.T, bias, w), fitted.classes_, graph)
    both = scores(table, np.vstack([-targets, targets]).T, np.concatenate([-bias, bias]), w)
    link = graph.node("Softmax", both, axis=1) if kind == "softmax" else graph.node("Sigmoid", both)
    second = graph.node("Gather", both, graph.constant(np.array([1])), axis=1)
    return by_argmax(link, fitted.classes_, graph, link, decision=second)


def _probabilities_of(fitted: Any) -> str:
    """`sigmoid` (one class against the rest), `softmax`, or `none`. Raises CannotConvert for others."""
    name, rule = type(fitted).__name__, getattr(fitted, "multi_class", None)
    if name == "SGDClassifier" and fitted.loss == "modified_huber":
        raise CannotConvert("the probabilities of SGDClassifier's modified_huber have no ONNX form")
    if name == "SGDClassifier":
        return "sigmoid" if fitted.loss == "log_loss" else "none"
    if name == "LinearDiscriminantAnalysis":
        return "softmax" if len(fitted.classes_) > 2 else "sigmoid"
    if name not in ("LogisticRegression", "LogisticRegressionCV"):
        return "none"
    apart = (
        rule == "ovr" or fitted.solver == "liblinear" or (len(fitted.classes_) == 2 and rule != "multinomial")
    )
    return "sigmoid" if apart else "softmax"


ACTIVATIONS = {"identity": None, "logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}


def _layers(fitted: Any, table: Any, w: Writing) -> str:
    """The last layer's sums (n, outputs)."""
    name = scores(table, fitted.coefs_[0], fitted.intercepts_[0], w)
    for weights, bias in zip(fitted.coefs_[1:], fitted.intercepts_[1:]):
        act = ACTIVATIONS[fitted.activation]
        active = w.graph.node(act, name) if act else name
        name = scores((tensor(active, len(weights)),), weights, bias, w)
    return name


def perceptron_regressor(fitted: Any, table: Any, w: Writing) -> Answer:
    """MLPRegressor."""
    if fitted.out_activation_ != "identity":
        raise CannotConvert(f"an output activation {fitted.out_activation_} has no writer")
    return regressor(_layers(fitted, table, w), fitted.n_outputs_, squeezed=fitted.n_outputs_ == 1)


def perceptron_classifier(fitted: Any, table: Any, w: Writing) -> Answer:
    """MLPClassifier."""
    raw, graph = _layers(fitted, table, w), w.graph
    if fitted.out_activation_ == "softmax":
        made = graph.node("Softmax", raw, axis=1)
    elif len(fitted.classes_) == 2 and fitted.n_outputs_ == 1:
        both = graph.node("Mul", raw, graph.constant(np.array([[-1.0, 1.0]])))
        made = graph.node("Sigmoid", both)
    else:
        raise CannotConvert("several labels a row are not converted")
    return by_argmax(made, fitted.classes_, graph, made)


REGRESSORS = (
    "LinearRegression Ridge RidgeCV Lasso LassoCV ElasticNet ElasticNetCV Lars LarsCV LassoLars LassoLarsCV LassoLarsIC "
    "OrthogonalMatchingPursuit BayesianRidge ARDRegression HuberRegressor TheilSenRegressor SGDRegressor LinearSVR "
    "QuantileRegressor PoissonRegressor GammaRegressor TweedieRegressor MultiTaskLasso MultiTaskElasticNet"
)
CLASSIFIERS = (
    "LogisticRegression LogisticRegressionCV SGDClassifier LinearSVC RidgeClassifier RidgeClassifierCV Perceptron "
    "PassiveAggressiveClassifier LinearDiscriminantAnalysis"
)
PREDICTORS: dict[str, Any] = {
    **dict.fromkeys(REGRESSORS.split(), linear_regressor),
    **dict.fromkeys(CLASSIFIERS.split(), linear_classifier),
    "MLPRegressor": perceptron_regressor,
    "MLPClassifier": perceptron_classifier,
}
