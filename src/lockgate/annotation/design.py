"""Rows whose labels make a logistic model surest of the whole pool, where doubts are in the nature of things.

Where classes overlap, the rows that a model is unsure of are mostly rows that nobody can tell: their labels teach little. What
labels can lower is not the noise but how much the model would differ with other labels: its variance. That hangs on where the
labelled rows lie. With the ridge R, rows z (with a 1 for the intercept) and p their chances, a labelled row adds w z z' to the
information H = R + sum of w z z', w = p (1 - p); how unsure the model is of the order in which it puts the rows of the pool is
trace(H^-1 A), with A the covariance of z over the pool. One more label lowers that by

    w z' H^-1 A H^-1 z / (1 + w z' H^-1 z)

Rows are taken one after the other by that, so those of a batch differ by themselves. Sources: Schein and Ungar (2007), Active
learning for logistic regression: an evaluation (A-optimality holds where sampling by doubt fails); Yu, Bi and Tresp (2006),
Active learning via transductive experimental design; Sherman and Morrison (1950) for the steps.
"""

from __future__ import annotations

import numpy as np

from lockgate.annotation.diverse import TIMES, drawn

MOST_WIDE = 300  # numbers a row: of more the ones that keep most of what differs are taken
_POOL = 20_000  # rows that stand for the pool
_OFFERED = 200  # drawn rows that are compared at least: of all, those far out would be taken first
_RIDGE = 1.0  # as the simple linear model has it
_FREE = 1e-3  # the intercept is hardly held back
_LEAST = 1e-4  # of a weight, where the model is certain


def surest(
    matrix: np.ndarray,
    labelled: np.ndarray,
    chances: np.ndarray,
    *,
    offered: np.ndarray,
    count: int,
    random: int,
) -> np.ndarray:
    """`count` of the rows `offered`, those that lower the model's variance most first, shape (count,).

    `matrix` (n, d), `labelled` rows with a label, `chances` (n,) of one of two classes by the model as it is now.
    """
    rows = np.column_stack([matrix, np.ones(len(matrix))])
    weights = np.maximum(chances * (1 - chances), _LEAST)
    pool = drawn(len(rows), _POOL, random)
    centred = rows[pool] - rows[pool].mean(axis=0)
    matter = centred.T @ centred / pool.size
    ridge = np.full(rows.shape[1], _RIDGE)
    ridge[-1] = _FREE
    known = rows[labelled]
    spread = np.linalg.inv(np.diag(ridge) + (known * weights[labelled, None]).T @ known)
    some = offered[drawn(offered.size, max(_OFFERED, TIMES * count), random)]
    return np.asarray(some[_steps(rows[some], weights[some], spread, matter, min(count, some.size))])


def _steps(
    rows: np.ndarray, weights: np.ndarray, spread: np.ndarray, matter: np.ndarray, count: int
) -> np.ndarray:
    """Places of `count` rows (n, d), each the best after those before it. Only products with the rows are brought on, not the
    matrices: n d numbers a step."""
    seen = rows @ spread
    own = (seen * rows).sum(axis=1)
    gain = ((seen @ matter) * seen).sum(axis=1)
    open_, chosen = np.ones(len(rows), dtype=bool), []
    for _ in range(count):
        worth = np.where(open_, weights * gain / (1 + weights * own), -1.0)
        best = int(worth.argmax())
        open_[best] = False
        chosen.append(best)
        step, share = seen[best].copy(), weights[best] / (1 + weights[best] * own[best])
        along, turned = rows @ step, matter @ step
        gain = gain - 2 * share * along * (seen @ turned) + (share * along) ** 2 * (step @ turned)
        own = own - share * along**2
        seen = seen - share * np.outer(along, step)
    return np.array(chosen, dtype=int)
