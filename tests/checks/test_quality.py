"""Data quality: each planted trouble is named, real tables show their real ones, honest ones none."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.quality.check import run
from lockgate.registry.manifest import Task


def base(rows: int = 2_000, seed: int = 0) -> pl.DataFrame:
    """An honest table."""
    generator = np.random.default_rng(seed)
    return pl.DataFrame({"age": generator.integers(18, 90, rows), "pay": generator.lognormal(8, 1, rows),
                         "city": generator.choice(["Graz", "Linz", "Wien"], rows),
                         "y": generator.integers(0, 2, rows)})  # fmt: skip


def found(train: pl.DataFrame, test: pl.DataFrame | None = None, **more: object) -> dict[str, Finding]:
    """Findings by subject."""
    frames = {Split.TRAIN: train} | ({Split.TEST: test} if test is not None else {})
    inputs = tuple(name for name in train.columns if name != "y")
    return {finding.subject: finding for finding in run(
        Evidence(frames=frames, target="y", **{"task": Task.CLASSIFICATION, "inputs": inputs, **more}))}  # fmt: skip


def test_an_honest_table_passes():
    """One finding that says nothing is wrong."""
    assert {f.status for f in found(base(), base(500, 1)).values()} == {Status.PASS}


SENTINEL = pl.when(pl.int_range(pl.len()) % 50 == 0)


@pytest.mark.parametrize(
    ("column", "subject", "says"),
    [
        (pl.lit(7).alias("z"), "constant columns", "always 7"),
        (pl.lit(None, dtype=pl.Float64).alias("z"), "empty columns", "no value"),
        (pl.when(pl.int_range(pl.len()) < 20).then(1.0).alias("z"), "mostly missing columns", "99.0 %"),
        ((pl.col("pay") * 1.0).alias("z"), "copies of a column", "equals pay"),
        (
            SENTINEL.then(-999.0).otherwise(pl.col("pay")).alias("z"),
            "numbers that stand for 'missing'",
            "-999 in 40 rows",
        ),
        (
            SENTINEL.then(999_999.0).otherwise(pl.col("age")).alias("z"),
            "numbers that stand for 'missing'",
            "999999 in 40 rows",
        ),
        (
            SENTINEL.then(pl.lit("?")).otherwise(pl.col("city")).alias("z"),
            "text that stands for 'missing'",
            "'?' in 40 rows",
        ),
        (
            SENTINEL.then(pl.lit("12 kg")).otherwise(pl.col("age").cast(pl.String)).alias("z"),
            "text among numbers",
            "'12 kg'",
        ),
        (SENTINEL.then(float("inf")).otherwise(pl.col("pay")).alias("z"), "infinite values", "40 infinite"),
        (pl.format("cust-{}", pl.int_range(pl.len())).alias("z"), "identifiers", "a value of its own"),
    ],
)
def test_each_trouble_is_named(column, subject, says):
    """A planted column is the only one named, with what is wrong."""
    frame = base().with_columns(column)
    findings = found(frame)
    assert list(findings) == [subject]
    assert findings[subject].headline.startswith("z")
    assert says in findings[subject].headline


@pytest.mark.parametrize(
    ("name", "values", "says"),
    [
        ("z", [f"user{n}@example.org" for n in range(40)], "e-mail addresses"),
        ("z", [f"+43 660 12345{n:02}" for n in range(40)], "phone numbers"),
        (
            "z",
            ["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR1420041010050500013M02606"],
            "IBAN",
        ),
        ("z", ["4111111111111111", "5500 0000 0000 0004", "3400-0000-0000-009"], "card numbers"),
        ("z", [f"10.0.{n}.7" for n in range(40)], "network addresses"),
        ("last_name", [f"Mac{chr(97 + n % 26)}{chr(97 + n // 26)}" for n in range(200)], "names of people"),
    ],
)
def test_personal_data_are_named_once(name, values, says):
    """Each kind by its pattern, as the only finding of its column, and no value of it stands in the finding."""
    frame = base().with_columns(pl.Series(name, (values * 2_000)[:2_000]))
    findings = found(frame)
    assert list(findings) == ["personal data"]
    assert says in findings["personal data"].headline
    assert values[0] not in str(findings["personal data"])


def test_what_only_looks_personal_is_left_alone():
    """Wrong check digits, dates, decimals, codes and a few product names are no personal data."""
    columns = {
        "iban": [f"GB{n} WEST 1234 5698 7654 32" for n in (83, 84, 85)],
        "card": [str(4111111111111112 + 10 * n) for n in range(3)],
        "day": ["01-02-2020", "03-02-2020", "2020-01-01"], "code": ["0043-A", "00-12", "+1"], "name": ["tea", "milk", "rum"],
    }  # fmt: skip
    draw = np.random.default_rng(0)
    frame = base().with_columns(
        **{key: pl.Series(draw.choice(values, 2_000)) for key, values in columns.items()}
    )
    assert {f.status for f in found(frame).values()} == {Status.PASS}


def test_a_day_that_stands_for_missing():
    """1900-01-01 among days of 2024 is named; the same day at the end of days around it is not."""
    days = [dt.date(2024, 1, 1) + dt.timedelta(n % 300) for n in range(2_000)]
    frame = base().with_columns(z=pl.Series(days))
    assert {f.status for f in found(frame).values()} == {Status.PASS}
    holed = frame.with_columns(z=SENTINEL.then(pl.date(1900, 1, 1)).otherwise("z"))
    (finding,) = found(holed).values()
    assert "z: 1900-01-01 in 40 rows" in finding.headline
    old = [dt.date(1900, 1, 1) + dt.timedelta(n % 300) for n in range(2_000)]
    assert {f.status for f in found(base().with_columns(z=pl.Series(old))).values()} == {Status.PASS}


def test_codes_and_honest_extremes_are_left_alone():
    """-1/0/1 codes, ages to 109 and a heavy tail are no sentinels; free text and spread numbers are no identifiers."""
    generator = np.random.default_rng(0)
    frame = base().with_columns(
        code=pl.Series(generator.choice([-1.0, 0.0, 1.0], 2_000)),
        old=pl.Series(generator.integers(20, 110, 2_000)),
        tail=pl.Series(generator.pareto(1.0, 2_000)),
        said=pl.Series([f"a text of its own {n}" for n in generator.permutation(2_000)]),
        income=pl.Series(generator.permutation(10_000_000)[:2_000]),
    )  # fmt: skip
    assert {f.status for f in found(frame).values()} == {Status.PASS}


def test_unseen_categories_and_ranges():
    """A city that training never showed and prices in another unit are named, with shares; a rare one is not."""
    train, test = base(), base(1_000, 1)
    moved = test.with_columns(pl.when(pl.int_range(pl.len()) < 100).then(pl.lit("Bonn")).otherwise("city").alias("city"),
                              pay=pl.col("pay") * 100)  # fmt: skip
    findings = found(train, moved)
    assert (
        "10.0 % of test rows have a value in city that training never showed (Bonn)"
        in findings["unseen categories"].headline
    )
    assert findings["out of range"].headline.split()[6] == "pay"
    rare = test.with_columns(
        pl.when(pl.int_range(pl.len()) < 8).then(pl.lit("Bonn")).otherwise("city").alias("city")
    )
    assert {f.status for f in found(train, rare).values()} == {Status.PASS}


def test_subjects_on_both_sides_of_a_split_are_named():
    """Patients of the test rows that training has too are counted; a split by patient is silent."""
    train = base().with_columns(patient=pl.int_range(pl.len()) % 500)
    test = base(400, 1).with_columns(patient=480 + pl.int_range(pl.len()) % 100)
    finding = found(train, test, group="patient", inputs=("age", "pay", "city"))["repeated subjects"]
    assert "20.0 % of test rows belong to a patient that training has too" in finding.headline
    apart = test.with_columns(pl.col("patient") + 1_000)
    assert {
        f.status for f in found(train, apart, group="patient", inputs=("age", "pay", "city")).values()
    } == {Status.PASS}


def test_labels_that_lack_or_cannot_be_learned():
    """Missing labels, one class only, a class of three rows and a class that training lacks."""
    gaps = base().with_columns(pl.when(pl.int_range(pl.len()) % 4 > 0).then("y").alias("y"))
    assert (
        "25.0 % of the training rows have no value in y"
        in found(gaps)["labels of the training rows"].headline
    )
    assert found(base().with_columns(y=pl.lit(1)))["labels of the training rows"].status is Status.FAIL
    rare = base().with_columns(y=pl.Series([2] * 3 + [0, 1] * 998 + [0]))
    assert "2 has fewer than 10 rows" in found(rare)["rare classes in the training rows"].headline
    new = found(base(), base(500, 1).with_columns(y=pl.Series([0, 5] * 250)))["new classes in the test rows"]
    assert new.headline == "5 is never seen in training."


def test_the_census_shows_its_question_marks(adult):
    """The census' '?' columns and its education, which stands there twice, are found; nothing else is called wrong."""
    inputs = tuple(name for name in adult.columns if name != "income")
    marks, twice = run(
        Evidence(task=Task.CLASSIFICATION, inputs=inputs, frames={Split.TRAIN: adult}, target="income")
    )
    assert [row[0] for row in marks.table.rows] == ["workclass", "occupation", "native_country"]
    assert twice.subject == "columns that say the same"
    assert twice.headline.startswith("education_num: says what education says in other words")


