"""Figures of a ranking: rows are ranked within their query by score, and the label says how relevant each is.

Rows of equal score share the places that they take together, so that the order of the table is worth nothing. Queries
without a relevant row are left out. Sources: Jarvelin and Kekalainen (2002), Cumulated gain-based evaluation of IR
techniques, ACM TOIS 20; ties: McSherry and Najork (2008), ECIR; reciprocal rank: Voorhees (1999), TREC-8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lockgate.checks.judged import Judged


@dataclass(frozen=True, eq=False)
class Ranked:
    """n rows ordered by query and falling score: `query` and `tie` (rows of one query and score) number 0, 1, ...; `place`
    1, 2, ... within the query; `relevance` at least 0. `firsts` (queries,): the best row of each query in its table."""

    query: np.ndarray
    tie: np.ndarray
    place: np.ndarray
    relevance: np.ndarray
    firsts: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """Rows of each query."""
        return np.bincount(self.query)


def ranked(judged: Judged) -> Ranked:
    """The rows of queries that have a relevant one, in their order."""
    queries = np.zeros(judged.truth.size, dtype=int) if judged.queries is None else judged.queries
    relevance = np.maximum(judged.truth.astype(float), 0.0)
    score = np.asarray(judged.score, dtype=float)
    wanted = np.bincount(queries, relevance)[queries] > 0
    rows = np.flatnonzero(wanted)
    rows = rows[np.lexsort((-score[rows], queries[rows]))]
    _, starts, query = np.unique(queries[rows], return_index=True, return_inverse=True)
    place = np.arange(rows.size) - starts[query] + 1 if rows.size else rows
    fresh = np.ones(rows.size, dtype=bool)
    fresh[1:] = (np.diff(query) != 0) | (np.diff(score[rows]) != 0)
    return Ranked(query, np.cumsum(fresh) - 1, place, relevance[rows], rows[starts])


def ndcg(found: Ranked, at: int) -> np.ndarray:
    """Discounted gain of the first `at` places, as a share of that of the best order, per query."""
    return np.asarray(_gain(found, _shared(found, found.relevance), at) / _best(found, at))


def ndcg_by_chance(found: Ranked, at: int) -> np.ndarray:
    """What an order drawn by lot has on average, per query."""
    mean = np.bincount(found.query, found.relevance) / found.counts
    return np.asarray(_gain(found, mean[found.query], at) / _best(found, at))


def precision(found: Ranked, at: int) -> np.ndarray:
    """The share of relevant rows among the first `at` (all of a query that has fewer), per query."""
    hits, inside = _shared(found, found.relevance > 0), found.place <= at
    return np.asarray(np.bincount(found.query, hits * inside) / np.bincount(found.query, inside))


def reciprocal_rank(found: Ranked) -> np.ndarray:
    """One over the place of the first relevant row, per query; among rows of one score, over its expected place."""
    starts = np.flatnonzero(np.diff(found.tie, prepend=-1))
    sizes, hits = np.bincount(found.tie), np.bincount(found.tie, found.relevance > 0)
    # the first of r among t places in random order is at (t + 1) / (r + 1) on average
    expected = found.place[starts] + (sizes + 1) / (hits + 1) - 1
    ranks = np.full(found.counts.size, np.inf)
    np.minimum.at(ranks, found.query[starts][hits > 0], expected[hits > 0])
    return np.asarray(1 / ranks)


def _shared(found: Ranked, values: np.ndarray) -> np.ndarray:
    """The mean of the rows of one score, for each of them."""
    return np.asarray((np.bincount(found.tie, values) / np.bincount(found.tie))[found.tie])


def _gain(found: Ranked, relevance: np.ndarray, at: int) -> np.ndarray:
    weight = np.where(found.place <= at, 1 / np.log2(found.place + 1), 0.0)
    return np.bincount(found.query, relevance * weight)


def _best(found: Ranked, at: int) -> np.ndarray:
    order = np.lexsort((-found.relevance, found.query))
    return _gain(found, found.relevance[order], at)
