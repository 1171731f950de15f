"""scikit-learn's transformers that look at several columns at once: selection, PCA, polynomials, norms."""

from __future__ import annotations

from typing import Any

import numpy as np

from .linear import scores
from .parts import matrix, take, tensor, width
from .writing import Writing


def selector(fitted: Any, table: Any, w: Writing) -> Any:  # noqa: ARG001
    """SelectKBest, VarianceThreshold and their like: the columns that they support."""
    return take(table, np.flatnonzero(fitted.get_support()))


def pca(fitted: Any, table: Any, w: Writing) -> Any:
    """(x - mean) components', as scikit-learn: x components' - mean components'."""
    if type(fitted).__name__ not in ("PCA", "IncrementalPCA"):
        return (tensor(scores(table, fitted.components_.T, None, w), len(fitted.components_)),)
    directions = np.asarray(fitted.components_, dtype=np.float64)
    made = tensor(scores(table, directions.T, -(fitted.mean_ @ directions.T), w), len(directions))
    if fitted.whiten:
        scale = np.sqrt(fitted.explained_variance_)
        made = made.then("Div", np.maximum(scale, np.finfo(scale.dtype).eps))
    return (made,)


def polynomial(fitted: Any, table: Any, w: Writing) -> Any:
    """Products of columns: as many look-ups as the degree, multiplied."""
    powers = fitted.powers_
    count = width(table)
    degree = int(powers.sum(axis=1).max(initial=0))
    factors = [np.repeat(np.arange(count), row).tolist() for row in powers]
    ones = np.array([row + [count] * (max(degree, 1) - len(row)) for row in factors], dtype=np.int64)
    graph = w.graph
    whole = matrix(table, graph)
    if (ones == count).any():  # a column of ones at the end
        one = graph.constant(np.array([[1.0]]))
        first = graph.node("Gather", whole, graph.constant(np.array([0], dtype=np.int64)), axis=1)
        filled = graph.node("Expand", one, graph.node("Shape", first))
        whole = graph.node("Concat", whole, filled, axis=1)
    name = graph.node("Gather", whole, graph.constant(ones[:, 0].copy()), axis=1)
    for step in range(1, degree):
        name = graph.node(
            "Mul", name, graph.node("Gather", whole, graph.constant(ones[:, step].copy()), axis=1)
        )
    return (tensor(name, len(powers)),)


def normalizer(fitted: Any, table: Any, w: Writing) -> Any:
    """x over its norm; rows of zeros stay."""
    graph, name = w.graph, matrix(table, w.graph)
    axes = graph.constant(np.array([1]))
    if fitted.norm == "max":
        norm = graph.node("ReduceMax", graph.node("Abs", name), axes, keepdims=1)
    else:
        norm = graph.node("ReduceL1" if fitted.norm == "l1" else "ReduceL2", name, axes, keepdims=1)
    none = graph.node("Equal", norm, graph.constant(np.array(0.0)))
    norm = graph.node("Where", none, graph.constant(np.array(1.0)), norm)
    return (tensor(graph.node("Div", name, norm), width(table)),)


SELECTORS = "SelectKBest SelectPercentile SelectFpr SelectFdr SelectFwe GenericUnivariateSelect SelectFromModel RFE RFECV"
WRITERS: dict[str, Any] = {
    "PCA": pca, "IncrementalPCA": pca, "TruncatedSVD": pca, "PolynomialFeatures": polynomial, "Normalizer": normalizer,
    "VarianceThreshold": selector, **dict.fromkeys(SELECTORS.split(), selector),
}  # fmt: skip
