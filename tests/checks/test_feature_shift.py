"""Each planted fault is named in the right column, each clean table is silent, and what matters comes first."""

from __future__ import annotations

import dataclasses
import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.checks.conftest import CAR_INPUTS, evidence_of, package

from lockgate.checks.evidence import Evidence, Previous, Split
from lockgate.checks.feature_shift.check import run
from lockgate.checks.finding import Finding, Status
from lockgate.registry.manifest import Task

ROWS = 2_000


def table(seed: int, rows: int = ROWS) -> pl.DataFrame:
    """Clean rows: numbers of several shapes, words, truth, 200 categories, days, lists."""
    draw = np.random.default_rng(seed)
    days = [dt.date(2024, 1, 1) + dt.timedelta(int(n)) for n in draw.integers(0, 90, rows)]
    return pl.DataFrame({
        "a": draw.normal(size=rows), "b": draw.exponential(size=rows) * 100, "k": draw.poisson(3, rows),
        "w": draw.choice(["red", "green", "blue"], rows), "t": draw.random(rows) < 0.3, "day": days,
        "many": draw.choice([f"c{n}" for n in range(200)], rows), "list": [[1.0, 2.0]] * rows,
    })  # fmt: skip


def found(before: pl.DataFrame, after: pl.DataFrame, **settings: object) -> list[Finding]:
    """What the check says of two tables without a model."""
    given = Evidence(task=Task.CLASSIFICATION, inputs=tuple(dict.fromkeys([*before.columns, *after.columns])),
                     frames={Split.TRAIN: before, Split.TEST: after}, settings={"feature_shift": settings})  # fmt: skip
    return run(given)


