"""Each finding about data names a step, and running the step makes the finding go away: for every kind of trouble."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from tests.reports.test_data_profile import version

from lockgate.checks.evidence import Split
from lockgate.checks.finding import Finding, Status
from lockgate.datasets.expectations import ColumnExpected, Expectations, broken_by
from lockgate.reports.data_findings import findings_beside, named, table_findings
from lockgate.reports.data_repairs import step_of

ROWS = 600


def sound(seed: int = 0, rows: int = ROWS) -> pl.DataFrame:
    """A table with nothing wrong, in the order of time."""
    rng = np.random.default_rng(seed)
    start = dt.datetime(2026, 1, 1) + dt.timedelta(days=400 * seed)
    x, y = rng.normal(size=(2, rows))
    return pl.DataFrame(
        {
            "x": x, "y": y, "z": rng.gamma(2.0, 10.0, rows), "town": rng.choice(["Bonn", "Ulm", "Köln"], rows),
            "count": rng.integers(20, 60, rows), "who": [f"p{n}" for n in rng.integers(0, rows, rows) + seed * rows],
            "at": [start + dt.timedelta(hours=h) for h in np.sort(rng.integers(0, 5_000, rows)).tolist()],
            "bought": np.where(rng.random(rows) < 1 / (1 + np.exp(-x - y)), "yes", "no"),
        }
    )  # fmt: skip


def some(first: pl.Expr | object, name: str, every: int = 9) -> pl.Expr:
    """Other values in some rows."""
    return pl.when(pl.int_range(pl.len()) % every == 0).then(first).otherwise(pl.col(name)).alias(name)


def spoilt(*changes: pl.Expr, **more: pl.Expr) -> pl.DataFrame:
    """The sound table with changes."""
    return sound().with_columns(*changes, **more)


ALONE: dict[str, pl.DataFrame] = {
    "empty columns": spoilt(pl.lit(None, dtype=pl.Float64).alias("nothing")),
    "infinite values": spoilt(some(pl.lit(float("inf")), "x")),
    "numbers that stand for 'missing'": spoilt(some(pl.lit(-999.0), "x"), some(pl.lit(2147483647), "count"),
                                                some(pl.lit(dt.date(1900, 1, 1)), "at").cast(pl.Date)),
    "text that stands for 'missing'": spoilt(some(pl.lit(" ? "), "town"), some(pl.lit("N/A"), "who")),
    "text among numbers": spoilt(some(pl.lit("abc"), "x")),
    "garbled text": spoilt(pl.col("town").replace("Köln", "KÃ¶ln")),
    "categories written in several ways": spoilt(some(pl.col("town").str.to_uppercase() + " ", "town")),
    "mostly missing columns": spoilt(pl.when(pl.int_range(pl.len()) < 9).then(1.5).alias("rare")),
    "constant columns": spoilt(pl.lit(7).alias("same")),
    "copies of a column": spoilt(pl.col("x").alias("x2")),
    "columns that say the same": spoilt((pl.col("z") * 1.8 + 32).alias("f")),
    "columns cut off at the top": spoilt(pl.col("z").clip(upper_bound=30.0)),
    "personal data": spoilt(pl.format("{}@example.org", "who").alias("mail")),
    "identifiers": spoilt(pl.int_range(pl.len()).alias("row").cast(pl.String)),
    "labels of the training rows": spoilt(some(pl.lit(None), "bought")),
    "rare classes in the training rows": spoilt(
        bought=pl.when(pl.int_range(pl.len()) < 4).then(pl.lit("maybe")).otherwise("bought")
    ),
    "order of rows": sound().sample(fraction=1.0, shuffle=True, seed=1).sort("bought"),
    "repeated": pl.concat([sound(), sound().head(60)]),
    "told": spoilt(pl.when(pl.col("bought") == "yes").then(1.0).otherwise(0.0).alias("told")),
}  # fmt: skip


def alone(frame: pl.DataFrame) -> dict[str, Finding]:
    """What is found in a table, by subject."""
    found = table_findings(
        version(frame), frame, named(frame, "bought", group="who" if "who" in frame.columns else "")
    )
    return {
        each.subject: each for each in found if each.status is not Status.PASS and each.check != "contract"
    }


def done(step: str | None, **tables: pl.DataFrame) -> pl.DataFrame:
    """A table after a step."""
    assert step is not None
    made = eval(step, {"pl": pl, **tables})
    assert isinstance(made, pl.DataFrame)
    assert made.height
    return made


def test_a_sound_table_needs_no_step() -> None:
    """Neither alone nor beside another one."""
    assert alone(sound()) == {}
    about = named(sound(), "bought", "at", "who")
    assert findings_beside(sound(1), Split.TEST, sound(0), about) == []


@pytest.mark.parametrize("subject", ALONE)
def test_a_step_repairs_what_a_table_has(subject: str) -> None:
    """The finding is there, its step runs, and then it is gone."""
    frame = ALONE[subject]
    found = alone(frame)
    assert subject in found
    assert subject not in alone(done(step_of(found[subject]), frame=frame))


BESIDE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "rows of training in test": lambda test: pl.concat([test, sound(0).head(90)]),
    "new types": lambda test: test.with_columns(pl.col("count").cast(pl.String).replace("30", "thirty")),
    "unseen categories": lambda test: test.with_columns(some(pl.lit("Rome"), "town")),
    "out of range": lambda test: test.with_columns(some(pl.lit(900), "count", 5)),
    "new classes in the test rows": lambda test: test.with_columns(some(pl.lit("maybe"), "bought")),
    "time (at)": lambda test: test.with_columns(pl.col("at") - pl.duration(days=800)).vstack(test.tail(5)),
    "repeated subjects": lambda test: test.with_columns(
        who=pl.concat([sound(0)["who"].head(300), test["who"].tail(300)])
    ),
}  # fmt: skip


@pytest.mark.parametrize("subject", BESIDE)
def test_a_step_repairs_what_two_tables_share(subject: str) -> None:
    """Rows, subjects and times on both sides, and what training never showed; the step is about the table that was added."""
    train, test = sound(0), BESIDE[subject](sound(1))
    about = named(test, "bought", "at", "who")

    def found(table: pl.DataFrame) -> dict[str, Finding]:
        return {each.subject: each for each in findings_beside(table, Split.TEST, train, about)}

    step = step_of(found(test)[subject])
    assert subject not in found(done(step, frame=test, train=train))


def test_training_rows_that_come_after_their_test_are_mended_too() -> None:
    """The step of the other side: training rows from before the first test row are kept."""
    train, test = pl.concat([sound(0), sound(2)]), sound(1)
    about = named(train, "bought", "at", "who")
    (late,) = [
        each for each in findings_beside(train, Split.TRAIN, test, about) if each.subject == "time (at)"
    ]
    mended = done(step_of(late), frame=train, test=test)
    assert [each.subject for each in findings_beside(mended, Split.TRAIN, test, about)] == []


CONTRACTS: list[tuple[pl.DataFrame, Expectations]] = [
    (spoilt(some(pl.lit(None), "x", 2)), Expectations(columns={"x": ColumnExpected(missing=0.1)})),
    (spoilt(some(pl.lit(float("nan")), "x", 2)), Expectations(columns={"x": ColumnExpected(missing=0.1)})),
    (sound(), Expectations(columns={"x": ColumnExpected(least=-0.1, most=1.0)})),
    (spoilt(pl.col("x").cast(pl.String)), Expectations(columns={"x": ColumnExpected(kind="number")})),
    (spoilt(pl.col("at").dt.to_string("iso")), Expectations(columns={"at": ColumnExpected(kind="time")})),
    (
        spoilt((pl.col("x") > 0).cast(pl.String).alias("t")),
        Expectations(columns={"t": ColumnExpected(kind="truth")}),
    ),
    (spoilt(pl.col("count")), Expectations(columns={"count": ColumnExpected(kind="text")})),
    (sound(), Expectations(columns={"town": ColumnExpected(values=("Bonn", "Ulm"))})),
    (sound(), Expectations(columns={"who": ColumnExpected(unique=True)})),
    (sound().select("x", "y"), Expectations(columns={"x": ColumnExpected()}, closed=True)),
]


@pytest.mark.parametrize("place", range(len(CONTRACTS)))
def test_a_step_repairs_what_breaks_a_contract(place: int) -> None:
    """Missing values, ranges, kinds, categories, repeats, further columns: after the steps the contract is kept."""
    frame, expects = CONTRACTS[place]
    broken = broken_by(frame, expects)
    assert broken
    for one in broken:
        frame = done(one.repair, frame=frame)
    assert broken_by(frame, expects) == ()
