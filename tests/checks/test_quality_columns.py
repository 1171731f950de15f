"""Zeros and codes for "missing", spellings, garbled text, columns that say the same, limits, order of rows: each is named
where it was planted, and what only looks like it is left alone."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest
from tests.checks.test_quality import base, found

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.quality.check import run
from lockgate.registry.manifest import Task


def with_z(values: np.ndarray | list, rows: int = 2_000) -> pl.DataFrame:
    """An honest table and a column z."""
    return base(rows).with_columns(z=pl.Series(values))


def holed(values: np.ndarray, code: float, every: int = 40) -> np.ndarray:
    """Numbers whose every so many-th is a code."""
    return np.where(np.arange(values.size) % every == 0, code, values)


def subjects(frame: pl.DataFrame, **more: object) -> list[str]:
    """What was found, but for "nothing wrong"."""
    return [each for each, finding in found(frame, **more).items() if finding.status is not Status.PASS]


@pytest.mark.parametrize("seed", range(5))
def test_zeros_that_stand_for_missing(seed):
    """Zeros below measured numbers that never come near zero are named, whole numbers and fractions alike."""
    draw = np.random.default_rng(seed)
    measured = (
        draw.normal(72, 12, 2_000).round(), draw.normal(32, 5, 2_000), 60 + draw.gamma(2, 80, 2_000),
        -draw.uniform(70, 120, 2_000),
    )  # fmt: skip
    for values in measured:
        (finding,) = found(with_z(holed(values, 0.0))).values()
        assert finding.subject == "numbers that stand for 'missing'"
        assert "z: 0 in 50 rows, other values lie between" in finding.headline


@pytest.mark.parametrize("seed", range(5))
def test_zeros_that_mean_zero(seed):
    """Counts, amounts that begin near zero, shares, steps of five and columns that are mostly zero are left alone."""
    draw = np.random.default_rng(seed)
    honest = (
        holed(20 + draw.gamma(2, 80, 2_000), 0.0, 5), draw.poisson(3, 2_000), draw.poisson(30, 2_000), draw.exponential(5, 2_000),
        holed(draw.lognormal(3, 1.5, 2_000), 0.0), draw.uniform(0, 1, 2_000), draw.integers(0, 30, 2_000) * 5,
        np.where(draw.random(2_000) < 0.8, 0.0, draw.normal(500, 50, 2_000)), draw.normal(0, 1, 2_000),
    )  # fmt: skip
    for values in honest:
        assert subjects(with_z(values)) == []


def test_codes_are_found_together():
    """999 and 888 at one end, and -1 far more often than zero beside counts; -1 in balanced differences is a number."""
    draw = np.random.default_rng(0)
    ages = holed(holed(draw.integers(18, 90, 2_000).astype(float), 999.0), 888.0, 37)
    (finding,) = found(with_z(ages)).values()
    assert {row[1].split()[0] for row in finding.table.rows} == {"999", "888"}
    counts = holed(draw.poisson(4, 2_000).astype(float), -1.0, 10)
    assert "-1 in 200 rows" in found(with_z(counts))["numbers that stand for 'missing'"].headline
    assert subjects(with_z(np.maximum(draw.poisson(2, 2_000) - 1, -1))) == []
    assert subjects(with_z(draw.integers(0, 5, 2_000) - 2)) == []


def test_categories_in_several_spellings():
    """Spaces, capitals and accents are seen through; different words, letters of a code and free text are left alone."""
    draw = np.random.default_rng(0)
    cities = draw.choice(
        ["Berlin", "berlin ", "München", "Munchen", "Köln"], 2_000, p=[0.4, 0.1, 0.3, 0.1, 0.1]
    )
    (finding,) = found(with_z(cities)).values()
    assert finding.subject == "categories written in several ways"
    assert "'berlin ' beside 'Berlin', and 1 more categories" in finding.headline
    assert subjects(with_z(draw.choice(["oui", "non", "a b", "ab", "A-B"], 2_000))) == []
    assert subjects(with_z(draw.choice(list("aAbBcCdD"), 2_000))) == []
    assert subjects(with_z(draw.choice(["m", "M", "f"], 2_000))) == ["categories written in several ways"]


def test_garbled_text():
    """UTF-8 that was read as Latin-1 is shown with what it was; honest letters of many languages are left alone."""
    towns = ["München", "Zürich", "Graz", "São Paulo", "Łódź", "Ærø", "Ñandú", "Москва", "東京"]
    wrong = [town.encode().decode("cp1252", "replace") if town == "Zürich" else town for town in towns]
    draw = np.random.default_rng(0)
    assert subjects(with_z(draw.choice(towns, 2_000))) == []
    (finding,) = found(with_z(draw.choice(wrong, 2_000))).values()
    assert "'ZÃ¼rich' was 'Zürich'" in finding.headline


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (pl.col("pay") * 1.8 + 32, "is 1.8 x pay + 32"),
        ((pl.col("pay") / 50).round() * 50, "is pay rounded to 50"),
        (pl.col("pay").log(), "has the same order as pay"),
        (pl.col("pay") * (1 + pl.int_range(pl.len()) % 7 / 1_000), "says what pay says"),
        (
            pl.col("city").replace_strict({"Graz": 3, "Linz": 1, "Wien": 2}),
            "says what city says in other words",
        ),
    ],
)
def test_columns_that_say_the_same(made, says):
    """Another unit, a rounding, a logarithm, a trembling copy, a recoding: named with how."""
    findings = found(base().with_columns(z=made))
    assert list(findings) == ["columns that say the same"]
    assert says in findings["columns that say the same"].headline


def test_related_columns_are_left_alone():
    """A strong relation (0.99), two counters in file order, two flags and categories that mostly agree say different things."""
    draw = np.random.default_rng(7)
    frame = base()
    pay = frame["pay"].to_numpy()
    flags = draw.integers(0, 2, 2_000)
    related = frame.with_columns(
        z=pl.Series(pay * np.exp(draw.normal(0, 0.1, 2_000))), at=pl.Series(np.cumsum(draw.exponential(1, 2_000))),
        done=pl.Series(np.cumsum(draw.poisson(3, 2_000))), yes=pl.Series(flags), no=pl.Series(1 - flags),
        town=pl.Series(np.where(draw.random(2_000) < 0.98, frame["city"].to_numpy(), "Graz")),
    )  # fmt: skip
    assert subjects(related) == []


def test_columns_that_are_cut_off():
    """A pile at the largest value is named in a column and in the target; natural ends, ratings and heaps are not."""
    draw = np.random.default_rng(0)
    years = np.minimum(draw.exponential(20, 2_000), 52)
    assert (
        "52 is the largest value and stands in" in found(with_z(years))["columns cut off at the top"].headline
    )
    natural = (
        draw.exponential(20, 2_000), np.minimum(draw.normal(80, 20, 2_000), 100), draw.binomial(30, 0.9, 2_000),
        draw.choice([1, 2, 3, 4, 5], 2_000, p=[0.1, 0.1, 0.1, 0.1, 0.6]), (draw.lognormal(3, 1, 2_000) / 10).round() * 10,
    )  # fmt: skip
    for honest in natural:
        assert subjects(with_z(honest)) == []
    prices = base().with_columns(y=pl.Series(np.minimum(draw.lognormal(3, 0.6, 2_000), 50.0)))
    (finding,) = found(prices, task=Task.REGRESSION).values()
    assert "y seems to be cut off at 50" in finding.headline


def test_rows_in_the_order_of_the_target():
    """Rows sorted by class or by number are named; shuffled ones, batches, and rows in order of time are not."""
    frame = base().with_columns(y=pl.Series(np.random.default_rng(0).choice(list("abc"), 2_000)))
    assert subjects(frame) == []
    named = found(frame.sort("y"))["order of rows"]
    assert "seem to stand in the order of y" in named.headline
    days = pl.Series([dt.date(2020, 1, 1) + dt.timedelta(n) for n in range(2_000)])
    assert subjects(frame.sort("y").with_columns(at=days), inputs=("age", "pay", "city")) == []
    text = days.cast(pl.String)
    assert subjects(frame.sort("y").with_columns(at=text), inputs=("age", "pay", "city")) == []
    number = base().with_columns(y=pl.col("pay") + pl.col("age"))
    assert subjects(number, task=Task.REGRESSION) == []
    assert subjects(number.sort("y", descending=True), task=Task.REGRESSION) == ["order of rows"]


def test_a_column_of_another_type():
    """Numbers that came as words fail with the share; numbers as text, truth values as 0 and 1, and an empty column do not."""
    train, test = base(), base(500, 1)
    words = test.with_columns(
        age=pl.when(pl.col("age") > 60).then(pl.lit("old")).otherwise(pl.col("age").cast(pl.String))
    )
    finding = found(train, words)["new types"]
    assert finding.status is Status.FAIL
    assert finding.headline.startswith("age holds numbers in training and text in the test rows")
    for same in (
        pl.col("age").cast(pl.String),
        pl.lit(None, dtype=pl.String).alias("age"),
        pl.col("age").cast(pl.Float32),
    ):
        assert "new types" not in found(train, test.with_columns(same))


def test_unseen_spellings_are_held_against_the_known():
    """A category of the test rows that training has in another spelling is shown beside it."""
    test = base(500, 1).with_columns(pl.col("city").replace({"Graz": "graz "}))
    assert "'graz ' for 'Graz'" in found(base(), test)["unseen categories"].headline


def test_a_wide_table_takes_no_longer_than_it_must():
    """Three hundred columns that say the same ten things: each further one is named once."""
    draw = np.random.default_rng(0)
    first = draw.normal(size=(500, 10))
    frame = pl.DataFrame({f"c{n}": first[:, n % 10] * (n + 1) for n in range(300)})
    frame = frame.with_columns(y=pl.Series(draw.integers(0, 2, 500)))
    inputs = tuple(name for name in frame.columns if name != "y")
    (finding,) = run(
        Evidence(task=Task.CLASSIFICATION, inputs=inputs, frames={Split.TRAIN: frame}, target="y")
    )
    assert finding.measure.value == 290
