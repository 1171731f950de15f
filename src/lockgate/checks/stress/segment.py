"""Part of stress: the rows that the model serves worst, as far as its columns can tell them apart.

A small tree is fitted to the loss of one half of the rows; the leaf where it is highest is measured on the other half, so that
searching for it costs nothing. Categories enter by their mean loss in the first half.
Source: Chung et al. (2019), Slice finder, ICDE, for trees on losses; honest halves: Athey and Imbens (2016), PNAS 113.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockgate.checks.listing import few
from lockgate.checks.values import numbers_of
from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import tree
else:
    tree = late("sklearn.tree")

_DEPTH = 3
_FEWEST = 30  # rows of a half: of fewer a mean tells nothing
_NAMED = 4


@dataclass(frozen=True, eq=False)
class Segment:
    """`found`: rows of the half in which it was found, `held`: of the other half, where it is measured."""

    name: str
    found: np.ndarray
    held: np.ndarray


def worst_segment(
    frame: pl.DataFrame,
    loss: np.ndarray,
    least: float,
    draw: np.random.Generator,
    clusters: np.ndarray | None = None,
) -> Segment | None:
    """The worst segment of at least a share `least` of n rows; None when no column tells rows apart.

    `clusters` (n,): numbers of subjects, which stay whole: the tree would else have seen those it is measured on.
    """
    first, second = _halves(loss.size, draw, clusters)
    columns = {
        name: coded for name in frame.columns if (coded := _coded(frame[name], loss, first)) is not None
    }
    smallest = max(_FEWEST, int(least * first.size))
    if not columns or first.size < 2 * smallest:
        return None
    matrix = np.column_stack([values for values, _ in columns.values()])
    fitted = tree.DecisionTreeRegressor(max_depth=_DEPTH, min_samples_leaf=smallest, random_state=0).fit(
        matrix[first], loss[first]
    )
    leaves = fitted.apply(matrix)
    inner = {leaf: float(loss[first][leaves[first] == leaf].mean()) for leaf in np.unique(leaves[first])}
    if len(inner) < 2:
        return None
    worst = max(inner, key=lambda leaf: inner[leaf])
    named = _path(
        fitted.tree_, int(worst), list(columns), {name: ranks for name, (_, ranks) in columns.items()}
    )
    return Segment(named, first[leaves[first] == worst], second[leaves[second] == worst])


def _halves(
    rows: int, draw: np.random.Generator, clusters: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    subjects = np.arange(rows) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    order = draw.permutation(int(subjects.max(initial=-1)) + 1)
    inside = np.isin(subjects, order[: order.size // 2])
    return np.flatnonzero(inside), np.flatnonzero(~inside)


def _coded(
    series: pl.Series, loss: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, dict[str, float] | None] | None:
    """A column as numbers without holes, with the place of each category; None for what has no order."""
    if series.dtype.is_nested() or series.dtype.is_temporal() or series.dtype == pl.Null:
        return None
    if series.dtype.is_numeric() or series.dtype == pl.Boolean:
        values = numbers_of(series)
        there = values[np.isfinite(values)]
        if not there.size or np.abs(there).max() > np.finfo(np.float32).max:
            return None
        return np.nan_to_num(
            values, nan=float(there.min()) - 1, posinf=float(there.max()), neginf=float(there.min())
        ), None
    names = series.cast(pl.String).fill_null("missing")
    table = pl.DataFrame({"name": names[first], "loss": loss[first]})
    means = table.group_by("name").agg(pl.col("loss").mean()).sort("loss", "name")
    if means.height > first.size // 5:
        return None
    ranks = {name: float(place) for place, name in enumerate(means["name"].to_list())}
    return names.replace_strict(ranks, default=-1.0, return_dtype=pl.Float64).to_numpy(), ranks


def _path(fitted: Any, leaf: int, names: list[str], ranks: dict[str, dict[str, float] | None]) -> str:
    """The conditions that lead to a leaf, the tightest of each column."""
    sides = (("left", fitted.children_left), ("right", fitted.children_right))
    parents = {
        int(child): (node, side)
        for side, children in sides
        for node, child in enumerate(children)
        if child >= 0
    }
    bounds: dict[str, list[float]] = {}
    while leaf in parents:
        leaf, side = parents[leaf]
        name, cut = names[int(fitted.feature[leaf])], float(fitted.threshold[leaf])
        low, high = bounds.get(name, [-np.inf, np.inf])
        bounds[name] = [low, min(high, cut)] if side == "left" else [max(low, cut), high]
    return " and ".join(
        _condition(name, low, high, ranks[name]) for name, (low, high) in reversed(bounds.items())
    )


def _condition(name: str, low: float, high: float, ranks: dict[str, float] | None) -> str:
    if ranks is not None:
        members = sorted(each for each, place in ranks.items() if low < place <= high)
        return f"{name} in {few(members, _NAMED)}"
    if np.isinf(low):
        return f"{name} <= {high:.4g}"
    return f"{name} > {low:.4g}" if np.isinf(high) else f"{low:.4g} < {name} <= {high:.4g}"
