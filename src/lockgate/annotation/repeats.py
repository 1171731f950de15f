"""Rows that say what another row says already: nobody is asked the same question twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import neighbors
else:
    neighbors = late("sklearn.neighbors")

NEAR = 0.02  # of the middle distance between two rows: closer ones are alike to whoever labels them
_PAIRS = 2_000


def exact_repeats(frame: pl.DataFrame) -> np.ndarray:
    """Which rows are equal to an earlier one in every column, shape (n,).

    >>> exact_repeats(pl.DataFrame({"a": [1, 1, 2]})).tolist()
    [False, True, False]
    """
    if frame.width == 0:
        return np.zeros(frame.height, dtype=bool)
    return np.asarray((~frame.hash_rows().is_first_distinct()).to_numpy())


def near_repeats(matrix: np.ndarray, order: np.ndarray, known: np.ndarray | None = None) -> np.ndarray:
    """Which of the rows `order` are nearly another one: one that stands before it in `order`, or one of `known` (k, d) rows.

    `matrix` (n, d). Two rows are nearly one when they are closer than a fiftieth of the middle distance of rows.
    """
    rows = matrix[order]
    limit = NEAR * _middle_distance(matrix)
    found = np.zeros(order.size, dtype=bool)
    if order.size == 0 or matrix.shape[1] == 0 or limit <= 0:
        return found
    if known is not None and len(known):
        far, _ = neighbors.NearestNeighbors(n_neighbors=1).fit(known).kneighbors(rows)
        found |= far[:, 0] < limit
    close = neighbors.NearestNeighbors(radius=limit).fit(rows).radius_neighbors(rows, return_distance=False)
    for place, others in enumerate(close):
        found[place] |= bool(((others < place) & ~found[others]).any())
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
