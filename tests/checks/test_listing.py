"""Sentences stay sentences, whatever names and however many a table brings."""

from __future__ import annotations

import numpy as np
import polars as pl

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Status, Table
from lockgate.checks.listing import bounded, few
from lockgate.checks.suite import CHECKS, run_check
from lockgate.registry.manifest import Task

ROWS = 3_000


def crowded() -> Evidence:
    """A thousand classes of three rows, a thousand of which test alone has; names of columns and values of 400 letters; an empty
    column and a constant one for each of sixty names."""
    draw = np.random.default_rng(0)
    odd = {f"{'empty'}{place}{'x' * 400}": pl.Series([None] * ROWS, dtype=pl.Float64) for place in range(60)}
    same = {f"{'same'}{place}{'x' * 400}": pl.Series([1.0] * ROWS) for place in range(60)}
    words = pl.Series([f"{'w' * 400}{value}" for value in draw.integers(0, 100, ROWS)])
    train = pl.DataFrame({"a": draw.normal(size=ROWS), "word": words, **odd, **same})
    classes = [f"class {row % 1_000} {'y' * 400}" for row in range(ROWS)]
    test = train.with_columns(
        y=pl.Series([f"new {name}" for name in classes]), word=pl.lit("z" * 400) + words
    )
    frames = {Split.TRAIN: train.with_columns(y=pl.Series(classes)), Split.TEST: test}
    return Evidence(
        task=Task.CLASSIFICATION, inputs=tuple(train.columns), frames=frames, target="y", protected=("word",)
    )


def test_every_sentence_of_a_crowded_table_is_short():
    """No headline is longer than 1,200 letters, no table than 200 rows, whatever check says it."""
    given = crowded()
    for name in CHECKS:
        for finding in run_check(given, name):
            assert len(finding.headline) <= 1_200, finding.headline[:200]
            assert len(finding.advice) <= 1_200
            assert finding.table is None or len(finding.table.rows) <= 200


def test_rare_and_new_classes_are_counted_not_listed():
    """Of a thousand classes five are named, each by its first letters."""
    found = {finding.subject: finding for finding in run_check(crowded(), "quality")}
    assert "and 995 more have fewer than 10 rows" in found["rare classes in the test rows"].headline
    assert "and 995 more are never seen in training" in found["new classes in the test rows"].headline
    assert len(found["new classes in the test rows"].headline) < 500


def test_what_fits_stays_as_it_is():
    """A finding of usual size is the very same; a long one keeps its verdict and its figures."""
    usual = Finding(
        check="a",
        subject="b",
        status=Status.WARN,
        headline="Short.",
        table=Table(columns=("c",), rows=(("d",),)),
    )
    assert bounded(usual) is usual
    long = Finding(
        check="a", subject="b", status=Status.FAIL, headline="x" * 5_000, table=Table(columns=("c",), rows=(("d" * 999,),) * 500)
    )  # fmt: skip
    cut = bounded(long)
    assert (cut.status, len(cut.headline), len(cut.table.rows)) == (Status.FAIL, 1_200, 200)
    assert len(cut.table.rows[0][0]) == 300
    assert few([], 3) == ""
