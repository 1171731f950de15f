"""Back-test: a version that grew old is found in the windows where it did, one that did not is left alone."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.checks.conftest import Model, evidence_of

from lockgate.checks.back_test.check import run
from lockgate.checks.back_test.trend import RARE, in_words, trend
from lockgate.checks.back_test.windows import cut
from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.datasets.classes import class_names
from lockgate.errors import InvalidInput
from lockgate.registry.manifest import Task

START = dt.date(2024, 1, 1)


def by_subject(evidence: Evidence) -> dict[str, Finding]:
    """Findings by subject."""
    return {finding.subject: finding for finding in run(evidence)}


def ageing(rows: int = 4_000, shift: float = 0.0, seed: int = 0) -> pl.DataFrame:
    """A year of rows whose target rises by `shift` from its middle on, which no input tells but the day."""
    generator = np.random.default_rng(seed)
    a, b, day = (
        generator.normal(size=rows),
        generator.normal(size=rows),
        np.sort(generator.integers(0, 360, rows)),
    )
    later = shift * np.clip((day - 180) / 180, 0, 1)
    return pl.DataFrame({
        "at": [START + dt.timedelta(int(each)) for each in day], "a": a, "b": b, "day": day,
        "y": a + 0.5 * b + later + generator.normal(size=rows) * 0.5,
    })  # fmt: skip


def test_bike_hire_outgrows_a_model_of_2011(bikes):
    """T3: trained on the first half of 2011, answers sink from quarter to quarter; retraining wins; 2011 H1 is marked."""
    inputs = tuple(name for name in bikes.columns if name not in ("dteday", "cnt", "casual", "registered"))
    first = bikes.filter(pl.col("dteday") < "2011-07-01").height
    found = by_subject(
        evidence_of(bikes[:first], bikes[first:], inputs, "cnt", Task.REGRESSION, time="dteday")
    )
    assert found["over time"].status is Status.FAIL
    assert "too low" in found["over time"].headline
    assert "2012 Q4" in found["over time"].headline
    rows = {row[0]: row for row in found["over time"].table.rows}
    assert [rows[name][-1] for name in ("2011 Q1", "2011 Q2", "2011 Q3")] == ["yes", "yes", "no"]
    bias = [rows[name][3] for name in ("2011 Q3", "2011 Q4", "2012 Q1", "2012 Q4")]
    assert bias == sorted(bias, reverse=True)
    assert bias[2] == pytest.approx(-78, abs=15)
    assert rows["2012 Q4"][5] < rows["2012 Q4"][2]
    assert found["retraining"].status is Status.WARN
    assert "trained again before each window, would have made errors smaller" in found["retraining"].headline
    assert "would be optimistic here" in found["random split"].headline


def test_a_random_split_of_moving_data_is_named_optimistic(bikes):
    """The same rows split by chance: the test figures are called too good."""
    inputs = tuple(name for name in bikes.columns if name not in ("dteday", "cnt", "casual", "registered"))
    mixed = bikes.sample(fraction=1, shuffle=True, seed=0)
    found = by_subject(
        evidence_of(mixed[:12_000], mixed[12_000:], inputs, "cnt", Task.REGRESSION, time="dteday")
    )
    assert found["random split"].status is Status.WARN
    assert "too good" in found["random split"].headline


def test_a_steady_past_raises_nothing(loans):
    """Car loans in time order: windows, retraining and the split are all in order."""
    assert {finding.status for finding in run(loans)} == {Status.PASS}
    assert "Steady over" in by_subject(loans)["over time"].headline


def test_a_planted_rise_is_found_and_its_window_named():
    """A target that rises in the second half fails there; without the rise nothing is found."""
    frame = ageing(shift=2.0)
    old = frame.filter(pl.col("day") < 150).height
    found = by_subject(evidence_of(frame[:old], frame[old:], ("a", "b"), "y", Task.REGRESSION, time="at"))
    assert found["over time"].status is Status.FAIL
    assert "2024-12" in found["over time"].headline
    calm = ageing(shift=0.0)
    steady = by_subject(evidence_of(calm[:old], calm[old:], ("a", "b"), "y", Task.REGRESSION, time="at"))
    assert {finding.status for finding in steady.values()} == {Status.PASS}


def test_a_trend_is_told_where_figures_have_an_order() -> None:
    """Worse or better by the side on which the metric is good; windows in no order, few or equal ones have no trend."""
    rising, mixed = [0.5, 0.55, 0.6, 0.68, 0.7, 0.9, 1.1], [0.5, 1.1, 0.6, 0.68, 0.9, 0.55, 0.7]
    assert (
        in_words("error", rising, higher_is_better=False)
        == " It gets worse as time goes by: error rises over 7 windows."
    )
    assert in_words("ROC AUC", rising, higher_is_better=True).startswith(" It gets better")
    assert "falls" in in_words("ROC AUC", rising[::-1], higher_is_better=True)
    assert [trend(mixed), trend(rising[:5]), trend([0.5] * 9), trend([])] == [None] * 4
    generator = np.random.default_rng(0)
    assert np.mean([trend(generator.normal(size=12)) is not None for _ in range(1_000)]) <= RARE * 2


def test_the_live_version_is_asked_the_same_windows():
    """A version that learned nonsense is worse than live in every window, and that fails."""
    frame = ageing()
    old = 1_500
    live = Model(frame[:old], ("a", "b"), "y", Task.REGRESSION)
    nonsense = frame[:old].with_columns(y=pl.col("y").shuffle(seed=0))
    given = evidence_of(nonsense, frame[old:], ("a", "b"), "y", Task.REGRESSION, live=live, time="at")
    found = by_subject(given)["against loans/1"]
    assert found.status is Status.FAIL
    assert "better in 0 of" in found.headline


def test_a_live_version_that_does_not_answer_takes_nothing_along():
    """The live version takes other columns and could not answer: this version is judged all the same."""
    frame = ageing()
    given = evidence_of(frame[:1_500], frame[1_500:], ("a", "b"), "y", Task.REGRESSION, time="at")
    alone = dataclasses.replace(given, live_name="loans/1", failures={"live": "it takes a column 'c'"})

    def ask(rows: pl.DataFrame, of: Asked, chunk_rows: int) -> Answers:
        if of is Asked.LIVE:
            raise InvalidInput("the table has no column 'c'")
        return given.ask(rows, of, chunk_rows)

    assert by_subject(dataclasses.replace(alone, ask=ask)) == by_subject(given)


def test_rows_of_one_machine_are_not_many():
    """Ten copies of every row tell what the row tells: bias and gain by retraining are as uncertain as of the rows alone."""
    frame = ageing(1_500, shift=2.0).with_columns(who=pl.int_range(pl.len()))
    old = frame.filter(pl.col("day") < 150).height
    copies = pl.concat([frame[old:]] * 10).sort("at", maintain_order=True)

    def widths(later: pl.DataFrame, **more: object) -> list[float]:
        given = evidence_of(frame[:old], later, ("a", "b", "day"), "y", Task.REGRESSION, time="at", **more)
        found = by_subject(given)
        return [found[name].measure.high - found[name].measure.low for name in ("over time", "retraining")]

    alone, together = widths(frame[old:]), widths(copies, group="who")
    assert together[0] == pytest.approx(alone[0], rel=0.1)
    assert together[1] > 0.7 * alone[1]
    assert all(narrow < 0.5 * wide for narrow, wide in zip(widths(copies), alone, strict=True))


def test_one_machine_does_not_make_a_version_worse_than_live():
    """One of thirty machines, a third of the rows, is answered worse than before: sure of rows, not of machines."""
    frame = ageing(3_000).with_columns(
        who=pl.when(pl.col("a") > 0.4).then(0).otherwise(pl.int_range(pl.len()) % 29 + 1)
    )
    given = evidence_of(frame[:1_500], frame[1_500:], ("a", "b"), "y", Task.REGRESSION, time="at")

    def ask(rows: pl.DataFrame, of: Asked, chunk_rows: int) -> Answers:
        made = (rows["a"] + 0.5 * rows["b"]).to_numpy()
        made = made + (0.6 * (rows["a"] > 0.4).to_numpy() if of is not Asked.LIVE else 0)
        return Answers(made, made)

    worse = dataclasses.replace(given, ask=ask, live_name="loans/1")
    assert by_subject(worse)["against loans/1"].status is Status.FAIL
    assert by_subject(dataclasses.replace(worse, group="who"))["against loans/1"].status is Status.PASS


def test_the_record_is_a_past_too():
    """Recorded predictions with labels are judged without any time column; rows from before the training's end are marked."""
    frame = ageing(shift=3.0)
    micro = pl.col("at").cast(pl.Datetime("us")).to_physical()
    record = frame.select("a", "b", at_us=micro, version=pl.lit(1), label="y")
    known = frame[:1_500]
    given = evidence_of(known.drop("at"), known.drop("at"), ("a", "b"), "y", Task.REGRESSION, history=record)
    found = by_subject(given)
    assert set(found) >= {"over time (recorded predictions)", "retraining (recorded predictions)"}
    assert found["over time (recorded predictions)"].status is Status.FAIL
    timed = dataclasses.replace(given, frames={Split.TRAIN: known}, time="at")
    rows = by_subject(timed)["over time (recorded predictions)"].table.rows
    assert [row[-1] for row in rows[:3]] == ["yes"] * 3
    lost = dataclasses.replace(given, history=record.drop("b"))
    assert "hold no b" in by_subject(lost)["over time (recorded predictions)"].headline


