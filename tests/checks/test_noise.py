"""Noise: brittle models and silent nonsense are named, sturdy models are not."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.checks.conftest import CAR_INPUTS, evidence_of

from lockgate.checks.asking import BREAKS
from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.noise.check import run
from lockgate.checks.noise.odd import ODD
from lockgate.checks.noise.tremble import spread_of, trembling
from lockgate.datasets.classes import class_names
from lockgate.declared import Assumptions
from lockgate.errors import InvalidInput, PredictionFailed
from lockgate.registry.manifest import Task


def answered(score: np.ndarray) -> Answers:
    """Decisions at one half."""
    return Answers(class_names((score > 0.5).astype(int)), score)


def asked(frame: pl.DataFrame, score, **more) -> Evidence:
    """Evidence of a model that is a function from a table to scores."""

    def ask(rows: pl.DataFrame, _of, _chunk) -> Answers:
        return answered(score(rows))

    return Evidence(task=Task.CLASSIFICATION, inputs=tuple(frame.columns), frames={Split.TEST: frame}, classes=("0", "1"),
                    positive="1", answers={Split.TEST: answered(score(frame))}, ask=ask, **more)  # fmt: skip


def table(rows: int = 2_000, seed: int = 0) -> pl.DataFrame:
    """Numbers, whole numbers, categories and dates."""
    draw = np.random.default_rng(seed)
    return pl.DataFrame({
        "x": draw.normal(50, 10, rows), "n": draw.integers(0, 1_000, rows), "c": draw.choice(["red", "green"], rows),
        "day": [dt.date(2024, 1, 1) + dt.timedelta(int(n)) for n in draw.integers(0, 300, rows)],
    })  # fmt: skip


def smooth(rows: pl.DataFrame) -> np.ndarray:
    """A gentle slope."""
    return 1 / (1 + np.exp(-(rows["x"].fill_null(50).to_numpy().clip(0, 100) - 50) / 10))


def brittle(rows: pl.DataFrame) -> np.ndarray:
    """Turns with the second digit after the point."""
    return (np.floor(rows["x"].fill_null(50).to_numpy().clip(0, 100) * 20) % 2 == 0) * 0.8 + 0.1


def by_subject(findings) -> dict:
    """Findings by subject."""
    return {finding.subject: finding for finding in findings}


def test_a_brittle_model_fails_and_a_smooth_one_passes():
    """The brittle one turns with every tremble, though it is always sure; the column is named."""
    bad = by_subject(run(asked(table(), brittle)))["small noise"]
    assert bad.status is Status.FAIL
    assert "most by x" in bad.headline
    assert "sure decisions" in bad.headline
    assert bad.table.rows[0][0] == "all inputs"
    good = run(asked(table(), smooth))
    assert {finding.status for finding in good} == {Status.PASS}
    assert by_subject(good)["small noise"].measure.value < 0.02


def test_an_honest_model_on_real_loans_is_left_alone(loans):
    """Car loans: trembling flips few decisions, and whatever comes is answered."""
    small = dataclasses.replace(loans, settings={"noise": {"rows": 1_000}})
    assert {finding.status for finding in run(small)} == {Status.PASS}


def test_numbers_that_jump_are_seen_in_regression():
    """A forecast that jumps by its whole spread with each tenth fails; a linear one passes."""
    frame = table()

    def evidence(function) -> Evidence:
        def ask(rows, _of, _chunk):
            return Answers(function(rows), function(rows))

        return Evidence(task=Task.REGRESSION, inputs=("x",), frames={Split.TEST: frame}, ask=ask,
                        answers={Split.TEST: ask(frame, None, 0)})  # fmt: skip

    jump = by_subject(run(evidence(brittle)))["small noise"]
    assert jump.status is Status.FAIL
    assert "of their spread" in jump.headline
    line = by_subject(run(evidence(lambda rows: rows["x"].fill_null(0).to_numpy() * 2.0)))["small noise"]
    assert line.status is Status.PASS


def test_a_model_that_raises_on_unseen_categories_is_warned_about():
    """One table is asked first; the guilty column is found with the model's own words, and all unknown texts are one finding."""
    calls = []

    def score(rows: pl.DataFrame) -> np.ndarray:
        calls.append(rows.height)
        unknown = set(rows["c"].drop_nulls()) - {"red", "green"}
        if unknown:
            raise PredictionFailed(f"the model raised ValueError: unknown categories {sorted(unknown)}")
        return smooth(rows)

    found = by_subject(run(asked(table().with_columns(d=pl.col("c")), score)))
    finding = found["unseen category, empty text, other spelling"]
    assert finding.status is Status.WARN
    assert (
        "raises where a value is a category never seen, an empty text or spelt in another way in c: the model raised ValueError"
        in finding.headline
    )
    assert "handle_unknown='ignore'" in finding.advice
    assert finding.measure.value == 1.0
    assert found["odd values"].status is Status.PASS
    assert len(calls) < 40


