"""Performance: goals, guessing, calibration, slices and the live version, with and without a planted fault."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import (
    average_precision_score,
    f1_score,
    log_loss,
    r2_score,
    roc_auc_score,
    root_mean_squared_error,
)

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, PlotKind, Status
from lockgate.checks.performance.check import run
from lockgate.config import Goal
from lockgate.datasets.classes import class_names
from lockgate.declared import Ranking
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task


def found(evidence: Evidence) -> dict[str, Finding]:
    """Findings by subject."""
    return {finding.subject: finding for finding in run(evidence)}


def binary(rows: int = 2_000, strength: float = 1.5, seed: int = 0, **more: object) -> Evidence:
    """Calibrated probabilities of a known strength."""
    generator = np.random.default_rng(seed)
    score = 1 / (1 + np.exp(-generator.normal(0, strength, rows)))
    truth = (generator.random(rows) < score).astype(int)
    frame = pl.DataFrame(
        {
            "y": truth,
            "group": generator.choice(["a", "b", "c"], rows),
            "age": generator.integers(18, 80, rows),
        }
    )
    answers = Answers(class_names((score > 0.5).astype(int)), score)
    return Evidence(**{"task": Task.CLASSIFICATION, "inputs": (), "frames": {Split.TEST: frame}, "target": "y",
                       "classes": ("0", "1"), "positive": "1", "answers": {Split.TEST: answers}, **more})  # fmt: skip


def number(rows: int = 2_000, error: float = 1.0, seed: int = 0, **more: object) -> Evidence:
    """A regression with a known error."""
    generator = np.random.default_rng(seed)
    truth = generator.normal(10, 3, rows)
    made = truth + generator.normal(0, error, rows)
    frame = pl.DataFrame({"y": truth, "group": generator.choice(["a", "b"], rows)})
    return Evidence(**{"task": Task.REGRESSION, "inputs": (), "frames": {Split.TEST: frame}, "target": "y",
                       "answers": {Split.TEST: Answers(made, made)}, **more})  # fmt: skip


def test_the_figures_are_scikit_learns():
    """Each figure of the table equals scikit-learn's and lies within its interval."""
    evidence = binary()
    truth, answers = evidence.frames[Split.TEST]["y"].to_numpy(), evidence.answers[Split.TEST]
    rows = {row[0]: row[1:] for row in found(evidence)["ROC AUC"].table.rows}
    assert rows["ROC AUC"][0] == pytest.approx(roc_auc_score(truth, answers.scores), abs=1e-5)
    assert rows["PR AUC"][0] == pytest.approx(average_precision_score(truth, answers.scores), abs=1e-5)
    assert rows["log loss"][0] == pytest.approx(log_loss(truth, answers.scores), abs=1e-5)
    assert rows["F1"][0] == pytest.approx(f1_score(truth, answers.decisions.astype(int)), abs=1e-5)
    assert all(
        low <= value <= high for name, (value, low, high) in rows.items() if name != "calibration error"
    )
    figures = number()
    truth, made = figures.frames[Split.TEST]["y"].to_numpy(), figures.answers[Split.TEST].decisions
    rows = {row[0]: row[1] for row in found(figures)["mean absolute error"].table.rows}
    assert rows["root mean squared error"] == pytest.approx(root_mean_squared_error(truth, made), abs=1e-5)
    assert rows["R squared"] == pytest.approx(r2_score(truth, made), abs=1e-5)


@pytest.mark.parametrize(
    ("at_least", "rows", "status"),
    [(0.5, 2_000, Status.PASS), (0.95, 2_000, Status.FAIL), (0.9, 100, Status.WARN)],
)
def test_a_goal_is_met_missed_or_undecided(at_least, rows, status):
    """Above: pass. Wholly below: fail. Below with too few rows to be sure: warn, and says so."""
    finding = found(binary(rows, goal=Goal(metric="roc_auc", at_least=at_least)))["ROC AUC"]
    assert finding.status is status
    assert "the goal asks for at least" in finding.headline
    assert finding.threshold.at_least == at_least
    assert (status is Status.WARN) == ("too few to tell" in finding.headline)