def test_what_cannot_be_judged_is_said():
    """Only learned rows, no label, no time: each is said, none is a verdict."""
    frame = ageing(400)
    one = evidence_of(frame, frame[:10], ("a", "b"), "y", Task.REGRESSION, time="at")
    assert [finding.status for finding in run(one)] == [Status.COULD_NOT_RUN]
    nothing = dataclasses.replace(one, frames={Split.TEST: frame.with_columns(y=pl.lit(None, pl.Float64))})
    assert "No row of the tables" in run(nothing)[0].headline
    assert run(dataclasses.replace(one, time=None))[0].status is Status.COULD_NOT_RUN


def test_windows_are_those_that_people_know():
    """Two years are quarters, ten months are months, forty days are weeks, and numbers are cut into equal parts."""

    def names(days: int) -> tuple[str, ...]:
        return cut(pl.Series([START + dt.timedelta(day) for day in range(days)]), "auto").names

    assert names(730)[:2] == ("2024 Q1", "2024 Q2")
    assert names(300)[0] == "2024-01"
    assert names(42)[0] == "week of 2024-01-01"
    assert names(7)[0] == "2024-01-01"
    numbers = cut(pl.Series([0.0, 1.0, None, 7.0] * 50), "auto")
    assert numbers.names == ("from 0", "from 1", "from 7")
    assert (numbers.window == -1).sum() == 50
    with pytest.raises(InvalidInput, match="quarter"):
        cut(pl.Series([1]), "fortnight")


