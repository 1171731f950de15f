"""Which rows are picked, and which are not."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.annotation.budget import Budget
from lockgate.annotation.picking import Pool, Strategy, select
from lockgate.annotation.signals import Reason, cost_matrix, margins
from lockgate.errors import Conflict, InvalidInput


def pool(rows: int, *, classes: int = 2, seed: int = 0, labelled: int = 0, answered: bool = True) -> Pool:
    """A table of normal numbers in three columns, answered by a model that is unsure around zero."""
    chance = np.random.default_rng(seed)
    matrix = chance.normal(size=(rows, 3))
    sure = np.clip(0.5 + matrix[:, 0] / 4, 0.01, 0.99)
    answers = np.column_stack([sure, *[(1 - sure) / (classes - 1)] * (classes - 1)])
    codes = np.full(rows, -1)
    codes[:labelled] = chance.integers(classes, size=labelled)
    frame = pl.DataFrame(matrix, schema=["a", "b", "c"])
    return Pool(frame, matrix, codes, (answers,) if answered else ())


@settings(max_examples=8, deadline=None)
@given(
    st.integers(1, 120),
    st.integers(1, 40),
    st.sampled_from([Strategy.MIXTURE, Strategy.MARGIN, Strategy.ENTROPY, Strategy.DIVERSITY, Strategy.CHANCE]),
    st.integers(0, 1000),
)  # fmt: skip
def test_what_is_picked_is_open_different_and_within_the_budget(rows, count, strategy, seed):
    """No row twice, none that has a label, never more than asked; the same seed picks the same rows."""
    given_pool = pool(rows, seed=seed, labelled=rows // 3)
    found = select(given_pool, strategy, count, random=seed)
    picked = [one.row for one in found.items]
    assert len(set(picked)) == len(picked) <= count
    assert all(given_pool.codes[row] < 0 for row in picked)
    assert picked == [one.row for one in select(given_pool, strategy, count, random=seed).items]
    assert all(0 <= one.value <= 1 and one.words for one in found.items)
    assert len(picked) == min(count, rows - rows // 3) or found.near or found.said


def test_margin_takes_what_the_model_is_least_sure_of():
    """By margin alone, the rows of the smallest margins."""
    given_pool = pool(200)
    found = {one.row for one in select(given_pool, Strategy.MARGIN, 10).items}
    assert found == set(np.argsort(-margins(given_pool.answers[0]))[:10].tolist())


def test_the_mixture_takes_unsure_rows_that_differ():
    """Two unsure crowds: margin alone asks the one that is a little less sure, the mixture both, and never the sure one."""
    chance = np.random.default_rng(1)
    crowds = [chance.normal(centre, 0.1, (rows, 2)) for centre, rows in ((0, 100), (20, 30), (-9, 300))]
    matrix = np.vstack(crowds)
    crowd = np.repeat([0, 1, 2], [100, 30, 300])
    sure = np.array([0.5, 0.52, 0.99])[crowd]
    codes = np.full(430, -1)
    codes[-2:] = (0, 1)
    made = Pool(pl.DataFrame(matrix), matrix, codes, (np.column_stack([sure, 1 - sure]),))
    assert {crowd[one.row] for one in select(made, Strategy.MARGIN, 10).items} == {0}
    mixed = select(made, Strategy.MIXTURE, 10).items
    assert {0, 1} <= {crowd[one.row] for one in mixed}
    assert all(one.reason is Reason.MARGIN for one in mixed if crowd[one.row] < 2)


def test_repeats_are_asked_once():
    """Equal rows, and rows that are nearly equal, give one question; what equals a labelled row gives none."""
    frame = pl.DataFrame(
        {"a": [0.0, 0.0, 5.0, 5.0001, 9.0, 9.0, -20.0], "b": [0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 30.0]}
    )
    codes = np.array([-1, -1, -1, -1, 0, -1, -1])
    found = select(Pool(frame, frame.to_numpy(), codes), Strategy.DIVERSITY, 7)
    assert {one.row for one in found.items} in ({0, 2, 6}, {0, 3, 6})
    assert (found.repeated, found.near) == (2, 1)
    assert "gives 3 different rows" in found.said[0]


def test_a_pool_that_gives_nothing_says_why():
    """Empty, all labelled, all repeats, no model for a strategy that needs one: each in a sentence."""
    none = pl.DataFrame({"a": pl.Series([], dtype=pl.Float64)})
    with pytest.raises(InvalidInput, match="empty"):
        select(Pool(none, np.empty((0, 1)), np.empty(0, dtype=int)), Strategy.MIXTURE, 5)
    with pytest.raises(Conflict, match="every row of the pool is labelled"):
        select(pool(10, labelled=10), Strategy.MIXTURE, 5)
    same = pl.DataFrame({"a": [1.0] * 6})
    with pytest.raises(Conflict, match="repeat"):
        select(Pool(same, same.to_numpy(), np.array([0, -1, -1, -1, -1, -1])), Strategy.MIXTURE, 5)
    for strategy in (Strategy.MARGIN, Strategy.DISAGREEMENT, Strategy.DRIFT, Strategy.COST, Strategy.SUSPECT):
        with pytest.raises(InvalidInput, match="cannot be picked from"):
            select(pool(20, answered=False), strategy, 5)
    only = select(Pool(same, same.to_numpy(), np.full(6, -1)), Strategy.MIXTURE, 5)
    assert len(only.items) == 1


def test_without_a_model_rows_stand_for_the_others():
    """Five far crowds and five picks: one of each. Edge cases are proposed before the first label."""
    chance = np.random.default_rng(0)
    centres = np.array([[0, 0], [50, 0], [0, 50], [50, 50], [25, 100]])
    matrix = np.repeat(centres, 40, axis=0) + chance.normal(size=(200, 2))
    made = Pool(pl.DataFrame(matrix), matrix, np.full(200, -1))
    assert {one.row // 40 for one in select(made, Strategy.DIVERSITY, 5).items} == {0, 1, 2, 3, 4}
    odd = matrix.copy()
    odd[7] = (2000, 2000)
    first = select(Pool(pl.DataFrame(odd), odd, np.full(200, -1)), Strategy.MIXTURE, 20).items
    assert first[0].row == 7
    assert first[0].reason is Reason.EDGE


def test_a_dear_mistake_is_asked_about_first():
    """With a catalogue of penalties, the row whose cheapest decision is expected to cost most, not the one of least margin."""
    costs = cost_matrix({"bad": {"good": 100.0}, "good": {"bad": 1.0}}, ["bad", "good"])
    answers = np.array([[0.5, 0.5], [0.02, 0.98], [0.0, 1.0], [0.2, 0.8]])
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0]})
    made = Pool(frame, frame.to_numpy(), np.full(4, -1), (answers,), costs=costs)
    order = [one.row for one in select(made, Strategy.COST, 4).items]
    assert order == [1, 3, 0, 2]
    with pytest.raises(InvalidInput, match="classes that the model does not know"):
        cost_matrix({"fine": {"bad": 1.0}}, ["bad", "good"])


def test_versions_that_disagree_and_labels_that_are_contradicted():
    """Where two versions are apart, and where a label is not what models say, that is asked."""
    given_pool = pool(50)
    other = given_pool.answers[0].copy()
    other[13] = other[13][::-1]
    both = Pool(given_pool.frame, given_pool.matrix, given_pool.codes, (given_pool.answers[0], other))
    assert select(both, Strategy.DISAGREEMENT, 1).items[0].row == 13
    codes = (given_pool.matrix[:, 0] < 0).astype(int)
    codes[4] = 1 - codes[4]
    held = np.eye(2)[(given_pool.matrix[:, 0] < 0).astype(int)]
    wrong = select(Pool(given_pool.frame, given_pool.matrix, codes, held_out=held), Strategy.SUSPECT, 5)
    assert [one.row for one in wrong.items] == [4]


def test_a_budget_in_items_or_money():
    """Money buys whole items, answered by as many people as are asked; nonsense is refused."""
    assert Budget(items=7).count() == 7
    assert Budget(money=10, price=0.3, people=3).count() == 11
    for wrong in (Budget(), Budget(items=1, money=2.0), Budget(items=0), Budget(money=5.0), Budget(money=0.1, price=1.0),
                  Budget(items=5, people=0), Budget(money=5.0, price=-1.0)):  # fmt: skip
        with pytest.raises(InvalidInput):
            wrong.count()