def test_the_tighter_of_goal_and_settings_counts():
    """checks.performance.min cannot loosen the goal; a limit on an error is an upper one."""
    evidence = binary(goal=Goal(metric="roc_auc", at_least=0.95), settings={"performance": {"min": 0.5}})
    assert found(evidence)["ROC AUC"].status is Status.FAIL
    assert found(number(goal=Goal(metric="mae", at_most=0.5)))["mean absolute error"].status is Status.FAIL
    assert found(number(goal=Goal(metric="mae", at_most=1.0)))["mean absolute error"].status is Status.PASS


def test_an_unknown_metric_is_refused_with_those_there_are():
    """A goal in a metric of another task names the possible ones."""
    with pytest.raises(InvalidInput, match="mae, rmse, r2, bias"):
        run(number(goal=Goal(metric="roc_auc", at_least=0.9)))


def test_guessing_is_noticed():
    """A score of pure chance is never a pass; one that is upside down fails; a regression worse than the median fails."""
    evidence = binary()
    answers = evidence.answers[Split.TEST]
    chance = Answers(answers.decisions, np.random.default_rng(1).random(2_000))
    assert (
        found(dataclasses.replace(evidence, answers={Split.TEST: chance}))["against guessing"].status
        is not Status.PASS
    )
    upside = Answers(answers.decisions, 1 - answers.scores)
    assert (
        found(dataclasses.replace(evidence, answers={Split.TEST: upside}))["against guessing"].status
        is Status.FAIL
    )
    assert found(number(error=10.0))["against guessing"].status is Status.FAIL
    assert found(number())["against guessing"].status is Status.PASS


def test_overconfident_probabilities_warn():
    """Calibrated ones pass; the same pushed to the ends warn, with the curve to draw."""
    evidence = binary(4_000, strength=1.0)
    assert found(evidence)["calibration"].status is Status.PASS
    score = evidence.answers[Split.TEST].scores
    pushed = score**4 / (score**4 + (1 - score) ** 4)
    finding = found(
        dataclasses.replace(evidence, answers={Split.TEST: Answers(class_names((pushed > 0.5) * 1), pushed)})
    )["calibration"]
    assert finding.status is Status.WARN
    assert finding.plot.kind is PlotKind.CALIBRATION
    assert len(finding.plot.data["said"]) == 10


def test_a_weak_slice_is_named():
    """Wrong answers planted in group b are named; without them no slice stands out."""
    evidence = binary(4_000, slices=("group",), protected=("age",))
    assert found(evidence)["slices"].status is Status.PASS
    answers, hit = evidence.answers[Split.TEST], (evidence.frames[Split.TEST]["group"] == "b").to_numpy()
    decisions = answers.decisions.copy()
    spoiled = hit & (np.random.default_rng(0).random(4_000) < 0.4)
    decisions[spoiled] = np.where(decisions[spoiled] == "1", "0", "1")
    finding = found(dataclasses.replace(evidence, answers={Split.TEST: Answers(decisions, answers.scores)}))[
        "slices"
    ]
    assert finding.status is Status.WARN
    assert "weaker for group = b" in finding.headline
    assert finding.table.rows[0][0] == "group = b"
    assert finding.plot.data["rows"][0]["name"] == "group = b"


def test_a_weak_slice_in_regression_and_a_slice_that_is_not_there():
    """Errors four times as large in group a are named; a slice column that the table lacks is said."""
    evidence = number(slices=("group", "nowhere"))
    finding = found(evidence)["slices"]
    assert "No column nowhere" in finding.headline
    answers, hit = (
        evidence.answers[Split.TEST].decisions,
        (evidence.frames[Split.TEST]["group"] == "a").to_numpy(),
    )
    made = answers + hit * np.random.default_rng(5).normal(0, 4, answers.size)
    weak = found(dataclasses.replace(evidence, answers={Split.TEST: Answers(made, made)}, slices=("group",)))[
        "slices"
    ]
    assert "weaker for group = a" in weak.headline


@pytest.mark.parametrize(
    ("quality", "status", "says"),
    [
        (0.0, Status.PASS, "is as good as loans/1"),
        (1.2, Status.FAIL, "is worse than loans/1"),
        (-0.9, Status.PASS, "is better than loans/1"),
    ],
)
def test_the_live_version_is_met_on_the_same_rows(quality, status, says):
    """Noise on the new score is worse, noise on the live one makes the new better, equal scores are as good."""
    evidence = binary(5_000)
    answers = evidence.answers[Split.TEST]
    noise = np.random.default_rng(3).normal(0, abs(quality), 5_000)
    logit = np.log(answers.scores / (1 - answers.scores))
    spoiled = Answers(answers.decisions, 1 / (1 + np.exp(-(logit + noise))))
    new, live = (spoiled, answers) if quality > 0 else (answers, spoiled)
    finding = found(
        dataclasses.replace(evidence, answers={Split.TEST: new}, live={Split.TEST: live}, live_name="loans/1")
    )["against loans/1"]
    assert (finding.status, says in finding.headline) == (status, True)


