"""Performance by what the project declares: costs, metrics of its own, subjects; and more classes' probabilities."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.checks.performance import alarms_on_fine_tables
from tests.checks.conftest import run_suite
from tests.checks.test_performance import binary, found

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import PlotKind, Status
from lockgate.checks.own.metrics import ConfinedMetrics
from lockgate.config import Goal
from lockgate.datasets.classes import class_names
from lockgate.declared import OwnMetric
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task

DEAR_MISS = {"1": {"0": 20.0}, "0": {"1": 1.0}}


def test_the_cheapest_threshold_is_the_odds_of_the_costs():
    """Calibrated, a miss of 20 beside a false alarm of 1: decide near 1/21, and the saving is sure and honest."""
    finding = found(binary(6_000, costs=DEAR_MISS))["cost"]
    assert finding.status is Status.WARN
    rows = {row[0]: row for row in finding.table.rows}
    name = next(name for name in rows if name.startswith("deciding at"))
    assert 0.02 < float(name.removeprefix("deciding at ")) < 0.12
    assert rows[name][1] < rows["this version"][1]
    assert finding.plot.kind is PlotKind.CURVE
    evidence = binary(6_000)
    truth, decided = (evidence.frames[Split.TEST]["y"].to_numpy(), evidence.answers[Split.TEST].decisions)
    mean = np.where(
        (truth == 1) & (decided == "0"), 20.0, np.where((truth == 0) & (decided == "1"), 1.0, 0.0)
    ).mean()
    assert finding.measure.value == pytest.approx(1_000 * mean)


def test_fitting_costs_raise_no_alarm():
    """With equal costs a calibrated model that decides at a half is in order, whatever the seed; with noise alone too."""
    alike = {"1": {"0": 1.0}, "0": {"1": 1.0}}
    statuses = [found(binary(400, seed=seed, costs=alike))["cost"].status for seed in range(20)]
    assert statuses.count(Status.PASS) >= 19
    assert "always '" in found(binary(costs=alike))["cost"].headline


def test_costs_by_a_column_and_a_gain():
    """A miss costs the row's amount, a hit gains a tenth of what a column says; the figure is the sum by hand."""
    evidence = binary(costs={"1": {"0": "amount", "1": "-gain"}})
    frame = evidence.frames[Split.TEST]
    draw = np.random.default_rng(0)
    frame = frame.with_columns(amount=pl.Series(draw.lognormal(3, 1, frame.height)), gain=pl.lit(2.0))
    finding = found(dataclasses.replace(evidence, frames={Split.TEST: frame}))["cost"]
    truth, decided = frame["y"].to_numpy(), evidence.answers[Split.TEST].decisions
    costs = np.where(truth == 1, np.where(decided == "0", frame["amount"].to_numpy(), -2.0), 0.0)
    assert finding.measure.value == pytest.approx(1_000 * costs.mean())
    with pytest.raises(InvalidInput, match="no such column"):
        found(evidence)
    with pytest.raises(InvalidInput, match="no such class"):
        found(binary(costs={"yes": {"no": 1.0}}))


def test_a_goal_in_costs_and_the_live_version():
    """A cost surely above what the goal asks fails; a version that is dearer than the live one fails beside it."""
    evidence = binary(4_000, costs=DEAR_MISS, goal=Goal(metric="cost", at_most=10.0))
    answers = evidence.answers[Split.TEST]
    early = Answers(class_names((answers.scores > 0.05).astype(int)), answers.scores)
    judged = found(dataclasses.replace(evidence, goal=Goal(), live={Split.TEST: early}, live_name="loans/1"))
    assert found(evidence)["cost"].status is Status.FAIL
    assert judged["cost against loans/1"].status is Status.FAIL
    assert judged["against loans/1"].status is Status.PASS


