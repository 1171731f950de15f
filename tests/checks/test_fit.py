"""Fit: training rows learned by heart, simple models that do better, more rows; and honest models that leave it silent."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from benchmarks.checks.fit import alarms_on_honest_models
from benchmarks.checks.fit import by_heart as by_heart_of
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier
from tests.checks.conftest import evidence_of, run_suite

from lockgate.checks.evidence import Answers, Evidence, Previous, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.fit.check import run
from lockgate.checks.matrix import matrix_of
from lockgate.checks.metrics import apart
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task
from lockgate.stats.intervals import Interval

INPUTS = ("a", "b", "c", "kind")


def table(rows: int, seed: int) -> pl.DataFrame:
    """Three numbers (one with gaps), a category, and a class that is linear in two of them."""
    draw = np.random.default_rng(seed)
    columns = {name: draw.normal(size=rows) for name in "abc"}
    kind = draw.choice(["x", "y", "z"], rows)
    lean = 1.5 * columns["a"] - columns["b"] + (kind == "x")
    columns["c"][draw.random(rows) < 0.1] = np.nan
    return pl.DataFrame(
        {**columns, "kind": kind, "y": (draw.random(rows) < 1 / (1 + np.exp(-lean))).astype(int)}
    )


def found(evidence: Evidence) -> dict[str, Finding]:
    """Findings by subject."""
    return {finding.subject: finding for finding in run(evidence)}


def by_heart(train: pl.DataFrame, test: pl.DataFrame) -> Evidence:
    """A decision tree that is grown until every training row is right."""

    def matrix(frame: pl.DataFrame) -> np.ndarray:
        return frame.select("a", "b", pl.col("c").fill_nan(0.0)).to_numpy()

    tree = DecisionTreeClassifier(random_state=0).fit(matrix(train), train["y"].to_numpy())
    answers = {}
    for split, frame in ((Split.TRAIN, train), (Split.TEST, test)):
        given = tree.predict_proba(matrix(frame))
        answers[split] = Answers(class_names((given[:, 1] > 0.5) * 1), given[:, 1], given)
    return Evidence(task=Task.CLASSIFICATION, inputs=INPUTS, target="y", classes=("0", "1"), positive="1",
                    frames={Split.TRAIN: train, Split.TEST: test}, answers=answers)  # fmt: skip


def test_a_tree_that_learned_by_heart_is_named():
    """Perfect on training rows, worse than a linear model on others: both are said, with what to do."""
    findings = found(by_heart(table(3_000, 0), table(3_000, 1)))
    heart = findings["train against test"]
    assert heart.status is Status.WARN
    assert "by heart" in heart.headline
    assert heart.measure.low > heart.threshold.at_most
    assert heart.advice.startswith("Regularise")
    simple = findings["against simple models"]
    assert simple.status is Status.PASS  # it was said once, with this figure
    assert "trained on the same rows does better, as can be expected" in simple.headline
    assert simple.measure.high < simple.threshold.at_least


@pytest.mark.parametrize("seed", range(3))
def test_an_honest_model_is_left_alone(seed):
    """Gradient boosting with usual settings does better on its training rows, as it must: no alarm."""
    evidence = evidence_of(table(3_000, seed), table(3_000, seed + 50), INPUTS, "y", options={"max_iter": 30})
    assert {finding.status for finding in run(evidence)} == {Status.PASS}


def test_a_forest_whose_gap_costs_nothing_is_left_alone():
    """A forest knows its training rows by heart and is the best of all on new ones: told, no alarm."""
    draw = np.random.default_rng(0)

    def rows(count: int) -> pl.DataFrame:
        x, z = draw.uniform(-2, 2, count), draw.uniform(-2, 2, count)
        return pl.DataFrame({"x": x, "z": z, "y": np.sin(4 * x) * z * 3 + draw.normal(0, 0.3, count)})

    train, test = rows(2_000), rows(1_500)
    forest = RandomForestRegressor(40, random_state=0).fit(
        train.select("x", "z").to_numpy(), train["y"].to_numpy()
    )
    made = {split: forest.predict(frame.select("x", "z").to_numpy())
            for split, frame in ((Split.TRAIN, train), (Split.TEST, test))}  # fmt: skip
    findings = found(Evidence(
        task=Task.REGRESSION, inputs=("x", "z"), target="y", frames={Split.TRAIN: train, Split.TEST: test},
        answers={split: Answers(values, values) for split, values in made.items()},
    ))  # fmt: skip
    assert "at no cost" in findings["train against test"].headline
    assert {finding.status for finding in findings.values()} == {Status.PASS}
    assert findings["against simple models"].measure.low > 0


def test_answers_on_a_sample_of_the_training_rows_are_held_against_their_own_labels():
    """Where only some training rows were answered, the gap is that of these rows."""
    evidence = by_heart(table(3_000, 0), table(1_000, 1))
    rows = np.random.default_rng(0).choice(3_000, 500, replace=False)
    sample = {**evidence.answers, Split.TRAIN: evidence.answers[Split.TRAIN].take(rows)}
    finding = found(dataclasses.replace(evidence, answers=sample, answered={Split.TRAIN: rows}))[
        "train against test"
    ]
    assert finding.table.rows[0][:3] == ("training", 500, 1.0)


def test_a_subject_may_be_a_list():
    """Rows of one list are rows of one subject, as they are of one text; labels that are lists are refused in words."""
    evidence = by_heart(table(1_200, 0), table(600, 1))

    def grouped(kind: type[pl.DataType] | pl.DataType) -> dict[str, Finding]:
        frames = {}
        for split, frame in evidence.frames.items():
            who = [None if row < 6 else [row // 6, 7] for row in range(frame.height)]
            as_text = [None if each is None else str(each) for each in who]
            values = who if kind != pl.String else as_text
            frames[split] = frame.with_columns(pl.Series("who", values, dtype=kind))
        return found(dataclasses.replace(evidence, frames=frames, group="who"))

    listed = grouped(pl.List(pl.Int64))
    assert listed == grouped(pl.String)
    assert listed["train against test"].measure != found(evidence)["train against test"].measure
    odd = {split: frame.with_columns(y=pl.concat_list("y")) for split, frame in evidence.frames.items()}
    (refused,) = run_suite(dataclasses.replace(evidence, frames=odd), ["fit"])
    assert refused.status is Status.COULD_NOT_RUN
    assert "column 'y' holds lists" in refused.headline


@pytest.mark.parametrize("odd", list(Split)[::2])
def test_a_label_of_one_table_alone_is_no_obstacle(odd):
    """A third class in training or test rows alone: what both allow is compared, which is accuracy."""
    evidence = by_heart(table(1_200, 0), table(600, 1))
    frame = evidence.frames[odd].with_columns(y=pl.when(pl.int_range(pl.len()) == 0).then(2).otherwise("y"))
    given = dataclasses.replace(evidence, frames={**evidence.frames, odd: frame})
    assert found(given)["train against test"].measure.name == "accuracy, training beside test"


def test_the_curve_tells_whether_more_rows_help():
    """The points grow with the rows, and the sentence says what the last doubling brought."""
    finding = found(by_heart(table(3_000, 0), table(3_000, 1)))["learning curve"]
    sizes = [row[0] for row in finding.table.rows]
    assert sizes == [375, 750, 1_500, 3_000]
    assert finding.table.rows[-1][1] > finding.table.rows[0][1]
    assert "1,500 to 3,000 training rows" in finding.headline


def test_the_gap_of_two_intervals_is_newcombes():
    """For two shares the construction gives Newcombe's (1998) tenth method: his first example, 56/70 against 48/80."""
    gap = apart(Interval(0.8, 0.6913, 0.8777), Interval(0.6, 0.4904, 0.7003))
    assert gap.value == pytest.approx(0.2)
    assert (gap.low, gap.high) == pytest.approx((0.0524, 0.3339), abs=2e-3)