def steady(seed: int, rise: float = 0.0) -> Evidence:
    """A year without a change (or with a rise in its last third), and a model of its first part."""
    generator = np.random.default_rng(seed)
    inputs = generator.normal(size=(1_200, 3))
    days = np.sort(generator.integers(0, 364, 1_200))
    line = inputs @ np.array([1.0, 0.5, 0.0]) + rise * (days > 240)
    classifies = seed % 2 == 0
    truth = (
        (generator.random(1_200) < 1 / (1 + np.exp(-line))).astype(int)
        if classifies
        else line + generator.normal(size=1_200)
    )
    frame = pl.DataFrame({f"x{place}": inputs[:, place] for place in range(3)} | {
        "at": [dt.date(2024, 1, 1) + dt.timedelta(int(day)) for day in days], "y": truth})  # fmt: skip

    def ask(rows: pl.DataFrame, *_: object) -> Answers:
        made = rows.select("x0", "x1").to_numpy() @ np.array([1.0, 0.5])
        if not classifies:
            return Answers(made, made)
        score = 1 / (1 + np.exp(-made))
        return Answers(class_names((score > 0.5).astype(int)), score)

    return Evidence(
        task=Task.CLASSIFICATION if classifies else Task.REGRESSION, inputs=("x0", "x1", "x2"), target="y", time="at",
        frames={Split.TRAIN: frame[:480], Split.TEST: frame[480:]}, classes=("0", "1") if classifies else None,
        positive="1" if classifies else None, ask=ask,
    )  # fmt: skip


def test_steady_tables_raise_alarms_as_rarely_as_written_down():
    """A short form of the measurement: eight steady years, no alarm."""
    alarms = [
        finding.headline
        for seed in range(8)
        for finding in run(steady(seed))
        if finding.status is not Status.PASS
    ]
    assert alarms == []