def test_answers_that_are_none_fail():
    """NaN out of a missing value, an answer that breaks the signature, one out of the declared range: each fails."""

    def silent(rows: pl.DataFrame) -> np.ndarray:
        return rows["x"].fill_null(float("nan")).to_numpy().clip(0, 100) / 100

    assert by_subject(run(asked(table(), silent)))["missing"].status is Status.FAIL

    def broken(rows: pl.DataFrame) -> np.ndarray:
        if (rows["x"].abs() >= 1e8).any():
            raise PredictionFailed(f"{BREAKS}: the output 'y' holds NaN or infinity")
        return smooth(rows)

    found = by_subject(run(asked(table(), broken)))
    finding = next(finding for subject, finding in found.items() if "huge" in subject)
    assert finding.status is Status.FAIL
    assert "no answer" in finding.headline

    def wide(rows: pl.DataFrame) -> np.ndarray:
        return rows["x"].fill_null(50).to_numpy() / 100

    declared = asked(table(), wide, assumptions=Assumptions(range=(-0.5, 1.5)))
    finding = next(finding for subject, finding in by_subject(run(declared)).items() if "huge" in subject)
    assert finding.status is Status.FAIL
    assert "is declared" in finding.headline


def test_refusals_before_the_model_are_in_order():
    """A signature that has no missing value, and a model that will not have infinity, are as they should be."""

    def score(rows: pl.DataFrame) -> np.ndarray:
        if sum(rows.null_count().row(0)):
            raise InvalidInput("column 'x' misses values and its type has no missing value")
        if rows["x"].is_infinite().any():
            raise PredictionFailed("the model raised ValueError: Input X contains infinity")
        return smooth(rows)

    findings = run(asked(table(), score))
    assert {finding.status for finding in findings} == {Status.PASS}
    assert "14 of 19 trials and refused the other 5" in by_subject(findings)["odd values"].headline


@pytest.mark.parametrize("rows", [0, 1, 40])
def test_odd_tables_end_in_findings(rows):
    """Empty, constant, all-missing, infinite, listed, timed and boolean columns: findings, no exception."""
    frame = pl.DataFrame({
        "void": pl.Series([None] * rows, dtype=pl.Float64), "one": [1.0] * rows, "inf": [float("inf")] * rows,
        "nan": [float("nan")] * rows, "yes": [True] * rows, "list": pl.Series([[1.0, 2.0]] * rows, dtype=pl.List(pl.Float64)),
        "when": pl.Series([dt.datetime(2024, 1, 1)] * rows, dtype=pl.Datetime("ns")),
        "big": pl.Series([2**62] * rows, dtype=pl.Int64),
        "small": pl.Series([3] * rows, dtype=pl.UInt8), "text": pl.Series([""] * rows, dtype=pl.String),
        "while": pl.Series([dt.timedelta(1)] * rows, dtype=pl.Duration), "none": pl.Series([None] * rows, dtype=pl.Null),
        "kind": pl.Series(["a"] * rows, dtype=pl.Categorical), "of": pl.Series([dt.time(1)] * rows, dtype=pl.Time),
    })  # fmt: skip
    findings = run(asked(frame, lambda table: np.full(table.height, 0.3)))
    assert findings
    assert not [finding for finding in findings if finding.status in (Status.FAIL, Status.WARN)]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.one_of(st.integers(-(2**60), 2**60), st.none()), min_size=1, max_size=60),
    st.sampled_from([pl.Int64, pl.Float64]),
    st.integers(0, 9),
)
def test_trembling_keeps_type_length_missing_and_range(values, kind, seed):
    """Whatever the column, nothing appears, disappears or leaves the range that was seen."""
    series = pl.Series("x", values, dtype=pl.Int64).cast(kind)
    moved = trembling(series, series, 0.01, 0.1, np.random.default_rng(seed))
    assert (moved.dtype, moved.name, len(moved)) == (series.dtype, "x", len(series))
    assert moved.is_null().equals(series.is_null())
    if series.drop_nulls().len():
        assert moved.min() >= series.min()
        assert moved.max() <= series.max()


def test_trembling_moves_by_what_was_asked():
    """The standard deviation of the movement is the asked share of the spread; the common value stays."""
    draw = np.random.default_rng(1)
    series = pl.Series("x", np.concatenate([np.zeros(30_000), draw.normal(1_000, 100, 20_000)]))
    moved = trembling(series, series, 0.05, 0.0, draw) - series
    assert (moved[:30_000] == 0).all()
    assert abs(moved[30_000:].std() - 5.0) < 0.1
    assert spread_of(series.to_numpy())[1] == 0.0
    whole = pl.Series("n", draw.integers(0, 100, 20_000))
    step = trembling(whole, whole, 0.01, 0.0, draw) - whole
    assert step.abs().max() <= 3
    assert abs(step.mean()) < 0.02
    assert 0.1 < (step != 0).mean() < 0.5