def test_inputs_are_read_by_what_training_rows_hold():
    """Standardised numbers with a flag for missing, categories of training alone; nothing is infinite."""
    train = pl.DataFrame(
        {"n": [1.0, 2.0, np.nan, np.inf], "t": ["a", "b", "a", None], "l": [[1]] * 4, "flat": [1] * 4}
    )
    test = pl.DataFrame({"n": [1.5], "t": ["new"], "l": [[1]], "flat": [2]})
    matrix = matrix_of(train, test, ("n", "t", "l", "flat", "nowhere"))
    assert matrix.train.shape == (4, 4)
    assert np.isfinite(matrix.train).all()
    assert matrix.train[:, 1].tolist() == [0, 0, 1, 1]
    assert matrix.test[0, 2:].tolist() == [0, 0]
    assert matrix_of(train, test, ("l",)) is None


def test_honest_models_raise_alarms_as_rarely_as_written_down():
    """The short form of the benchmark: no alarm about six honest models, and every tree that knows its rows is named."""
    assert alarms_on_honest_models(range(6)) == []
    assert all(any(each.status is Status.WARN for each in run(by_heart_of(seed))) for seed in range(2))


def test_the_version_before_is_met_on_the_same_rows():
    """A version that is surely worse than the one before warns; the live one is left to performance."""
    evidence = evidence_of(table(2_000, 0), table(2_000, 1), INPUTS, "y", options={"max_iter": 30})
    answers = evidence.answers[Split.TEST]
    noise = np.random.default_rng(0).normal(0, 1.5, answers.scores.size)
    odds = np.log(answers.scores / (1 - answers.scores))
    score = 1 / (1 + np.exp(-(odds + noise)))
    spoiled = Answers(class_names((score > 0.5) * 1), score)
    before = Previous(name="m/1", answers={Split.TEST: answers})
    worse = dataclasses.replace(evidence, answers={**evidence.answers, Split.TEST: spoiled}, previous=before)
    assert found(worse)["against m/1"].status is Status.WARN
    assert found(dataclasses.replace(evidence, previous=before))["against m/1"].status is Status.PASS
    assert "against m/1" not in found(dataclasses.replace(worse, live_name="m/1"))
