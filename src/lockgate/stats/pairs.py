"""How numbers go together, as sums that can be added up: correlations of normal scores, before and after.

Each column's values are replaced by the normal scores of their bins in the reference (van der Waerden 1952), so that
neither outliers nor a change of scale count, and a missing value by the mean. Sums of their products over rows add up, as
counts do. Source of the comparison: Fisher (1921), Metron 1, the inverse hyperbolic tangent of two correlations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations

import msgspec
import numpy as np

from lockgate.stats.drift import FALSE_SHARE, normal_scores
from lockgate.stats.multiple import benjamini_hochberg
from lockgate.stats.sketch import NumberSketch

MATTERS = 0.15  # of a correlation: a smaller change is not spoken of
WIDER = 1.5  # scores of real columns are not normal together: their correlations vary more than Fisher's formula says
_NEARER = 0.5  # columns changed places if that explains this share of what changed
_STRONG = 0.2


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """n rows of k columns: `sums` (k) of their scores, `products` (k * (k + 1) / 2) of each pair, itself included, row by row."""

    names: tuple[str, ...]
    rows: int
    sums: tuple[float, ...]
    products: tuple[float, ...]


@dataclass(frozen=True)
class Turned:
    """Two columns whose correlation changed. `places`: that they changed places explains it."""

    one: str
    other: str
    before: float
    after: float
    places: bool = False


def scores_in(values: np.ndarray, sketch: NumberSketch, edges: np.ndarray | None = None) -> np.ndarray:
    """Numbers (n,) as normal scores of the reference's bins, mean 0 there; missing and infinite ones are 0.

    `edges`: the sketch's as the values are rounded, where they have fewer digits.
    """
    by_bin = _scores_of(sketch)
    finite = np.isfinite(values)
    limits = np.asarray(sketch.edges) if edges is None else edges
    places = np.searchsorted(limits, np.where(finite, values, values.dtype.type(0)), side="right")
    return np.where(finite, by_bin[places], 0.0)


@lru_cache(maxsize=4_096)
def _scores_of(sketch: NumberSketch) -> np.ndarray:
    """The score of each bin; the same reference is asked for hour after hour."""
    return normal_scores(np.asarray(sketch.counts, dtype=float))


def count_pairs(scores: Mapping[str, np.ndarray]) -> Pairs:
    """Columns of scores (n each) as sums."""
    names = tuple(scores)
    table = np.column_stack([scores[name] for name in names]) if names else np.zeros((0, 0))
    upper = np.triu_indices(len(names))
    return Pairs(
        names=names, rows=len(table), sums=tuple(table.sum(axis=0).tolist()),
        products=tuple((table.T @ table)[upper].tolist()),
    )  # fmt: skip


def merged_pairs(parts: Sequence[Pairs]) -> Pairs | None:
    """Pieces over the same columns as one; those over other columns than the first's are left out. None of nothing."""
    if not parts:
        return None
    same = [part for part in parts if part.names == parts[0].names]
    return Pairs(
        names=parts[0].names, rows=sum(part.rows for part in same),
        sums=tuple(np.sum([part.sums for part in same], axis=0).tolist()),
        products=tuple(np.sum([part.products for part in same], axis=0).tolist()),
    )  # fmt: skip


def correlations(pairs: Pairs) -> np.ndarray:
    """The matrix (k x k), 0 where a column does not vary."""
    size = len(pairs.names)
    matrix = np.zeros((size, size))
    matrix[np.triu_indices(size)] = pairs.products
    matrix = matrix + np.triu(matrix, 1).T
    means = np.asarray(pairs.sums) / max(pairs.rows, 1)
    spread = matrix / max(pairs.rows, 1) - np.outer(means, means)
    scale = np.sqrt(np.clip(np.diag(spread), 0.0, None))
    known = np.outer(scale > 1e-9, scale > 1e-9)
    found: np.ndarray = np.divide(spread, np.outer(scale, scale), out=np.zeros_like(spread), where=known)
    return found.clip(-1.0, 1.0)


def turned(
    reference: Pairs, current: Pairs, *, but: Sequence[str] = (), false_share: float = FALSE_SHARE
) -> list[Turned]:
    """Pairs whose correlation surely changed by enough to matter, the largest change first, corrected for their number.

    `but`: columns that are left out: a column that moved goes otherwise with others for that reason alone.
    """
    if reference.names != current.names or min(reference.rows, current.rows) < 30:
        return []
    names = reference.names
    before, after = correlations(reference), correlations(current)
    asked = [(i, j) for i, j in combinations(range(len(names)), 2) if not {names[i], names[j]} & set(but)]
    if not asked:
        return []
    error = WIDER * math.sqrt(1 / (reference.rows - 3) + 1 / (current.rows - 3))
    first, second = (np.arctanh(np.clip([m[i, j] for i, j in asked], -0.999, 0.999)) for m in (before, after))
    adjusted = benjamini_hochberg([math.erfc(abs(z) / math.sqrt(2)) for z in (second - first) / error])
    found = [
        (i, j) for (i, j), p in zip(asked, adjusted, strict=True)
        if p <= false_share and abs(after[i, j] - before[i, j]) >= MATTERS
    ]  # fmt: skip
    exchanged = _exchanged(before, after, found)
    changes = [Turned(names[i], names[j], float(before[i, j]), float(after[i, j])) for i, j in found] + [
        Turned(names[i], names[j], float(before[i, j]), float(after[i, j]), places=True) for i, j in exchanged
    ]
    return sorted(changes, key=lambda each: (not each.places, -abs(each.after - each.before)))


def _exchanged(
    before: np.ndarray, after: np.ndarray, found: Sequence[tuple[int, int]]
) -> list[tuple[int, int]]:
    """Two columns that were exchanged: with one's rows and columns in the other's place, the matrix is as it was.

    Their own correlation does not change, that with others does; columns that go with nothing strongly cannot be told.
    """
    touched = sorted({place for pair in found for place in pair})
    far = float(((after - before) ** 2).sum())
    best: list[tuple[float, tuple[int, int]]] = []
    for i, j in combinations(touched, 2):
        order = np.arange(len(before))
        order[[i, j]] = order[[j, i]]
        left = float(((after - before[np.ix_(order, order)]) ** 2).sum())
        strong = np.abs(before[i] - before[j])[[k for k in range(len(before)) if k not in (i, j)]]
        if left <= (1 - _NEARER) * far and strong.size and strong.max() >= _STRONG:
            best.append((left, (i, j)))
    return [min(best)[1]] if best else []
