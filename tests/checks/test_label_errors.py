"""Wrong labels are counted and ranked; hard rows, rare classes, noise and odd tables are no wrong labels."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from benchmarks.checks.label_errors import clean_table, flipped
from sklearn.datasets import load_digits

from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.label_errors.check import run
from lockgate.checks.label_errors.learners import tell_classes
from lockgate.checks.label_errors.noise import ranked, share_of_wrong
from lockgate.checks.label_errors.outliers import gross_errors
from lockgate.checks.matrix import reader_of
from lockgate.registry.manifest import Task


def found(frame: pl.DataFrame, task: Task = Task.CLASSIFICATION, **more: object) -> Finding:
    """The one finding over a training table with the target y."""
    inputs = tuple(name for name in frame.columns if name != "y")
    (finding,) = run(Evidence(task=task, inputs=inputs, frames={Split.TRAIN: frame}, target="y", **more))
    return finding


def digits() -> pl.DataFrame:
    """T10: 1,797 digits of 64 pixels."""
    pixels, labels = load_digits(return_X_y=True)
    return pl.DataFrame({f"p{n}": pixels[:, n] for n in range(64)} | {"y": labels})


def test_flipped_digits_are_found():
    """Of the k rows ranked first at least 85 % are the k that were flipped, and the share's interval holds 5 %."""
    frame = digits()
    labels, rows = flipped(frame["y"].to_numpy(), 0.05, np.random.default_rng(0))
    finding = found(frame.with_columns(y=pl.Series(labels)))
    assert finding.status is Status.WARN
    assert finding.measure.low <= 0.05 <= finding.measure.high
    assert np.mean([row[0] in rows for row in finding.table.rows]) >= 0.9
    assert [str(frame["y"][row[0]]) for row in finding.table.rows[:5]] == [
        row[2] for row in finding.table.rows[:5]
    ]
    told = tell_classes(reader_of(frame, frame.columns[:-1]).read(frame), labels, 10, 0)
    order, _ = ranked(told.probabilities, labels)
    assert np.isin(order[: len(rows)], rows).mean() >= 0.85


def test_clean_digits_are_silent():
    """The interval of the share of wrong labels holds zero."""
    finding = found(digits())
    assert finding.status is Status.PASS
    assert finding.measure.low == 0.0
    assert finding.table is None


@pytest.mark.parametrize("seed", range(8))
def test_hard_rows_are_no_wrong_labels(seed):
    """Labels drawn by chances that the inputs give, weak or strong, frequent or rare, raise nothing."""
    assert found(clean_table(seed)).status is Status.PASS


def test_the_floor_is_the_lapse_rate():
    """Chances that fall with sureness down to 8 % give 8 %; chances that fall to nothing give none."""
    random = np.random.default_rng(3)
    score = random.normal(0, 3, 20_000)
    chance = 1 / (1 + np.exp(-score))
    honest = (random.random(20_000) < chance).astype(int)
    both = np.column_stack([1 - chance, chance])
    assert share_of_wrong(both, honest).low == 0.0
    labels, _ = flipped(honest, 0.08, random)
    assert abs(share_of_wrong(both, labels).value - 0.08) < 0.015


@pytest.mark.parametrize(("classes", "slope"), [(3, 0.0), (5, 0.0), (5, 0.3), (20, 0.0)])
def test_many_classes_that_inputs_hardly_tell_are_no_wrong_labels(classes, slope):
    """Where inputs say nothing or little of many classes, models contradict most labels and none is wrong, in whatever order."""
    random = np.random.default_rng(classes)
    labels = np.sort(random.integers(0, classes, 600))
    inputs = random.normal(size=(600, 3))
    inputs[:, 0] += slope * labels
    finding = found(pl.DataFrame({"a": inputs[:, 0], "b": inputs[:, 1], "c": inputs[:, 2], "y": labels}))
    assert finding.status is Status.PASS
    assert finding.measure.low == 0.0


def test_texts_and_pictures_are_not_read():
    """Free text, and what is declared a picture although it repeats, say nothing of labels and do not judge them."""
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, 400)
    words = ["good", "bad", "late", "early", "soon"]
    texts = [" ".join(random.choice(words, 12)) + str(label) for label in labels]
    pictures = [f"/9j/{random.integers(200):03d}" for _ in labels]
    frame = pl.DataFrame({"text": texts, "image": pictures, "y": labels})
    finding = found(frame, pictures=("image",))
    assert finding.status is Status.COULD_NOT_RUN
    assert "free text, pictures" in finding.headline
    assert "labelled a second time" in finding.advice


def test_slipped_decimal_points_are_named():
    """Numbers times 1,000 in 1 % of rows are the rows listed; a heavy honest tail is left alone."""
    random = np.random.default_rng(0)
    x = random.normal(size=(1_500, 3))
    price = 100 * np.exp(0.5 * x[:, 0]) * np.exp(random.normal(0, 0.3, 1_500))
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "y": price})
    assert found(frame, Task.REGRESSION).status is Status.PASS
    wrong = random.choice(1_500, 15, replace=False)
    price[wrong] *= 1_000
    finding = found(frame.with_columns(y=pl.Series(price)), Task.REGRESSION)
    assert finding.status is Status.WARN
    assert {row[0] for row in finding.table.rows} == set(wrong.tolist())


def test_honest_tails_are_left_alone():
    """Residuals of normal, exponential and Student's t (2) shape give no three gross errors."""
    random = np.random.default_rng(1)
    expected = random.normal(size=3_000)
    for tail in (random.normal(size=3_000), random.exponential(size=3_000), random.standard_t(2, 3_000)):
        assert gross_errors(expected + tail, expected)[0].size < 3


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pl.DataFrame({"x": range(60), "y": [0, 1] * 30}), "60 labelled rows are too few"),
        (pl.DataFrame({"x": [1.0] * 200, "y": [0, 1] * 100}), "No input can be used"),
        (pl.DataFrame({"x": np.arange(200) % 7, "y": [0] * 200}), "Labels of 1 class"),
    ],
)
def test_what_cannot_be_judged_is_said(frame, says):
    """Few rows, no input, one class: could not run, with the reason."""
    finding = found(frame)
    assert finding.status is Status.COULD_NOT_RUN
    assert says in finding.headline
