"""Parity: every planted difference is found, listed and put into words; ways that agree are left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.parity.check import run
from lockgate.checks.parity.differences import differences
from lockgate.checks.parity.how import how
from lockgate.checks.parity.where import pattern
from lockgate.datasets.classes import class_names
from lockgate.errors import PredictionFailed, Unavailable
from lockgate.registry.manifest import Task

BEYOND = (Asked.SERVED_JSON, Asked.SERVED_BINARY)


def table(rows: int = 500) -> pl.DataFrame:
    """Ages, some missing, towns and a label."""
    draw = np.random.default_rng(0)
    age = [None if draw.random() < 0.1 else float(value) for value in draw.uniform(18, 90, rows)]
    return pl.DataFrame({"id": [f"p{row}" for row in range(rows)], "age": age, "town": draw.choice(["a", "b", "c"], rows),
                         "y": draw.integers(0, 2, rows)})  # fmt: skip


def answer(frame: pl.DataFrame, fill: float = 50.0, offset: float = 0.0) -> Answers:
    """A model that fills a missing age."""
    score = 1 / (1 + np.exp(-(frame["age"].fill_null(fill).to_numpy() - 50) / 10)) + offset
    return Answers(class_names((score > 0.5).astype(int)), score)


def asked(**unlike: object) -> Evidence:
    """A version asked in every way; `unlike` changes one way's answers."""

    def ask(frame: pl.DataFrame, of: Asked, chunk_rows: int) -> Answers:
        way = unlike.get("one" if chunk_rows == 1 else str(of), answer)
        return way(frame)

    return Evidence(task=Task.CLASSIFICATION, inputs=("age", "town"), frames={Split.TEST: table()}, target="y", key="id",
                    classes=("0", "1"), positive="1", compiled=True, beyond=BEYOND, ask=ask)  # fmt: skip


def by_subject(evidence: Evidence) -> dict[str, Finding]:
    """Findings by subject."""
    return {finding.subject: finding for finding in run(evidence)}


def test_ways_that_agree_pass():
    """Four ways, the same answers: four findings in order, with how many rows were asked."""
    found = by_subject(asked())
    assert list(found) == ["one row at a time", "compiled", "gateway, JSON", "gateway, binary"]
    assert {finding.status for finding in found.values()} == {Status.PASS}
    assert "the same answers to 30" in found["compiled"].headline


@pytest.mark.parametrize(
    ("way", "subject"),
    [
        ("one", "one row at a time"),
        ("original", "compiled"),
        ("served_json", "gateway, JSON"),
        ("served_binary", "gateway, binary"),
    ],
)
def test_a_planted_difference_is_found_and_put_into_words(way, subject):
    """Another filling of a missing age fails that way alone, names the rows by key, and says where they differ."""
    found = by_subject(asked(**{way: lambda frame: answer(frame, fill=20.0)}))
    finding = found[subject]
    assert finding.status is Status.FAIL
    assert "differ only where age is missing, and always there" in finding.headline
    assert finding.table.columns[0] == "id"
    assert finding.table.rows[0][0].startswith("p")
    assert {each.status for name, each in found.items() if name != subject} == {Status.PASS}


def test_noise_of_the_last_digits_is_no_difference():
    """Differences below the tolerance pass, above it they do not; a missing age lies on the very threshold, which is a tie."""
    small = by_subject(asked(original=lambda frame: answer(frame, offset=1e-7)))
    assert small["compiled"].status is Status.PASS
    large = by_subject(asked(original=lambda frame: answer(frame, offset=1e-3)))
    assert large["compiled"].status is Status.FAIL


def test_a_way_that_cannot_answer_could_not_run():
    """A model that fails behind the gateway is said with its words; without a gateway that way is not there."""

    def broken(_: pl.DataFrame) -> Answers:
        raise PredictionFailed("the served model refused rows", got="400: age must be a number")

    found = by_subject(asked(served_json=broken))
    assert found["gateway, JSON"].status is Status.COULD_NOT_RUN
    assert "age must be a number" in found["gateway, JSON"].headline
    alone = dataclasses.replace(asked(), beyond=(), compiled=False)
    assert list(by_subject(alone)) == ["one row at a time"]


