"""Rows that differ from each other: of many that are worth labelling, those that stand for the most.

The rows of most value are grouped by weighted k-means, and the one nearest to each centre is taken. So a batch is not a
hundred times the same question, and a monster far from everything does not win by its distance. Source: Zhdanov (2019), Diverse
mini-batch active learning; Lloyd (1982); Arthur and Vassilvitskii (2007), k-means++.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import cluster, decomposition
else:
    cluster, decomposition = late("sklearn.cluster"), late("sklearn.decomposition")

TIMES = 20  # so many rows are looked at for each that is wanted
MOST_LOOKED = 20_000
_DIMENSIONS = 50
MOST_SEEN = 5_000  # rows that are looked at where all are worth the same
_GROUPS = 300  # k-means with more centres takes too long: larger batches are filled group by group
_LEAST = 1e-6


def condensed(matrix: np.ndarray, random: int) -> np.ndarray:
    """At most fifty numbers a row that keep most of what differs (principal components), shape (n, <=50)."""
    if matrix.shape[1] <= _DIMENSIONS or len(matrix) <= _DIMENSIONS:
        return matrix
    made = decomposition.PCA(_DIMENSIONS, svd_solver="randomized", random_state=random)
    sample = matrix[drawn(len(matrix), MOST_LOOKED, random)]
    return np.asarray(made.fit(sample).transform(matrix))


def spread(matrix: np.ndarray, value: np.ndarray, count: int, random: int) -> np.ndarray:
    """`count` different rows, those of most value first among them, in no two alike corners; shape (count,).

    `value` (n,) from 0 to 1. Equal values everywhere: the rows that stand best for all of them.
    """
    count = min(count, len(matrix))
    if count == 0:
        return np.empty(0, dtype=int)
    looked = _candidates(value, count, random)
    weights = np.square(value[looked]) + _LEAST
    groups = min(count, _GROUPS)
    if looked.size <= count or matrix.shape[1] == 0:
        return looked[:count]
    found = cluster.KMeans(groups, n_init=1, max_iter=20, random_state=random)
    found.fit(matrix[looked], sample_weight=weights)
    chosen = _nearest(found.transform(matrix[looked]), found.labels_, weights, count)
    return np.asarray(looked[chosen])


def _candidates(value: np.ndarray, count: int, random: int) -> np.ndarray:
    """The rows of most value, the best first; of equals, drawn ones."""
    shuffled = np.random.default_rng(random).permutation(value.size)
    order = np.asarray(shuffled[np.argsort(-value[shuffled], kind="stable")])
    looked = TIMES * count if np.ptp(value) > 0 else max(TIMES * count, MOST_SEEN)
    most: np.ndarray = order[: max(min(looked, MOST_LOOKED), count)]
    return most


def _nearest(away: np.ndarray, group: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    """Of each group the row nearest to its centre, then in turns the next nearest, until `count` are there; those of most weight
    first within a turn."""
    own = away[np.arange(group.size), group]
    order = np.lexsort((own, group))
    first = np.r_[True, group[order][1:] != group[order][:-1]]
    starts = np.maximum.accumulate(np.where(first, np.arange(order.size), 0))
    turn = np.arange(order.size) - starts
    return np.asarray(order[np.lexsort((-weights[order], turn))][:count])


def drawn(rows: int, most: int, random: int) -> np.ndarray:
    """Numbers of `most` of so many rows, in order; of all where there are no more."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(random).choice(rows, most, replace=False))