@pytest.fixture
def money(tmp_path: Path):
    """The project's own metrics, computed in a confined process."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code/money.py").write_text(
        "def caught(truth, decision, score, amount):\n"
        "    return amount[(truth == '1') & (decision == '1')].sum() / amount[truth == '1'].sum()\n"
        "def broken(truth, decision, score):\n    raise KeyError('price')\n"
    )
    metrics = {
        "caught": OwnMetric(function="money:caught", columns=("amount",), unit="share"),
        "broken": OwnMetric(function="money:broken"),
    }
    confined = ConfinedMetrics(metrics, tmp_path, lambda: Path(sys.executable))
    yield metrics, confined
    confined.close()


def test_a_metric_of_ones_own_is_a_finding(money):
    """With interval, goal and live version; one that raises could not run and stops nothing."""
    metrics, confined = money
    evidence = binary(1_500, metrics=metrics, ask_metric=confined, goal=Goal(metric="caught", at_least=0.95))
    answers = evidence.answers[Split.TEST]
    frame = evidence.frames[Split.TEST].with_columns(amount=pl.lit(2.0))
    eager = Answers(class_names((answers.scores > 0.01).astype(int)), answers.scores)
    evidence = dataclasses.replace(
        evidence, frames={Split.TEST: frame}, live={Split.TEST: eager}, live_name="loans/1"
    )
    judged = found(evidence)
    truth = frame["y"].to_numpy() == 1
    assert judged["caught"].measure.value == pytest.approx((answers.decisions[truth] == "1").mean())
    assert judged["caught"].measure.low < judged["caught"].measure.value < judged["caught"].measure.high
    assert judged["caught"].status is Status.FAIL
    assert "the goal asks for at least 95.0 %" in judged["caught"].headline
    assert judged["caught against loans/1"].status is Status.FAIL
    assert judged["broken"].status is Status.COULD_NOT_RUN
    assert "price" in judged["broken"].headline
    assert judged["ROC AUC"].status is Status.PASS
    assert judged["caught"] in run_suite(evidence, ["performance"])
    bare = found(dataclasses.replace(evidence, frames=binary(1_500).frames, live={}, goal=Goal()))["caught"]
    assert bare.status is Status.COULD_NOT_RUN


def test_rows_of_one_person_are_not_strangers():
    """Every person ten times: intervals are as wide as those of the people, and the sentence counts them."""
    few = binary(150)
    frame, answers = few.frames[Split.TEST], few.answers[Split.TEST]
    ten = np.arange(150).repeat(10)
    many = dataclasses.replace(
        few,
        frames={Split.TEST: frame[ten].with_columns(person=pl.Series(ten))},
        answers={Split.TEST: answers.take(ten)},
    )
    alone, grouped = found(many), found(dataclasses.replace(many, group="person"))
    widths = {name: judged["ROC AUC"].measure.high - judged["ROC AUC"].measure.low
              for name, judged in (("few", found(few)), ("alone", alone), ("grouped", grouped))}  # fmt: skip
    assert widths["grouped"] == pytest.approx(widths["few"], rel=0.1)
    assert widths["alone"] < 0.5 * widths["few"]
    assert "of 150 subjects" in grouped["ROC AUC"].headline
    table = {row[0]: row[3] - row[2] for row in grouped["ROC AUC"].table.rows}
    narrow = {row[0]: row[3] - row[2] for row in alone["ROC AUC"].table.rows}
    assert all(table[name] > 1.5 * narrow[name] for name in table)


def test_a_slice_that_two_people_make_is_no_slice():
    """A group whose excess is two people with many rows is weak row by row, and not person by person."""
    evidence = binary(4_000, slices=("region",))
    draw = np.random.default_rng(0)
    person = np.concatenate([np.zeros(200), np.ones(200), np.arange(2, 3_602)]).astype(int)
    region = np.where(person < 2, "north", draw.choice(["north", "south"], 4_000, p=[0.05, 0.95]))
    answers, decisions = evidence.answers[Split.TEST], evidence.answers[Split.TEST].decisions.copy()
    wrong = person == 1
    decisions[wrong] = np.where(evidence.frames[Split.TEST]["y"].to_numpy()[wrong] == 1, "0", "1")
    frame = evidence.frames[Split.TEST].with_columns(region=pl.Series(region), person=pl.Series(person))
    spoiled = dataclasses.replace(
        evidence, frames={Split.TEST: frame}, answers={Split.TEST: Answers(decisions, answers.scores)}
    )
    assert found(spoiled)["slices"].status is Status.WARN
    assert found(dataclasses.replace(spoiled, group="person"))["slices"].status is Status.PASS


def three(seed: int = 0, rows: int = 3_000, push: float = 1.0) -> Evidence:
    """Probabilities of three classes that come true; `push` above 1 makes them too sure of themselves."""
    draw = np.random.default_rng(seed)
    wide = draw.dirichlet([0.7, 0.7, 0.7], rows)
    truth = (draw.random((rows, 1)) > wide.cumsum(axis=1)).sum(axis=1).clip(0, 2)
    said = wide**push / (wide**push).sum(axis=1, keepdims=True)
    names = np.array(["x", "y", "z"], dtype=object)
    return Evidence(
        task=Task.CLASSIFICATION, inputs=(), frames={Split.TEST: pl.DataFrame({"y": names[truth].tolist()})}, target="y",
        classes=("x", "y", "z"), answers={Split.TEST: Answers(names[said.argmax(axis=1)], said.max(axis=1), said)},
    )  # fmt: skip


def test_probabilities_of_three_classes():
    """Honest ones pass on thirty seeds; pushed to the ends they warn, with every class in the table."""
    assert all(found(three(seed, 600))["calibration"].status is Status.PASS for seed in range(30))
    finding = found(three(push=4.0))["calibration"]
    assert finding.status is Status.WARN
    assert "too extreme" in finding.headline
    assert [row[0] for row in finding.table.rows] == ["the answered class", "class x", "class y", "class z"]


def test_nothing_wrong_raises_alarms_as_rarely_as_written_down():
    """The short form of the benchmark: eight tables of every kind, with subjects, slices and costs, and at most one alarm."""
    assert len({seed for seed, _ in alarms_on_fine_tables(range(8))}) <= 1
