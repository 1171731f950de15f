"""A data version as a page: planted faults are found with the step that repairs them; a clean table has none."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from lockgate.checks.finding import Status
from lockgate.datasets.content import digest_of_frame
from lockgate.datasets.expectations import broken_by, expectations_like
from lockgate.datasets.profile import profile
from lockgate.datasets.versions import DataKind, DataVersion, Origin, Source
from lockgate.errors import InvalidInput
from lockgate.reports.data_findings import named
from lockgate.reports.data_profile import data_findings, data_page
from lockgate.reports.data_repairs import Named


def clean(rows: int = 300) -> pl.DataFrame:
    """Nothing is wrong with it."""
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "age": rng.normal(40, 9, rows),
            "plan": rng.choice(["a", "b"], rows),
            "churned": rng.integers(0, 2, rows),
        }
    )


def version(frame: pl.DataFrame) -> DataVersion:
    """A version of it, held against the contract of the clean table."""
    columns = tuple((name, str(kind)) for name, kind in frame.schema.items())
    return DataVersion(
        name="people", number=2, digest=digest_of_frame(frame), kind=DataKind.TABLE, source=Source(origin=Origin.FRAME),
        rows=frame.height, bytes=0, columns=columns, profile=profile(frame), author="ada", created_us=0,
        broken=broken_by(frame, expectations_like(profile(clean()))),
    )  # fmt: skip


def test_a_clean_table_has_only_its_columns() -> None:
    """No alarm where nothing is wrong; each column has its picture in the page."""
    found = data_findings(version(clean()), clean(), named(clean(), "churned"))
    assert {finding.status for finding in found} == {Status.PASS}
    assert data_page(version(clean()), found).count("<svg") == 3


def test_each_fault_comes_with_the_step_that_repairs_it() -> None:
    """A broken contract, a constant, repeated rows: as code, and the code does repair it."""
    bad = pl.concat([clean(), clean().head(20)]).with_columns(pl.col("age") * 10, kind=pl.lit("x"))
    found = {
        finding.subject: finding
        for finding in data_findings(version(bad), bad, named(bad, "churned"))
        if finding.status is not Status.PASS
    }
    assert found["age"].advice.startswith("frame.filter((pl.col('age') <=")
    assert "20 of 320 rows" in found["repeated"].headline
    assert "As a step: frame.drop(['kind'])" in found["constant columns"].advice
    step = found["repeated"].advice.partition("As a step: ")[2]
    repaired = eval(step, {"frame": bad, "pl": pl})
    assert repaired.height == 300


def test_labels_that_are_words_are_labels() -> None:
    """A target of text is not said to be missing; one class of few rows is; numbers written as text stay numbers."""
    words = clean().with_columns(
        churned=pl.when(pl.int_range(pl.len()) < 5).then(pl.lit("maybe")).otherwise("plan")
    )
    found = [
        one for one in data_findings(version(words), words, named(words, "churned")) if one.check == "quality"
    ]
    (rare,) = [one for one in found if one.subject.startswith("rare classes")]
    assert rare.table is not None
    assert rare.table.rows == (("maybe", 5),)
    assert not any("no value in" in one.headline for one in found)
    figures = clean().with_columns(pl.col("age").cast(pl.String))
    said = [
        one.headline
        for one in data_findings(version(figures), figures, named(figures, "age"))
        if one.check == "quality"
    ]
    assert not any("no value in" in each or "fewer than" in each for each in said)


def test_a_target_that_is_no_column_is_refused() -> None:
    """By its name, with the columns that there are; one of lists is no target either."""
    with pytest.raises(InvalidInput, match=r"no column 'churn'.*age, plan, churned"):
        data_findings(version(clean()), clean(), Named(("age",), "churn"))
    lists = clean().with_columns(churned=pl.concat_list("churned"))
    with pytest.raises(InvalidInput, match="holds lists"):
        data_findings(version(clean()), lists, named(lists, "churned"))


def test_a_column_of_texts_is_drawn_by_its_words() -> None:
    """How long texts are and which words stand in most of them; a column of names is drawn by its most frequent values."""
    rng = np.random.default_rng(3)
    texts = [
        " ".join(rng.choice(["the", "lock", "opens", "slowly", "today"], rng.integers(4, 30)))
        for _ in range(300)
    ]
    frame = clean().with_columns(note=pl.Series(texts))
    (column,) = [
        one
        for one in data_findings(version(frame), frame, named(frame))
        if one.subject == "note" and one.plot
    ]
    assert "texts of 4 to 29 words" in column.headline
    assert column.table is not None
    assert {row[0] for row in column.table.rows} == {"the", "lock", "opens", "slowly", "today"}
    assert all(0.5 < float(row[1] or 0) <= 1 for row in column.table.rows)
