"""Parity: every planted difference is found, listed and put into words; ways that agree are left alone."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from lockgate.checks.evidence import Answers, Asked, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.parity.check import run
from lockgate.checks.parity.differences import differences, pattern
from lockgate.checks.values import class_names
from lockgate.errors import PredictionFailed
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


def test_cells_and_patterns():
    """NaN is like NaN, classes are compared as text, and values, ranges and missing values are recognised."""
    left = Answers(np.array([1.0, np.nan, 3.0, 4.0]))
    right = Answers(np.array([1.0, np.nan, np.nan, 4.5]))
    found = differences(left, right, 1e-5)
    assert found.rows.tolist() == [2, 3]
    assert found.largest == pytest.approx(0.5)
    frame = pl.DataFrame({"n": list(range(8)), "town": ["x"] * 4 + ["y"] * 4, "list": [[1]] * 8})
    last = np.array([False] * 4 + [True] * 4)
    assert pattern(frame, ["list", "town"], last) == "they differ only where town is 'y', and always there"
    assert pattern(frame, ["n"], last) == "they differ where n is 4 or more, and only there"
    assert pattern(frame, ["n"], ~last) == "they differ where n is 3 or less, and only there"
    assert pattern(frame, ["n", "town"], np.array([True, False] * 4)) == ""
