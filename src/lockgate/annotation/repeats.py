"""Rows that say what another row says already: nobody is asked the same question twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import neighbors
else:
    neighbors = late("sklearn.neighbors")

NEAR = 0.02  # of the middle distance between two rows: closer ones are alike to whoever labels them
MOST_KNOWN = 20_000  # labelled rows that others are held against
_PAIRS = 2_000
_AT_ONCE = 200
_MOST_ROUNDS = 50


@dataclass(frozen=True, eq=False)
class Likeness:
    """When two rows are nearly one: `rows` gives the rows of these numbers as vectors (k, d), dense or sparse; they are when they
    are closer than `limit`; never where it is 0."""

    rows: Callable[[np.ndarray], Any]
    limit: float


def exact_repeats(frame: pl.DataFrame) -> np.ndarray:
    """Which rows are equal to an earlier one in every column, shape (n,).

    >>> exact_repeats(pl.DataFrame({"a": [1, 1, 2]})).tolist()
    [False, True, False]
    """
    if frame.width == 0:
        return np.zeros(frame.height, dtype=bool)
    return np.asarray((~frame.hash_rows().is_first_distinct()).to_numpy())


def likeness_of(matrix: np.ndarray) -> Likeness:
    """Rows (n, d) are nearly one when they are closer than a fiftieth of the middle distance of rows."""
    return Likeness(
        lambda places: matrix[places], NEAR * _middle_distance(matrix) if matrix.shape[1] else 0.0
    )


def different(
    likeness: Likeness, order: np.ndarray, known: np.ndarray, wanted: int
) -> tuple[np.ndarray, int, int]:
    """The first `wanted` of the rows `order` that are not nearly one of the rows `known` or one before them; how many were left
    out for that, and how many were looked at until there were enough."""
    if likeness.limit <= 0 or wanted < 1:
        return order[:wanted], 0, min(order.size, max(wanted, 0))
    labelled = _fitted(likeness, known[-MOST_KNOWN:])
    kept, near, looked, step = np.empty(0, dtype=int), 0, 0, max(_AT_ONCE, 2 * wanted)
    while looked < min(order.size, _MOST_ROUNDS * step) and kept.size < wanted:
        part = order[looked : looked + step]
        repeats = _near(likeness, part, (labelled, _fitted(likeness, kept)))
        kept, near, looked = (
            np.concatenate([kept, part[~repeats]]),
            near + int(repeats.sum()),
            looked + part.size,
        )
    return kept[:wanted], near, looked


def _fitted(likeness: Likeness, rows: np.ndarray) -> Any:
    return neighbors.NearestNeighbors(n_neighbors=1).fit(likeness.rows(rows)) if rows.size else None


def _near(likeness: Likeness, order: np.ndarray, others: Sequence[Any]) -> np.ndarray:
    """Which of the rows `order` are nearly one of the others, or of those before them that are none."""
    rows, found = likeness.rows(order), np.zeros(order.size, dtype=bool)
    for each in others:
        if each is not None:
            found |= each.kneighbors(rows)[0][:, 0] < likeness.limit
    near = neighbors.NearestNeighbors(radius=likeness.limit).fit(rows)
    for place, close in enumerate(near.radius_neighbors(rows, return_distance=False)):
        found[place] |= bool(((close < place) & ~found[close]).any())
    return found


def _middle_distance(matrix: np.ndarray) -> float:
    """The median distance of rows drawn in pairs; of those that differ at all."""
    if len(matrix) < 2:
        return 0.0
    chance = np.random.default_rng(0)
    left, right = chance.integers(len(matrix), size=(2, _PAIRS))
    away = np.linalg.norm(matrix[left] - matrix[right], axis=1)
    away = away[away > 0]
    return float(np.median(away)) if away.size else 0.0
