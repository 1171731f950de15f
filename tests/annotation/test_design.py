"""Rows that make a model surest of the pool, and when they are taken instead of those that it doubts."""

import numpy as np
import polars as pl
import pytest

from lockgate.annotation.design import surest
from lockgate.annotation.learner import is_straight
from lockgate.annotation.picking import Pool, Strategy, select
from lockgate.annotation.signals import Reason


def crowds(rows: int, *, crossed: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Two classes on a plane that overlap along a line; `crossed`: told by the product of the axes, which no line tells."""
    chance = np.random.default_rng(4)
    matrix = chance.normal(size=(rows, 2))
    told = 6 * matrix[:, 0] * matrix[:, 1] if crossed else matrix[:, 0]
    return matrix, (told + 0.7 * chance.normal(size=rows) > 0).astype(int)


def pool(matrix: np.ndarray, codes: np.ndarray, labelled: int) -> Pool:
    """The first rows labelled, all answered by a model that goes by the first axis."""
    known = np.where(np.arange(len(codes)) < labelled, codes, -1)
    sure = 1 / (1 + np.exp(-2 * matrix[:, 0]))
    return Pool(pl.DataFrame(matrix), matrix, known, (np.column_stack([1 - sure, sure]),))


def test_each_row_lowers_the_variance_most_of_all_that_are_left():
    """What is brought on step by step is what the matrices give when they are worked out anew for every row."""
    chance = np.random.default_rng(0)
    matrix, chances = chance.normal(size=(60, 3)), chance.uniform(0.05, 0.95, 60)
    labelled, offered = np.arange(5), np.arange(5, 60)
    found = surest(matrix, labelled, chances, offered=offered, count=4, random=0)
    rows = np.column_stack([matrix, np.ones(60)])
    matter = np.cov(rows.T, bias=True)

    def unsure(chosen: list[int]) -> float:
        weights = (chances * (1 - chances))[chosen]
        held = np.diag([1.0, 1.0, 1.0, 1e-3]) + (rows[chosen].T * weights) @ rows[chosen]
        return float(np.trace(np.linalg.inv(held) @ matter))

    known = labelled.tolist()
    for row in found.tolist():
        best = min(
            (one for one in offered.tolist() if one not in known), key=lambda one: unsure([*known, one])
        )
        assert unsure([*known, row]) == pytest.approx(unsure([*known, best]))
        known.append(row)


def test_where_a_line_tells_as_much_as_trees_the_surest_rows_are_taken():
    """Two classes that overlap, and few labels: by variance. Classes that only trees tell, and none: by doubt."""
    matrix, codes = crowds(300)
    assert is_straight(matrix[:60], codes[:60], 0)
    found = select(pool(matrix, codes, 60), Strategy.MIXTURE, 12).items
    assert {one.reason for one in found} == {Reason.VARIANCE}
    assert len({one.row for one in found}) == 12
    assert min(one.row for one in found) >= 60
    matrix, codes = crowds(300, crossed=True)
    assert not is_straight(matrix[:120], codes[:120], 0)
    assert Reason.MARGIN in {
        one.reason for one in select(pool(matrix, codes, 120), Strategy.MIXTURE, 12).items
    }
    few = select(pool(matrix, codes, 30), Strategy.MIXTURE, 12).items
    assert {one.reason for one in few} == {Reason.VARIANCE}, "thirty labels tell nothing of kinds of models"
    assert Reason.MARGIN in {one.reason for one in select(pool(matrix, codes, 0), Strategy.MIXTURE, 12).items}
    assert not is_straight(matrix[:8], codes[:8], 0)
    assert not is_straight(matrix, np.where(np.arange(300) < 50, 0, -1), 0)


def test_the_surest_rows_bring_a_better_model_than_drawn_ones():
    """With 40 labels on twelve axes, some far wider than others: the model's variance over the pool is lower in each of ten."""
    gains = []
    for seed in range(10):
        chance = np.random.default_rng(seed)
        matrix = chance.normal(size=(600, 12)) * np.geomspace(2, 0.3, 12)
        true = chance.normal(size=12)
        chances = 1 / (1 + np.exp(-matrix @ true))
        start = np.arange(10)
        rows = surest(matrix, start, chances, offered=np.arange(10, 600), count=30, random=seed)

        def unsure(chosen: np.ndarray, rows: np.ndarray = matrix, chances: np.ndarray = chances) -> float:
            weights = chances[chosen] * (1 - chances[chosen])
            held = np.eye(12) + (rows[chosen].T * weights) @ rows[chosen]
            return float(np.trace(rows @ np.linalg.inv(held) @ rows.T))

        drawn = chance.permutation(np.arange(10, 600))[:30]
        gains.append(unsure(np.r_[start, rows]) / unsure(np.r_[start, drawn]))
    assert max(gains) < 1