def test_each_odd_kind_keeps_the_columns_type():
    """Odd values fit the column they stand in, so that the request is refused for its value and not for its type."""
    frame = table(40).with_columns(small=pl.lit(3, dtype=pl.UInt8), f=pl.lit(1.5, dtype=pl.Float32))
    for kind in ODD:
        for series in frame.get_columns():
            if kind.applies(series):
                assert kind.made(series).dtype == series.dtype, (kind.name, series.name)


@pytest.mark.parametrize("seed", range(4))
def test_clean_models_raise_no_alarm(seed):
    """Short form of benchmarks/checks/noise.py: boosted trees on tables of their own."""
    draw = np.random.default_rng(seed)
    rows = 900
    frame = pl.DataFrame(
        {f"x{n}": draw.normal(size=rows) for n in range(4)} | {"c": draw.choice(list("abc"), rows)}
    )
    chance = 1 / (1 + np.exp(-2 * frame["x0"].to_numpy() - frame["x1"].to_numpy()))
    frame = frame.with_columns(y=pl.Series((draw.random(rows) < chance).astype(int)))
    inputs = tuple(name for name in frame.columns if name != "y")
    evidence = evidence_of(frame[:600], frame[600:], inputs, "y", options={"max_iter": 12})
    assert [finding.headline for finding in run(evidence) if finding.status is not Status.PASS] == []


def test_a_model_that_raises_when_inputs_tremble_fails():
    """A table of known values answers its own rows and nothing beside them."""
    known = set(table()["x"])

    def score(rows: pl.DataFrame) -> np.ndarray:
        if not set(rows["x"].drop_nulls()) <= known:
            raise PredictionFailed("the model raised KeyError: 50.1")
        return smooth(rows)

    finding = by_subject(run(asked(table(), score)))["small noise"]
    assert finding.status is Status.FAIL
    assert "KeyError" in finding.headline


def test_free_text_gets_typing_errors_and_categories_do_not():
    """Categories stay among those that were seen; a sentence of one's own loses the order of two letters."""
    draw = np.random.default_rng(0)
    colours = pl.Series("c", ["red", "green"] * 200)
    assert set(trembling(colours, colours, 0.01, 0.5, draw)) <= {"red", "green"}
    free = pl.Series("t", [f"sentence number {n}" for n in range(400)])
    moved = trembling(free, free, 0.01, 0.5, draw)
    assert 100 < (moved != free).sum() < 300
    assert (moved.str.len_chars() == free.str.len_chars()).all()


def test_the_same_seed_gives_the_same_findings(loans):
    """Chance repeats."""
    few = dataclasses.replace(loans, settings={"noise": {"rows": 300}}, inputs=CAR_INPUTS)
    assert run(few) == run(few)


def test_flips_of_one_persons_rows_are_not_sure():
    """All rows of six of 40 people lie on the edge of a decision and flip in every second tremble: taken for strangers they are
    surely too many, of 40 people they are a warning."""
    draw = np.random.default_rng(0)
    people = np.repeat(np.arange(40), 50)
    frame = pl.DataFrame(
        {"who": people, "x": np.where(people < 6, 50.0, draw.uniform(0, 40, people.size) + 60 * (people % 2))}
    )

    def ask(rows: pl.DataFrame, _of, _chunk) -> Answers:
        return answered(0.5 + (rows["x"].fill_null(0).to_numpy() - 50).clip(-50, 50) / 101)

    given = dataclasses.replace(asked(frame, smooth), inputs=("x",), ask=ask,
                                answers={Split.TEST: ask(frame, None, 0)})  # fmt: skip
    alone = by_subject(run(given))["small noise"]
    assert alone.status is Status.FAIL
    by_person = by_subject(run(dataclasses.replace(given, group="who")))["small noise"]
    assert by_person.status is Status.WARN
    assert by_person.measure.value == alone.measure.value
    assert by_person.measure.low < alone.measure.low


def test_an_answer_to_infinity_that_the_signature_stops_is_in_order():
    """A linear model makes "not a number" of infinity, which no sender sends and no caller gets: it counts as refused."""

    def score(rows: pl.DataFrame) -> np.ndarray:
        if rows["x"].is_infinite().any():
            raise PredictionFailed(f"{BREAKS}: the output 'probability' holds NaN or infinity")
        return smooth(rows)

    found = run(asked(table(), score))
    assert {finding.status for finding in found} == {Status.PASS}
    assert "refused the other" in by_subject(found)["odd values"].headline
