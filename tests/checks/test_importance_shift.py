"""What the answers hang on is found with its share, changes are named, and twins raise no alarm."""

from __future__ import annotations

import dataclasses
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from tests.checks.conftest import Model, evidence_of

from lockgate.checks.evidence import Answers, Asked, Evidence, Previous, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.importance import importances
from lockgate.checks.importance_shift.check import NAME, run
from lockgate.checks.importance_shift.shapley import _parts_of, shapley
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task

INPUTS = ("x", "z", "w", "idle")


def linear(weights: dict[str, float], frame: pl.DataFrame) -> Answers:
    """A model whose shares are known: the squares of its weights."""
    made = sum(weight * frame[name].to_numpy() for name, weight in weights.items())
    return Answers(np.asarray(made), np.asarray(made))


def given(
    weights: dict[str, float], live: dict[str, float] | None = None, rows: int = 3_000, **more: object
) -> Evidence:
    """Normal inputs of one size each."""
    frame = pl.DataFrame(np.random.default_rng(0).normal(size=(rows, 4)), schema=list(INPUTS))
    return Evidence(
        task=Task.REGRESSION, inputs=INPUTS, frames={Split.TEST: frame}, answers={Split.TEST: linear(weights, frame)},
        live={Split.TEST: linear(live, frame)} if live else {}, live_name="loans/1",
        ask=lambda rows, of, _: linear(live if of is Asked.LIVE and live else weights, rows), **more,
    )  # fmt: skip


def test_shares_are_those_of_the_formula():
    """Of 2 x + z the shares are 4/5 and 1/5 (the squares), within their intervals; the others have none."""
    found = importances(given({"x": 2.0, "z": 1.0}))
    assert list(found)[:2] == ["x", "z"]
    assert found["x"].share.low <= 0.8 <= found["x"].share.high
    assert found["x"].share.high - found["x"].share.low < 0.1
    assert (found["idle"].share.value, found["w"].share.high) == (0.0, 0.0)


def test_shapley_values_are_those_of_the_formula():
    """Of 2 x + z each row's parts are the weights' shares, 2/3 and 1/3; of x times z both have half, and shuffling agrees."""
    found = shapley(given({"x": 2.0, "z": 1.0}))
    assert found["x"].share.low <= 2 / 3 <= found["x"].share.high
    assert found["idle"].share.value == found["w"].share.value == 0.0
    assert sum(each.share.value for each in found.values()) == pytest.approx(1.0)

    def product(rows: pl.DataFrame, *_: object) -> Answers:
        made = (rows["x"] * rows["z"]).to_numpy()
        return Answers(made, made)

    twisted = given({"x": 1.0})
    twisted = dataclasses.replace(
        twisted, ask=product, answers={Split.TEST: product(twisted.frames[Split.TEST])}
    )
    assert shapley(twisted)["x"].share.value == pytest.approx(0.5, abs=0.05)


def test_shapley_values_of_a_small_game_are_exact():
    """Three columns with every interaction: sampled parts agree with the sum over all subsets."""
    weights = {(0,): 1.0, (1,): -2.0, (0, 1): 3.0, (0, 1, 2): 0.5}

    def worth(members: frozenset[int]) -> float:
        return sum(value for key, value in weights.items() if set(key) <= members)

    exact = np.zeros(3)
    for order in permutations(range(3)):
        for place, column in enumerate(order):
            before = frozenset(order[:place])
            exact[column] += (worth(before | {column}) - worth(before)) / 6
    ranks = np.array([[order.index(column) for column in range(3)] for order in permutations(range(3))])
    values = np.array(
        [[worth(frozenset(order[:step])) for step in range(4)] for order in permutations(range(3))]
    )
    assert _parts_of(values, ranks).mean(axis=0) == pytest.approx(exact)


def test_too_many_columns_leave_shapley_out():
    """With 300 columns it would ask too much: shuffling stands alone, and nothing breaks."""
    frame = pl.DataFrame(
        np.random.default_rng(0).normal(size=(300, 300)), schema=[f"c{n}" for n in range(300)]
    )
    made = Answers(frame["c0"].to_numpy(), frame["c0"].to_numpy())
    wide = Evidence(
        task=Task.REGRESSION, inputs=tuple(frame.columns), frames={Split.TEST: frame}, answers={Split.TEST: made},
        ask=lambda rows, *_: Answers(rows["c0"].to_numpy(), rows["c0"].to_numpy()),
    )  # fmt: skip
    assert shapley(wide) == {}
    assert run(wide)[0].table.rows[0][-1] is None


def test_one_column_alone_is_named():
    """Nearly everything hangs on x: a warning; columns that never matter are named."""
    finding = run(given({"x": 10.0, "z": 1.0}))[0]
    assert finding.status is Status.WARN
    assert "x nearly alone" in finding.headline
    assert "w, idle hardly ever change an answer" in finding.headline
    assert run(given({"x": 1.0, "z": 1.0, "w": 1.0, "idle": 1.0}))[0].status is Status.PASS


def changed(evidence: Evidence) -> Finding:
    """What is said of the version before."""
    return run(evidence)[1]


def test_a_column_that_gains_is_named_against_live_and_against_what_was_kept():
    """z took the place of w: named with both shares, paired on the same rows or from what the last validation kept."""
    now, was = {"x": 1.0, "z": 1.0}, {"x": 1.0, "w": 1.0}
    finding = changed(given(now, was))
    assert finding.status is Status.WARN
    assert {row[0] for row in finding.table.rows[:2]} == {"z", "w"}
    kept: dict[str, object] = {}
    run(given(was, keep=kept.__setitem__))
    previous = Previous(name="loans/1", kept={NAME: kept[NAME]})
    assert changed(given(now, previous=previous)).status is Status.WARN
    assert changed(given(was, previous=previous)).status is Status.PASS
    assert len(run(given(now))) == 1
    assert "z from" in finding.headline
    assert "(1st)" in finding.headline or "(2nd)" in finding.headline


@pytest.mark.parametrize("seed", range(3))
def test_models_of_other_rows_are_no_alarm(car_loan, seed):
    """Two honest models of the same kind, trained on other halves: the same columns."""
    inputs = ("car_value", "debt_to_income_ratio", "loan_length", "driver_tenure")
    loans = car_loan.sample(9_000, shuffle=True, seed=seed)
    other = Model(loans[:3_000], inputs, "repaid", Task.CLASSIFICATION)
    assert (
        changed(evidence_of(loans[3_000:6_000], loans[6_000:], inputs, "repaid", live=other)).status
        is Status.PASS
    )


def test_what_cannot_be_asked_is_said():
    """A live version with other inputs could not run; two rows are too few; odd models do not break it."""

    def refuses(rows: pl.DataFrame, of: Asked, _: int) -> Answers:
        if of is Asked.LIVE:
            raise InvalidInput("column 'q' is missing")
        return linear({"x": 1.0}, rows)

    evidence = dataclasses.replace(given({"x": 1.0}, {"x": 1.0}), ask=refuses)
    assert changed(evidence).status is Status.COULD_NOT_RUN
    assert run(given({"x": 1.0}, rows=2))[0].status is Status.COULD_NOT_RUN
    assert run(given({"x": 0.0}, rows=50))[0].headline.startswith("No column changes the answers")