HOLES = np.random.default_rng(9).random(ROWS) < 0.3
FAULTS = {
    "empty": ("a", pl.lit(None, dtype=pl.Float64), "no value any more", Status.FAIL),
    "holes": ("a", pl.when(pl.lit(pl.Series(HOLES))).then(None).otherwise(pl.col("a")), "is missing in", Status.WARN),
    "text": ("a", pl.col("a").cast(pl.String) + "x", "held numbers and now holds text", Status.FAIL),
    "infinite": ("b", pl.when(pl.int_range(pl.len()) == 3).then(np.inf).otherwise(pl.col("b")), "infinity in 1 row", Status.FAIL),
    "unseen": ("w", pl.when(pl.col("w") == "red").then(pl.lit("pink")).otherwise(pl.col("w")), "never seen before", Status.WARN),
    "constant": ("k", pl.lit(3, dtype=pl.Int64), "is always 3 now", Status.FAIL),
    "one word": ("w", pl.lit("red"), "is always 'red' now", Status.FAIL),
    "unit": ("b", pl.col("b") * 1_000, "went up by", Status.WARN),
    "truth": ("t", pl.lit(True), "is always 'true' now", Status.FAIL),
    "lists": ("a", pl.concat_list("a"), "now holds lists", Status.FAIL),
    "a little": ("a", pl.col("a") + 0.2, "went up by 0.", Status.WARN),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_named_and_nothing_else(fault):
    """One finding for one broken column, with what happened to it; the other columns are left in peace."""
    column, expression, says, status = FAULTS[fault]
    after = table(2).with_columns(expression.alias(column))
    (finding,) = [each for each in found(table(1), after) if each.status is not Status.PASS]
    assert finding.status is status
    assert f"'{column}'" in finding.headline
    assert says in finding.headline
    assert finding.table is not None
    assert len(finding.table.rows) == 1


def test_columns_gone_new_and_exchanged():
    """A column that is gone fails, a new one warns, two that hold each other's values are named as a pair."""
    before, after = table(1), table(2)
    (gone,) = found(before, after.drop("w"))
    assert (gone.status, "'w' is gone" in gone.headline) == (Status.FAIL, True)
    (new,) = found(before, after.with_columns(z=pl.lit(1)))
    assert (new.status, "'z' is new" in new.headline) == (Status.WARN, True)
    (pair,) = found(before, after.rename({"a": "b", "b": "a"}))
    assert "'a' holds what 'b' held before" in pair.headline


def test_clean_tables_are_silent():
    """Thirty pairs of clean tables, among them columns of 200 categories: at most three alarms."""
    alarms = [
        each.headline
        for seed in range(30)
        for each in found(table(seed), table(seed + 100))
        if each.status is not Status.PASS
    ]
    assert len(alarms) <= 3


@pytest.mark.parametrize("rows", [0, 1, 2, 30])
def test_few_rows_are_no_alarm_and_said(rows):
    """With none to thirty rows nothing can be said of shifts, and the sentence says so."""
    (finding,) = found(table(1), table(2, rows))
    assert finding.status is Status.PASS
    assert "so few rows" in finding.headline


def test_car_loans_move_where_they_truly_move(car_loan):
    """T1: the first half of production is quiet; in the second the columns that moved are named, those that did not are not."""
    later = pl.read_csv(package("nannyml") / "datasets/data/synthetic_car_loan_analysis.csv")
    before = car_loan.select(CAR_INPUTS)
    (quiet,) = found(before, later[:5_000].select(CAR_INPUTS))
    assert quiet.status is Status.PASS
    (loud,) = found(before, later[25_000:30_000].select(CAR_INPUTS))
    moved = {row[0] for row in loud.table.rows}
    assert moved >= {"car_value", "loan_length", "repaid_loan_on_prev_car"}
    assert loud.table.rows[0][0] == "car_value"
    assert not {"debt_to_income_ratio", "driver_tenure"} & moved


CHUNKS = {
    "car loans": ("synthetic_car_loan", CAR_INPUTS, 5_000, {"car_value", "loan_length"}),
    "used cars": ("regression_synthetic", ("car_age", "km_driven", "price_new", "accident_count", "door_count", "fuel",
                  "transmission"), 6_000, {"fuel", "car_age", "accident_count"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CHUNKS)
def test_quiet_chunks_are_quiet_and_drifted_ones_are_named(name):
    """T1 and T2: ten chunks of production; the first five pass, each of the last five warns and names the columns."""
    stem, inputs, rows, columns = CHUNKS[name]
    folder = package("nannyml") / "datasets/data"
    before = pl.read_csv(folder / f"{stem}_reference.csv").select(inputs)
    later = pl.read_csv(folder / f"{stem}_analysis.csv").select(inputs)
    for chunk in range(10):
        (finding,) = found(before, later[chunk * rows : (chunk + 1) * rows])
        assert finding.status is (Status.PASS if chunk < 5 else Status.WARN), chunk
        if chunk >= 5:
            assert {row[0] for row in finding.table.rows} >= columns


def test_what_matters_comes_first_and_what_does_not_is_no_warning():
    """With a model to ask, a small move of the column that decides outranks a large one of a column that does nothing."""
    draw = np.random.default_rng(0)
    frames = [pl.DataFrame(draw.normal(size=(2_000, 3)), schema=["x", "idle", "also"]) for _ in range(2)]
    frames = [each.with_columns(y=(pl.col("x") > 0).cast(pl.Int64)) for each in frames]
    given = evidence_of(
        frames[0], frames[1].with_columns(pl.col("x") + 0.3, pl.col("idle") + 2), ("x", "idle", "also"), "y"
    )
    (finding,) = run(given)
    assert finding.status is Status.WARN
    assert [row[0] for row in finding.table.rows] == ["x", "idle"]
    (idle,) = run(
        evidence_of(frames[0], frames[1].with_columns(pl.col("idle") + 2), ("x", "idle", "also"), "y")
    )
    assert idle.status is Status.PASS
    assert "hardly depend" in idle.headline


def test_the_last_validation_is_a_reference_of_its_own():
    """Rows of the version before are compared too, unless they are the same ones; without any, the check could not run."""
    before, same, after = table(1), table(2), table(3).with_columns(pl.col("a") + 1)

    def against(earlier: pl.DataFrame, **frames: pl.DataFrame) -> list[Finding]:
        tables = {Split(name): frame for name, frame in frames.items()}
        previous = Previous(name="loans/1", frames={Split.TEST: earlier})
        return run(Evidence(task=Task.OTHER, inputs=("a", "b"), frames=tables, previous=previous))

    two = against(same, train=before, test=after)
    assert [each.subject for each in two] == ["against the training rows", "against the rows of loans/1"]
    (none,) = against(after, test=after)
    assert none.status is Status.COULD_NOT_RUN


def test_a_limit_of_the_project_fails():
    """Beyond a limit that was set, the whole interval included, a move fails; an ignored column is not looked at."""
    after = table(2).with_columns(pl.col("a") + 1)
    assert found(table(1), after, fail=0.5)[0].status is Status.FAIL
    assert found(table(1), after, fail=1.5)[0].status is Status.WARN
    assert found(table(1), after, ignore=["a"])[0].status is Status.PASS


@pytest.mark.parametrize(("by", "status"), [(0.0, Status.PASS), (1.5, Status.WARN)])
def test_columns_of_people_count_people(by, status):
    """A town and an income that are the same in all 40 rows of a person: thirty others differ by chance, which is no shift;
    taken for strangers they would be one. Thirty others who earn much more are one."""
    draw = np.random.default_rng(4)

    def table(first: int, more: float) -> pl.DataFrame:
        people = np.repeat(np.arange(30), 40)
        income, town = draw.normal(more, 1, 30), draw.choice(["Bonn", "Ulm", "Wien"], 30)
        return pl.DataFrame({"who": people + first, "income": income[people], "town": town[people]})

    given = Evidence(task=Task.CLASSIFICATION, inputs=("income", "town"),
                     frames={Split.TRAIN: table(0, 0.0), Split.TEST: table(30, by)})  # fmt: skip
    assert run(given)[0].status is Status.WARN
    assert run(dataclasses.replace(given, group="who"))[0].status is status