def test_cells_that_differ():
    """NaN is like NaN, classes are compared as text, and what only one way answers is passed over."""
    left = Answers(
        np.array([1.0, np.nan, 3.0, 4.0]), further={"band": np.array([1, 2, 3, 4]), "more": np.zeros(4)}
    )
    right = Answers(np.array([1.0, np.nan, np.nan, 4.5]), further={"band": np.array([1, 2, 3, 5])})
    found = differences(left, right, 1e-5)
    assert found.rows.tolist() == [2, 3]
    assert found.largest == pytest.approx(1.0)
    assert [column.name for column in found.columns] == ["answer", "band"]
    assert found.cells(2)[1] == (3, "answer", 4.0, 4.5)
    undecided = Answers(np.array([None, None], dtype=object), np.array([0.2, 0.3]))
    decided = Answers(np.array(["a", "b"], dtype=object), np.array([0.2, 0.3]))
    assert [column.name for column in differences(decided, undecided, 1e-5).columns] == ["score"]


WHERE = {
    "they differ only where age is missing, and always there": lambda age, town, _: age is None,
    "they differ only where town is 'c', and always there": lambda age, town, _: town == "c",
    "they differ only where age is 70.25 or more, and always there": lambda age, town, _: (age or 0) > 70,
    "they differ only where town is 'c'": lambda age, town, row: town == "c" and row % 2 == 0,
}


@pytest.mark.parametrize("words", list(WHERE))
def test_what_differing_rows_have_in_common(words):
    """A missing value, a category, a threshold, and a condition that holds for more rows than differ."""
    frame = table()
    differs = np.array(
        [WHERE[words](age, town, row) for row, (age, town) in enumerate(frame.select("age", "town").rows())]
    )
    assert pattern(frame, ["age", "town"], differs).words == words


def test_columns_that_say_the_same_are_both_named():
    """Charges are missing exactly where tenure is 0: the missing value is named first, the other as well."""
    frame = pl.DataFrame({"tenure": [row % 50 for row in range(400)]})
    frame = frame.with_columns(charges=pl.when(pl.col("tenure") > 0).then(pl.col("tenure") * 2.0))
    words = pattern(frame, ["tenure", "charges"], frame["charges"].is_null().to_numpy()).words
    assert (
        words
        == "they differ only where charges is missing (the same rows where tenure is 0), and always there"
    )


def test_two_causes_are_told_apart_and_chance_is_not_a_cause():
    """Rows that differ for two reasons are counted by reason; rows drawn by chance have nothing in common."""
    frame = table()
    missing, town = frame["age"].is_null().to_numpy(), (frame["town"] == "b").to_numpy()
    odd = np.zeros(500, dtype=bool)
    odd[[3, 8]] = True
    found = pattern(frame, ["age", "town"], missing | town | odd)
    assert "where age is missing (always there)" in found.words
    assert "where town is 'b' (always there)" in found.words
    assert set(found.columns) == {"age", "town"}
    assert pattern(frame, ["age", "town"], np.ones(500, dtype=bool)).words == "every row differs"
    said = 0
    for seed in range(100):
        chance = np.random.default_rng(seed).random(500) < 0.1
        said += bool(pattern(frame, ["age", "town"], chance).words)
    assert said <= 3


HOW = {
    "is one minus what it was": lambda score: 1 - score,
    "is the logarithm of the odds": lambda score: np.log(score / (1 - score)),
    "is rounded to 2 digits": lambda score: np.round(score, 2),
    "is 1.02 times what it was": lambda score: score * 1.02,
    "is 0.1 less than it was": lambda score: score - 0.1,
    "is always 0.5 there": lambda score: np.full_like(score, 0.5),
    "stand in another order": lambda score: score[::-1],
}