def test_too_few_rows_to_be_sure_says_how_many_more():
    """A difference beyond the margin on 60 rows warns and says how many rows would tell."""
    for seed in range(40):
        evidence = binary(60, seed=seed)
        answers = evidence.answers[Split.TEST]
        worse = Answers(
            answers.decisions, answers.scores + np.random.default_rng(seed + 100).normal(0, 0.2, 60)
        )
        finding = found(
            dataclasses.replace(evidence, answers={Split.TEST: worse}, live={Split.TEST: answers})
        )["against the live version"]
        if finding.status is Status.WARN:
            assert "more rows" in finding.advice
            return
    pytest.fail("no seed gave an undecided comparison")


def waits(answered: float, quantile: float | None = 0.9, **more: object) -> Evidence:
    """Waiting times that are longer for some callers, and a model of this quantile of them."""
    generator = np.random.default_rng(4)
    scale = generator.uniform(5, 50, 2_000)
    truth, made = generator.exponential(scale), -np.log(1 - answered) * scale
    frame = pl.DataFrame({"y": truth, "load": scale})
    return Evidence(task=Task.REGRESSION, inputs=("load",), frames={Split.TEST: frame}, target="y", quantile=quantile,
                    answers={Split.TEST: Answers(made, made)}, **more)  # type: ignore[arg-type]  # fmt: skip


def test_a_model_of_a_quantile_is_judged_as_one():
    """By the pinball loss and by how many labels lie up to its answer; as a model of the mean it would seem no use."""
    good = found(waits(0.9))
    assert good["pinball loss"].status is good["against guessing"].status is Status.PASS
    assert "always answering the test quantile 0.9" in good["against guessing"].headline
    assert good["calibration"].status is Status.PASS
    assert good["calibration"].measure.value == pytest.approx(0.9, abs=0.02)
    assert good["weak slices"].status is Status.PASS
    limit = found(waits(0.9, goal=Goal(metric="covered", at_least=0.95)))["share of labels up to the answer"]
    assert limit.status is Status.FAIL


def test_a_quantile_that_does_not_hold():
    """Answers that only three quarters of labels stay below, and the other way round answers that are too high."""
    low, high = (found(waits(answered))["calibration"] for answered in (0.75, 0.99))
    assert low.status is high.status is Status.WARN
    assert "too low" in low.advice
    assert "too high" in high.advice
    near = found(waits(0.985, quantile=0.99))["calibration"]
    assert near.status is Status.PASS, "half a point of 99 % is chance on 2,000 rows or little"
    assert found(waits(0.97, quantile=0.99))["calibration"].status is Status.WARN


def test_a_quantile_that_nobody_declared_is_named_where_guessing_seems_better():
    """The advice says which line to write; a model of the median gets none."""
    wrong = found(waits(0.95, quantile=None))["against guessing"]
    assert wrong.status is Status.FAIL
    assert "(quantile: 0.95 in lockgate.yaml)" in wrong.advice
    assert "quantile" not in found(waits(0.5, quantile=None))["against guessing"].advice


def test_a_ranking_is_told_nothing_of_quantiles():
    """Its scores are no numbers that labels could lie up to."""
    draw = np.random.default_rng(2)
    frame = pl.DataFrame({"y": draw.integers(0, 4, 600).astype(float), "query": np.repeat(np.arange(60), 10)})
    scores = draw.normal(20, 1, 600)
    said = found(Evidence(task=Task.REGRESSION, inputs=(), frames={Split.TEST: frame}, target="y", ranking=Ranking(query="query"),
                          answers={Split.TEST: Answers(scores, scores)}))["against guessing"]  # fmt: skip
    assert said.status is not Status.PASS
    assert "quantile" not in said.advice


