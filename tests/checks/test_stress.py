"""Stress: declared worlds, the worst-off rows and broken assumptions are named, and honest models are left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.stress.check import run
from lockgate.checks.stress.worlds import world
from lockgate.checks.stress.worst import ball_mean, tail_mean
from lockgate.datasets.classes import class_names
from lockgate.declared import Assumptions, Change, Scenario, Way
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.registry.manifest import Task

LOSSES = st.lists(st.floats(0, 100), min_size=3, max_size=80).map(np.array)


def table(rows: int = 3_000, seed: int = 0) -> pl.DataFrame:
    """Incomes, ages, regions, and a label that income carries."""
    draw = np.random.default_rng(seed)
    income = draw.normal(3_000, 800, rows).clip(500)
    chance = 1 / (1 + np.exp(-(income - 3_000) / 200))
    return pl.DataFrame({
        "income": income, "age": draw.integers(18, 80, rows), "region": draw.choice(["north", "south"], rows),
        "paid": (draw.random(rows) < chance).astype(int),
    })  # fmt: skip


def honest(rows: pl.DataFrame) -> np.ndarray:
    """The chance itself."""
    return 1 / (1 + np.exp(-(rows["income"].fill_null(3_000).to_numpy() - 3_000) / 200))


def asked(frame: pl.DataFrame, score=honest, inputs=("income", "age", "region"), **more) -> Evidence:
    """Evidence of a model that is a function from a table to probabilities."""

    def ask(rows: pl.DataFrame, _of, _chunk) -> Answers:
        made = score(rows)
        return Answers(class_names((made > 0.5).astype(int)), made)

    return Evidence(task=Task.CLASSIFICATION, inputs=inputs, frames={Split.TEST: frame}, classes=("0", "1"), positive="1",
                    target="paid", answers={Split.TEST: ask(frame, None, 0)}, ask=ask, **more)  # fmt: skip


def by_subject(findings) -> dict:
    """Findings by subject."""
    return {finding.subject: finding for finding in findings}


def test_a_feared_world_fails_and_a_mild_one_passes():
    """With 30 % less income the model refuses people who would pay; with 1 % more nothing is lost."""
    scenarios = {"recession": Scenario(columns={"income": Change(times=0.7)}),
                 "spring": Scenario(columns={"income": Change(times=1.01)}, where="region = 'north'")}  # fmt: skip
    found = by_subject(run(asked(table(), scenarios=scenarios)))
    bad = found["scenario: recession"]
    assert bad.status is Status.FAIL
    assert "'1' is answered for" in bad.headline
    assert bad.measure.low > 0.05
    assert found["scenario: spring"].status is Status.PASS
    assert "rows lie in it" in found["scenario: spring"].headline


def test_a_scenario_has_a_limit_of_its_own():
    """`worse` of the scenario binds, not the default."""
    lenient = {"recession": Scenario(columns={"income": Change(times=0.7)}, worse=0.9)}
    finding = by_subject(run(asked(table(), scenarios=lenient)))["scenario: recession"]
    assert finding.status is Status.PASS
    assert finding.threshold.source == "scenarios.recession"


def test_rows_of_one_person_are_not_many_in_a_scenario():
    """Ten copies of every person tell what the person tells: the interval of the loss is as wide as that of people."""
    recession = {"recession": Scenario(columns={"income": Change(times=0.9)})}
    people = table(200).with_columns(who=pl.int_range(pl.len()))
    copies = pl.concat([people] * 10)

    def lost(frame: pl.DataFrame, **more: object) -> float:
        found = by_subject(run(asked(frame, scenarios=recession, **more)))["scenario: recession"]
        return found.measure.high - found.measure.low

    assert lost(copies, group="who") == pytest.approx(lost(people), rel=0.1)
    assert lost(copies) < 0.5 * lost(people)


@pytest.mark.parametrize(
    ("scenario", "says"),
    [
        (Scenario(columns={"wealth": Change()}), "no column 'wealth'"),
        (Scenario(columns={"paid": Change(times=2)}), "does not take 'paid'"),
        (Scenario(columns={"region": Change(times=2)}), "cannot be changed"),
        (Scenario(columns={"age": Change(set="old")}), "cannot be changed"),
        (Scenario(columns={"age": Change(plus=1)}, where="age <"), "cannot be read"),
        (Scenario(columns={"age": Change(plus=1)}, where="age + 1"), "is none"),
        (Scenario(columns={"age": Change(plus=1)}, where="age > 900"), "no row lies"),
        (Scenario(columns={"age": Change(plus=1)}, where="height > 2"), "cannot be read"),
    ],
)
def test_a_wrong_scenario_says_why(scenario, says):
    """Each mistake is named, and the rest of the check runs."""
    found = by_subject(run(asked(table(400), scenarios={"odd": scenario})))
    assert found["scenario: odd"].status is Status.COULD_NOT_RUN
    assert says in found["scenario: odd"].headline
    assert "worst case" in found


def test_worlds_keep_types_and_other_rows():
    """Whole numbers stay whole and within what was asked; rows outside `where` are untouched."""
    frame = table(200)
    changes = {"age": Change(times=1.5, plus=0.2, clip=(None, 90)), "region": Change(missing=True)}
    scenario = Scenario(columns=changes, where="age < 30")
    there, inside = world(frame, scenario, frame.columns)
    young = frame["age"] < 30
    assert inside == young.sum()
    assert there.schema == frame.schema
    assert there.filter(~young).equals(frame.filter(~young))
    assert there.filter(young)["region"].null_count() == inside
    assert there["age"].max() <= 90
    with pytest.raises(InvalidInput, match="no column"):
        world(frame, Scenario(columns={"x": Change()}), ["x"])


def test_a_world_that_the_model_cannot_answer_fails():
    """A declared world must be answered."""

    def score(rows: pl.DataFrame) -> np.ndarray:
        if rows["income"].null_count():
            raise PredictionFailed("the model raised ValueError: income is missing")
        return honest(rows)

    scenarios = {"outage": Scenario(columns={"income": Change(missing=True)})}
    finding = by_subject(run(asked(table(400), score, scenarios=scenarios)))["scenario: outage"]
    assert finding.status is Status.FAIL
    assert "income is missing" in finding.headline


def test_the_rows_that_the_model_serves_worst_are_found():
    """A model that answers the opposite for the old in the south is warned about, with these words and a held-out figure."""

    def score(rows: pl.DataFrame) -> np.ndarray:
        turned = ((rows["age"] > 60) & (rows["region"] == "south")).to_numpy()
        return np.where(turned, 1 - honest(rows), honest(rows))

    finding = by_subject(run(asked(table(), score)))["worst case"]
    assert finding.status is Status.WARN
    assert "south" in finding.headline
    assert "age > 60" in finding.headline
    assert "would do better" in finding.headline
    limited = asked(table(), score, settings={"stress": {"segment_loss": 0.2}})
    assert by_subject(run(limited))["worst case"].status is Status.FAIL


def test_rows_of_one_person_are_not_many_in_the_worst_case():
    """Ten copies of every person tell what the person tells: every interval is as wide as that of people."""
    people = table(400).with_columns(who=pl.int_range(pl.len()))
    copies = pl.concat([people] * 10)

    def widths(frame: pl.DataFrame, **more: object) -> np.ndarray:
        rows = by_subject(run(asked(frame, **more)))["worst case"].table.rows
        return np.array([high - low for _, _, low, high in rows if low is not None])

    assert len(widths(people)) == 5
    assert widths(copies, group="who") == pytest.approx(widths(people), rel=0.35)
    assert (widths(copies) < 0.5 * widths(people)).all()


def test_a_worst_segment_is_not_measured_on_people_it_was_found_in():
    """Labels drawn by chance, each person twenty times: rows alone find those who had bad luck, people have none."""
    draw = np.random.default_rng(1)
    people = pl.DataFrame({"who": np.arange(150), "income": draw.normal(3_000, 800, 150), "age": draw.integers(18, 80, 150),
                           "region": ["north"] * 150, "paid": (draw.random(150) < 0.2).astype(int)})  # fmt: skip
    rows = pl.concat([people] * 20)

    def score(frame: pl.DataFrame) -> np.ndarray:
        return np.full(frame.height, 0.2)

    assert by_subject(run(asked(rows, score)))["worst case"].status is Status.WARN
    assert by_subject(run(asked(rows, score, group="who")))["worst case"].status is Status.PASS
    few = by_subject(run(asked(rows.filter(pl.col("who") < 60), score, group="who")))["worst case"]
    assert few.headline == "60 labelled subjects are too few to look for the worst among them."


def test_assumptions_are_held_against_people_not_rows():
    """One person of twenty, with forty rows like all others, breaks each assumption: sure of rows, not of people."""
    who = np.arange(800) % 20
    frame = table(800).with_columns(who=who, age=np.where(who == 0, 90, 40))
    assumed = Assumptions(monotonic={"income": Way.UP}, invariant=("region",), inputs={"age": (18, 80)})

    def score(rows: pl.DataFrame) -> np.ndarray:
        other = (
            np.where(rows["region"] == "north", 0.9, 0.1)
            - (rows["income"] - rows["income"].min()).to_numpy() / 1e5
        )
        return np.where(rows["age"] > 80, other, honest(rows))

    def statuses(**more: object) -> dict:
        found = by_subject(run(asked(frame, score, assumptions=assumed, **more)))
        return {
            name: found[name].status for name in ("monotone: income", "invariant: region", "range of age")
        }

    assert set(statuses().values()) == {Status.FAIL}
    assert set(statuses(group="who").values()) == {Status.WARN}


@pytest.mark.parametrize("seed", range(12))
def test_an_honest_model_has_no_worst_case_worth_a_warning(seed):
    """Short form of benchmarks/checks/stress.py."""
    assert {finding.status for finding in run(asked(table(800, seed)))} == {Status.PASS}


def test_assumptions_that_hold_pass_and_broken_ones_fail():
    """Monotone, invariant and bounded: each once kept, once broken."""
    kept = Assumptions(monotonic={"income": Way.UP}, invariant=("region", "name"), range=(0.0, 1.0))
    good = run(asked(table(), assumptions=kept))
    assert {finding.status for finding in good} == {Status.PASS}
    assert "does not take name" in by_subject(good)["invariant: name"].headline

    def partial(rows: pl.DataFrame) -> np.ndarray:
        bump = 0.3 * (rows["age"].to_numpy() % 2) * np.sin(rows["income"].to_numpy() / 300)
        return (honest(rows) * 0.5 + 0.25 + bump).clip(0, 1) * np.where(rows["region"] == "north", 1.0, 0.5)

    tight = Assumptions(
        monotonic={"income": Way.UP, "region": Way.UP}, invariant=("region",), range=(0.3, 1.0)
    )
    bad = by_subject(run(asked(table(), partial, assumptions=tight)))
    assert bad["monotone: income"].status is Status.FAIL
    assert bad["monotone: region"].status is Status.COULD_NOT_RUN
    assert bad["invariant: region"].status is Status.FAIL
    assert bad["range"].status is Status.FAIL
    down = asked(table(), assumptions=Assumptions(monotonic={"income": Way.DOWN}))
    assert by_subject(run(down))["monotone: income"].status is Status.FAIL


def test_numbers_are_stressed_as_well():
    """Regression: scenario by mean absolute error, invariance by the spread of answers, worst segment beside the median."""
    frame = table(1_500).with_columns(spent=pl.col("income") * 2)

    def ask(rows: pl.DataFrame, _of, _chunk) -> Answers:
        made = rows["income"].to_numpy() * 2 + (rows["region"] == "south").to_numpy() * 50.0
        return Answers(made, made)

    evidence = Evidence(
        task=Task.REGRESSION, inputs=("income", "region"), frames={Split.TEST: frame}, target="spent", ask=ask,
        answers={Split.TEST: ask(frame, None, 0)}, assumptions=Assumptions(invariant=("region",), monotonic={"income": Way.UP}),
        scenarios={"inflation": Scenario(columns={"income": Change(times=1.5)})},
    )  # fmt: skip
    found = by_subject(run(evidence))
    assert found["scenario: inflation"].status is Status.FAIL
    assert "the mean answer goes from" in found["scenario: inflation"].headline
    assert found["invariant: region"].status is Status.FAIL
    assert found["monotone: income"].status is Status.PASS
    assert "south" in found["worst case"].headline


@pytest.mark.parametrize("rows", [0, 1, 60, 150])
def test_odd_tables_end_in_findings(rows):
    """Few rows, no labels, infinite, listed and missing columns: findings, no exception."""
    frame = pl.DataFrame({
        "inf": [float("inf")] * rows, "list": pl.Series([[1.0]] * rows, dtype=pl.List(pl.Float64)), "huge": [1e300] * rows,
        "none": pl.Series([None] * rows, dtype=pl.Null), "text": [f"t{n}" for n in range(rows)], "one": [1.0] * rows,
        "void": pl.Series([None] * rows, dtype=pl.Float64), "paid": pl.Series([n % 2 for n in range(rows)], dtype=pl.Int64),
    })  # fmt: skip
    inputs = tuple(name for name in frame.columns if name != "paid")
    assumed = Assumptions(
        monotonic=dict.fromkeys(("inf", "void", "one", "text"), Way.UP), invariant=inputs, range=(0, 1)
    )
    evidence = asked(frame, lambda given: np.full(given.height, 0.4), inputs, assumptions=assumed)
    if rows:
        assert run(evidence)
    empty = dataclasses.replace(
        evidence, frames={Split.TEST: frame.with_columns(paid=None)}, assumptions=Assumptions()
    )
    assert run(empty)[0].status is Status.COULD_NOT_RUN


@settings(deadline=None, max_examples=80)
@given(LOSSES, st.floats(0.05, 1.0), st.floats(0.001, 2.0))
def test_worst_means_lie_between_mean_and_maximum(loss, alpha, rho):
    """Both balls hold the rows as they are, and no mix of rows is worse than the worst row."""
    slack = 1e-6 * max(1.0, loss.max())
    assert loss.mean() - slack <= tail_mean(loss, alpha) <= loss.max() + slack
    assert loss.mean() - slack <= ball_mean(loss, rho) <= loss.max() + slack
    assert tail_mean(loss, alpha / 2) >= tail_mean(loss, alpha) - slack
    assert ball_mean(loss, rho * 2) >= ball_mean(loss, rho) - slack


def test_a_small_ball_is_the_mean_and_its_deviation():
    """Duchi and Namkoong: mean + sqrt(2 rho variance) where no weight is pressed to zero; and a ball holds its tail."""
    loss = np.random.default_rng(0).random(2_000)
    assert ball_mean(loss, 0.01) == pytest.approx(loss.mean() + np.sqrt(0.02) * loss.std(), rel=1e-4)
    # weights 1 / alpha on the worst share alpha lie at distance (1 / alpha - 1) / 2
    assert ball_mean(loss, (1 / 0.2 - 1) / 2) >= tail_mean(loss, 0.2)


def test_inputs_beyond_their_declared_bounds_are_counted():
    """Ages below 18 are declared impossible: none, one, and many; a model that breaks at an end fails; no such column is said."""
    frame = table()
    for least, status in ((18, Status.PASS), (19, Status.FAIL)):
        found = by_subject(run(asked(frame, assumptions=Assumptions(inputs={"age": (least, None)}))))[
            "range of age"
        ]
        assert found.status is status
    assert found.table.rows[0][2] == int((frame["age"] < 19).sum())
    one = frame.with_columns(age=pl.when(pl.int_range(pl.len()) == 0).then(999).otherwise("age"))
    named = by_subject(run(asked(one, assumptions=Assumptions(inputs={"age": (0, 120)}))))["range of age"]
    assert named.status is Status.WARN
    assert named.headline == "age must be 0 or more and 120 or less: 1 of 3,000 values are not."

    def breaks(rows: pl.DataFrame) -> np.ndarray:
        if (rows["age"] == 120).any():
            raise PredictionFailed("no such age")
        return honest(rows)

    broken = by_subject(
        run(asked(frame, score=breaks, assumptions=Assumptions(inputs={"age": (None, 120)})))
    )["range of age"]
    assert broken.status is Status.FAIL
    assert "where it is 120 the model does not answer: no such age" in broken.headline
    absent = by_subject(run(asked(frame, assumptions=Assumptions(inputs={"height": (0, 2)}))))[
        "range of height"
    ]
    assert absent.status is Status.COULD_NOT_RUN


def test_losses_of_nearly_nothing_are_no_alarm():
    """A model that is right to the third digit: one answer for some rows would be nearer by a hair, which nobody minds."""
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({"kind": draw.choice(["a", "b"], 2_000), "x": draw.normal(size=2_000)})
    came = (frame["kind"] == "a").to_numpy()
    score = np.where(came, 0.995 - 0.004 * draw.random(2_000), 0.001)
    given = Evidence(
        task=Task.CLASSIFICATION, inputs=("kind", "x"), frames={Split.TEST: frame.with_columns(y=pl.Series(came.astype(int)))},
        classes=("0", "1"), positive="1", target="y",
        answers={Split.TEST: Answers(class_names((score > 0.5).astype(int)), score)},
    )  # fmt: skip
    (finding,) = run(given)
    assert finding.status is Status.PASS


def test_a_segment_of_a_few_rows_is_not_judged():
    """Of 120 rows no part of a handful is said to be served worst."""
    draw = np.random.default_rng(1)
    frame = pl.DataFrame({"x": draw.normal(size=120), "y": draw.normal(size=120)})
    said = np.where(frame["x"].to_numpy() > 1.8, 9.0, 0.0)
    given = Evidence(task=Task.REGRESSION, inputs=("x",), frames={Split.TEST: frame}, target="y",
                     answers={Split.TEST: Answers(said, said)})  # fmt: skip
    (finding,) = run(given)
    assert finding.status is Status.PASS
    assert "(on 3 rows" not in finding.headline