def test_ignored_columns_are_not_looked_at():
    """`ignore` in the settings silences a column."""
    frame = base().with_columns(z=pl.lit(7))
    assert {f.status for f in found(frame, settings={"quality": {"ignore": ["z"]}}).values()} == {Status.PASS}


def test_what_an_identifier_is():
    """Row numbers and hashes are; measured numbers, few rows, times and truth values are not."""
    assert looks_like_identifier(pl.Series([float(n) for n in range(100)]))
    assert looks_like_identifier(pl.Series([f"{n:032x}" for n in range(100)]))
    assert not looks_like_identifier(pl.Series(range(20)))
    assert not looks_like_identifier(pl.Series([n / 7 for n in range(100)]))
    assert not looks_like_identifier(pl.Series([True, False] * 50))


def test_one_odd_word_is_not_how_a_column_says_missing():
    """'Unknown' in one of 1,400 rows is a value; in three of them, or in two of a hundred, it stands for "missing"."""
    subject = "text that stands for 'missing'"
    for rows, odd, said in ((1_400, 1, False), (1_400, 3, True), (100, 2, True)):
        words = ["Unknown"] * odd + ["red", "blue"] * ((rows - odd) // 2) + ["red"] * ((rows - odd) % 2)
        frame = pl.DataFrame({"colour": words, "x": np.random.default_rng(0).normal(size=rows)})
        assert (subject in found(frame, inputs=("colour", "x"))) == said