@pytest.mark.parametrize("metric", ["mae", "rmse", "r2", "bias"])
def test_regression_against_live_in_every_metric(metric):
    """A version with twice the error is worse in every metric of size, and better the other way round."""
    good, bad = number(), number(error=2.0, settings={"performance": {"metric": metric}})
    worse = found(dataclasses.replace(bad, live=good.answers))["against the live version"]
    better = found(dataclasses.replace(good, live=bad.answers, settings=bad.settings))[
        "against the live version"
    ]
    if metric == "bias":  # two noises around 0 hardly differ in bias: no certain verdict either way
        assert {worse.status, better.status} <= {Status.PASS, Status.WARN}
    else:
        assert (worse.status, better.status) == (Status.FAIL, Status.PASS)


def test_more_than_two_classes():
    """Accuracy, macro F1 and log loss of three classes; an answer that is always one class fails against guessing."""
    generator = np.random.default_rng(0)
    truth = generator.choice(["x", "y", "z"], 1_500, p=[0.6, 0.3, 0.1])
    right = generator.random(1_500) < 0.8
    decisions = np.where(right, truth, "x").astype(object)
    probability = np.full((1_500, 3), 0.1)
    probability[np.arange(1_500), [["x", "y", "z"].index(name) for name in decisions]] = 0.8
    frame = pl.DataFrame({"y": truth})
    evidence = Evidence(task=Task.CLASSIFICATION, inputs=(), frames={Split.TEST: frame}, target="y", classes=("x", "y", "z"),
                        answers={Split.TEST: Answers(decisions, probability.max(axis=1), probability)})  # fmt: skip
    table = {row[0]: row[1] for row in found(evidence)["accuracy"].table.rows}
    assert table["log loss"] == pytest.approx(log_loss(truth, probability, labels=["x", "y", "z"]), abs=1e-5)
    assert table["macro F1"] == pytest.approx(
        f1_score(truth, decisions.astype(str), average="macro"), abs=1e-5
    )
    lazy = Answers(np.full(1_500, "x", dtype=object), None, None)
    assert (
        found(dataclasses.replace(evidence, answers={Split.TEST: lazy}))["against guessing"].status
        is Status.FAIL
    )


def test_answers_without_scores_and_rows_without_labels():
    """Names of classes alone are judged by accuracy; rows without a label are left out; none at all is refused."""
    evidence = binary()
    bare = {Split.TEST: Answers(evidence.answers[Split.TEST].decisions)}
    assert "accuracy" in found(dataclasses.replace(evidence, answers=bare))
    frame = evidence.frames[Split.TEST]
    half = frame.with_columns(pl.when(pl.int_range(pl.len()) % 2 == 0).then("y").alias("y"))
    assert (
        "1,000 test rows"
        in found(dataclasses.replace(evidence, frames={Split.TEST: half}))["ROC AUC"].headline
    )
    none = frame.with_columns(y=pl.lit(None, dtype=pl.Int64))
    with pytest.raises(InvalidInput, match="no row of the test table"):
        run(dataclasses.replace(evidence, frames={Split.TEST: none}))


def test_the_first_class_may_be_the_positive_one():
    """When the positive class stands first, its probability is the score, and a good model stays good."""
    evidence = binary(positive="0")
    answers = evidence.answers[Split.TEST]
    turned = dataclasses.replace(
        evidence, answers={Split.TEST: Answers(answers.decisions, 1 - answers.scores)}
    )
    assert found(turned)["ROC AUC"].measure.value == pytest.approx(found(binary())["ROC AUC"].measure.value)


def test_a_model_of_means_is_better_than_guessing_where_labels_are_skewed():
    """Visits to a doctor, most of them none: the true mean of each row is farther off than the median in the mean absolute error,
    and much nearer in the squared one. It is better than guessing; the mean of all is not."""
    draw = np.random.default_rng(0)
    mean = draw.gamma(0.6, 2.0, 4_000)
    frame = pl.DataFrame({"x": mean, "y": draw.poisson(draw.gamma(0.3, mean / 0.3)).astype(float)})
    assert np.abs(frame["y"] - mean).mean() > np.abs(frame["y"] - frame["y"].median()).mean()
    for answers, status in (
        (mean, Status.PASS),
        (np.full(4_000, 1.3) + draw.normal(0, 0.5, 4_000), Status.FAIL),
    ):
        given = Evidence(task=Task.REGRESSION, inputs=("x",), frames={Split.TEST: frame}, target="y",
                         answers={Split.TEST: Answers(answers, answers)})  # fmt: skip
        (finding,) = [each for each in run(given) if each.subject == "against guessing"]
        assert finding.status is status
    assert "training" not in finding.headline
