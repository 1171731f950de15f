"""Part of importance shift: how an answer is shared out among its columns (Shapley values), for any model that can be asked.

A row's answer is built up from another row's, one column after the other in an order drawn by chance and in that order turned
round; what a column changes when its turn comes is its part. The mean over orders and other rows is the row's Shapley value
(interventional), and the parts of one build-up add up to the difference of the two answers exactly. A column's share is its
mean absolute part over rows.

Sources: Shapley (1953); Strumbelj and Kononenko (2014), Knowledge and Information Systems 41, for drawing orders; Lundberg and
Lee (2017), NeurIPS 30, for explaining answers with them; Mitchell et al. (2022), JMLR 23, for turning orders round.
"""

from __future__ import annotations

import numpy as np
import polars as pl

from lockgate.checks.evidence import Answers, Asked, Evidence
from lockgate.checks.importance import Importance, bounded, judged_inputs
from lockgate.stats.intervals import mean_interval

_ROWS = 200
_FEWEST = 40  # explained rows; with fewer, or more columns than that allows, it is left out
_ORDERS = 5  # each is used in both directions
_ASKED = 100_000
_PARTS = 5


def shapley(evidence: Evidence, of: Asked = Asked.VERSION) -> dict[str, Importance]:
    """Shares of every input on the judged rows, the largest first; empty where rows are too few or columns too many.

    The same rows and orders are drawn for every model. Raises what `evidence.predict` raises.
    """
    there = judged_inputs(evidence, of)
    if there is None:
        return {}
    frame, made, names = there
    rows = min(_ROWS, frame.height, _ASKED // (2 * _ORDERS * (len(names) + 1)))
    if rows < _FEWEST or not names:
        return {}
    draw = evidence.random("shapley")
    chosen = np.repeat(draw.choice(frame.height, rows, replace=False), 2 * _ORDERS)
    others = np.repeat(draw.integers(0, frame.height, rows * _ORDERS), 2)
    ranks = _ranks(rows, len(names), draw)
    answers = evidence.predict(_built_up(frame.select(names), chosen, others, ranks), of)
    steps = len(names) + 1
    values = _values(made.take(np.repeat(chosen, steps)), answers).reshape(-1, steps)
    return _shares(names, _parts_of(values, ranks).reshape(rows, 2 * _ORDERS, -1).mean(axis=1))


def _ranks(rows: int, width: int, draw: np.random.Generator) -> np.ndarray:
    """The turn of each column in each build-up, shape (rows * 2 * orders, width): every second one is turned round."""
    ranks = draw.permuted(np.tile(np.arange(width), (rows * _ORDERS, 1)), axis=1)
    return np.stack([ranks, width - 1 - ranks], axis=1).reshape(-1, width)


def _built_up(table: pl.DataFrame, chosen: np.ndarray, others: np.ndarray, ranks: np.ndarray) -> pl.DataFrame:
    """All steps of all build-ups as one table: a column comes from the chosen row once its turn was."""
    turn = np.arange(table.width + 1)
    columns = [
        table[name].gather(np.where(ranks[:, [place]] < turn, chosen[:, None], others[:, None]).reshape(-1))
        for place, name in enumerate(table.columns)
    ]
    return pl.DataFrame(columns)


def _parts_of(values: np.ndarray, ranks: np.ndarray) -> np.ndarray:
    """What each column changed in each build-up, from the answers after each step: shape (build-ups, width).

    >>> _parts_of(np.array([[0.0, 1.0, 3.0]]), np.array([[1, 0]])).tolist()
    [[2.0, 1.0]]
    """
    changes = np.diff(values, axis=1)
    parts: np.ndarray = np.take_along_axis(changes, ranks, axis=1)
    return parts


def _values(own: Answers, made: Answers) -> np.ndarray:
    """One number an answer, as the chosen row sees it: the probability of its own class, the score, or whether it is the same."""
    if own.probabilities is not None and made.probabilities is not None:
        place = own.probabilities.argmax(axis=1)
        values: np.ndarray = np.take_along_axis(made.probabilities, place[:, None], axis=1)[:, 0]
    elif made.scores is not None:
        values = np.asarray(made.scores, dtype=float)
    elif made.decisions.dtype.kind in "fiu":
        values = np.asarray(made.decisions, dtype=float)
    else:
        values = (made.decisions == own.decisions).astype(float)
    return np.where(np.isfinite(values), values, 0.0)


def _shares(names: list[str], parts: np.ndarray) -> dict[str, Importance]:
    """Mean absolute parts (rows, width) as shares, with the spread between groups of rows as their interval."""
    sizes = np.array([np.abs(group).mean(axis=0) for group in np.array_split(parts, _PARTS)])
    totals = sizes.sum(axis=1, keepdims=True)
    shares = np.divide(sizes, totals, out=np.zeros_like(sizes), where=totals > 0)
    found = [
        Importance(name, bounded(mean_interval(column)), tuple(column.tolist()))
        for name, column in zip(names, shares.T, strict=True)
    ]
    return {each.column: each for each in sorted(found, key=lambda each: -each.share.value)}