@pytest.mark.parametrize("words", list(HOW))
def test_how_answers_differ_is_said(words):
    """Numbers turned, rounded, scaled, moved, made constant or shuffled are called that."""
    score = np.random.default_rng(0).uniform(0.01, 0.99, 200)
    found = differences(Answers(score), Answers(HOW[words](score)), 1e-5)
    assert words in how(found.columns)


def test_classes_of_other_names_are_said():
    """0 and 1 served as no and yes is one sentence; what is only partly so is not."""
    usual = Answers(np.array(["0", "1"] * 20, dtype=object))
    renamed = Answers(np.array(["no", "yes"] * 20, dtype=object))
    assert (
        how(differences(usual, renamed, 1e-5).columns)
        == "the classes have other names: '0' is 'no', '1' is 'yes'"
    )
    mixed = Answers(np.array(["no", "yes", "yes", "yes"] * 10, dtype=object))
    assert how(differences(usual, mixed, 1e-5).columns) == ""


def test_features_are_compared_cell_by_cell():
    """A feature that is computed otherwise and changes no decision fails all the same, by name."""

    def with_feature(frame: pl.DataFrame, fill: float = 50.0) -> Answers:
        made = answer(frame)
        years = frame["age"].fill_null(fill).to_numpy()
        return Answers(made.decisions, made.scores, further={"decade": np.floor(years / 10)})

    usual = dataclasses.replace(asked(version=with_feature, one=with_feature, served_json=with_feature,
                                      served_binary=with_feature, original=lambda rows: with_feature(rows, 20.0)),
                                further=("decade",))  # fmt: skip
    found = by_subject(usual)
    assert found["compiled"].status is Status.FAIL
    assert "in decade; they differ only where age is missing, and always there" in found["compiled"].headline
    assert found["gateway, JSON"].status is Status.PASS
    assert "compared: decision, score and decade" in found["gateway, JSON"].headline
    assert "input age" in found["compiled"].table.columns


def test_another_python_is_asked_where_it_is_named():
    """With `python` set there is one way more; where its environment cannot be had, that is said."""
    named = dataclasses.replace(asked(), settings={"parity": {"python": "3.12"}})
    assert by_subject(named)["Python 3.12"].status is Status.PASS

    def broken(_: pl.DataFrame) -> Answers:
        raise Unavailable("uv cannot get a Python of version 3.12", fix="name an interpreter")

    without = dataclasses.replace(asked(other_python=broken), settings={"parity": {"python": "3.12"}})
    assert by_subject(without)["Python 3.12"].status is Status.COULD_NOT_RUN
    assert by_subject(without)["Python 3.12"].advice == "name an interpreter"


def test_rows_of_one_person_are_no_pattern():
    """Everything about two people differs, and both are from Bonn: of 40 rows that is a pattern, of two people it is chance. What
    differs within every person is one all the same."""
    people = np.repeat(np.arange(20), 20)
    frame = pl.DataFrame({"town": np.where(people < 6, "Bonn", "Ulm"), "row": np.tile(np.arange(20), 20)})
    differs = people < 2
    assert "town is 'Bonn'" in pattern(frame, ["town"], differs).words
    assert pattern(frame, ["town"], differs, people).words == ""
    every = frame["row"].to_numpy() == 7
    assert "row is 7" in pattern(frame, ["row"], every, people).words


def test_rows_of_one_person_widen_the_interval():
    """The share of rows that differ counts people where rows have one, and the verdict stays: a wrong answer is wrong."""
    half = dataclasses.replace(asked(original=lambda rows: answer(rows, fill=20.0)))
    frame = half.frames[Split.TEST].sort("age", nulls_last=False).with_columns(who=pl.int_range(500) // 50)
    shares = [
        by_subject(dataclasses.replace(half, frames={Split.TEST: frame}, group=group))["compiled"]
        for group in (None, "who")
    ]
    assert shares[0].status is shares[1].status is Status.FAIL
    assert shares[0].measure.value == shares[1].measure.value
    assert shares[1].measure.high > shares[0].measure.high
