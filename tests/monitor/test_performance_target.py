"""Labels that are distributed otherwise: counted like the validation's, found, and not found where nothing moved."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from benchmarks.monitor.alarms import KINDS, Moved, Told, about_of, binary, manifest_of, run

from lockgate.clock import DAY_US
from lockgate.datasets.sketched import sketch_column
from lockgate.monitor.estimate import estimated
from lockgate.monitor.notices import Severity
from lockgate.monitor.performance_figures import Labelled
from lockgate.monitor.performance_moved import labels_moved
from lockgate.monitor.performance_target import (
    Target,
    chance_of,
    months_of,
    target_in,
    target_of,
    together,
)
from lockgate.monitor.performance_windows import Window, window_of


def window(number: int, target: Target) -> Window:
    """A complete window of these labels."""
    return Window(version=1, number=number, since_us=number * DAY_US, until_us=(number + 1) * DAY_US, rows=target.rows,
                  labelled=target.rows, target=target)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_of_the_validations_own_rows_has_its_labels(kind: str) -> None:
    """Counted row by row, or read off the sketch: the same shares and mean."""
    manifest, rows = manifest_of(kind), KINDS[kind](np.random.default_rng(1), 3_000, Moved())
    about = about_of(manifest, rows)
    times = pl.int_range(3_000)
    made = window_of(
        rows.with_columns(at_us=times, label_at_us=times), (1, 0), manifest, {}, labels=about.labels
    )
    assert made.target is not None
    assert about.target is not None
    assert made.target.shares == about.target.shares
    assert made.target.mean == pytest.approx(about.target.mean)
    assert made.target.spread == pytest.approx(about.target.spread)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_is_said_of_streams_in_which_nothing_moves(kind: str) -> None:
    """Short form of `benchmarks/monitor/alarms.py`: worse, concept, labels."""
    assert [run(kind, seed, 9) for seed in range(2)] == [Told({}, frozenset())] * 2


def test_rows_without_a_subject_are_their_own_in_what_is_expected() -> None:
    """Requests without a business key: the same interval as of as many subjects, around the same figure."""
    manifest, rows = manifest_of("two classes"), binary(np.random.default_rng(1), 2_000, Moved())
    known = about_of(manifest, rows).calibration
    assert known is not None
    none, own = (
        estimated(rows.with_columns(subject=subject), (1, 0), manifest, known=known, source="validation")
        for subject in (pl.lit(None, pl.String), pl.int_range(2_000).cast(pl.String))
    )
    assert none is not None
    assert own is not None
    assert none.figures == own.figures
    assert none.figures["roc_auc"].low < none.figures["roc_auc"].value < none.figures["roc_auc"].high


def test_other_rows_move_labels_and_not_their_meaning() -> None:
    """Of two classes with scores that stay true: labels moved, no concept drift."""
    told = run("two classes", 3, 24, Moved(target=0.6))
    assert "labels moved" in told.said
    assert "concept" not in told.said


def test_a_rate_that_rose_is_said_with_both_shares() -> None:
    """From a quarter to a third of rows: since the window in which it began, a warning where it is far."""
    before = target_in(sketch_column(pl.Series(["no"] * 7_500 + ["yes"] * 2_500)))
    calm, more = (
        Target(rows=1_000, shares={"no": 745, "yes": 255}),
        Target(rows=1_000, shares={"no": 660, "yes": 340}),
    )
    windows = [window(number, calm if number < 10 else more) for number in range(16)]
    (notice,) = labels_moved(("churn", 3), windows, before, against="its validation")
    assert notice.since_us == 10 * DAY_US
    assert "'yes' in 34.0 % of rows (32.8 % to 35.2 %), where it was 25.0 %" in notice.words
    assert notice.severity is Severity.WARN
    assert labels_moved(("churn", 3), windows[:10], before, against="its validation") == []


def test_a_rare_class_that_became_five_times_as_frequent_is_found() -> None:
    """Two in a thousand, then ten: shares that no normal approximation holds for."""
    before = Target(rows=50_000, shares={"fine": 49_900, "fraud": 100})
    draw = np.random.default_rng(4)
    counts = [int(draw.binomial(1_000, 0.002 if number < 20 else 0.01)) for number in range(40)]
    windows = [
        window(n, Target(rows=1_000, shares={"fine": 1_000 - each, "fraud": each}))
        for n, each in enumerate(counts)
    ]
    assert labels_moved(("fraud", 1), windows[:20], before, against="its validation") == []
    (notice,) = labels_moved(("fraud", 1), windows, before, against="its validation")
    assert abs(notice.since_us // DAY_US - 20) <= 4


def test_numbers_that_went_up_are_told_by_their_mean() -> None:
    """Half a deviation; rows of one subject count once."""
    before = target_in(sketch_column(pl.Series(np.random.default_rng(0).normal(100, 10, 20_000))))
    moved = [window(n, Target(rows=400, each=4.0, mean=105.0, spread=10.0)) for n in range(12)]
    (notice,) = labels_moved(("price", 1), moved, before, against="its validation")
    assert "their mean is 105" in notice.words
    alike = [window(n, Target(rows=400, each=100.0, mean=104.0, spread=10.0)) for n in range(12)]
    assert labels_moved(("price", 1), alike, before, against="its validation") == []


@pytest.mark.parametrize(
    ("values", "first"),
    [
        (np.random.default_rng(0).normal(1_700_000_000, 1e4, 3_000), "below 1.69998822e+09"),
        (np.repeat([0.0, 3.0, 7.5], [500, 300, 200]), "up to 0"),
        (np.full(50, 3.0), "up to 3"),
    ],
    ids=["close together", "few values", "one value"],
)
def test_ranges_of_numbers_have_names_of_their_own_that_are_true(values: np.ndarray, first: str) -> None:
    """Numbers that differ late keep the digits that tell them apart, and a range that ends with a value says so."""
    target = target_in(sketch_column(pl.Series(values)))
    assert sum(target.shares.values()) == target.rows == len(values)
    assert next(iter(target.shares)).startswith(first)


def test_a_class_called_other_keeps_its_rows_beside_those_that_nobody_knows() -> None:
    """In a window and in a validation of very many classes."""
    words = ["other"] * 30 + ["car"] * 50
    told = pl.DataFrame({"label": [*words, "ufo"]})
    truth = np.array([0] * 30 + [1] * 50 + [2])
    found = target_of(told, Labelled(truth=truth, decided=truth), ("other", "car"), None)
    assert found.shares == {"other": 31, "car": 50}
    many = [f"class {place}" for place in range(30)]
    assert target_in(sketch_column(pl.Series([*words, *many]))).rows == 110
    assert sum(target_in(sketch_column(pl.Series([*words, *many]))).shares.values()) == 110


def test_of_very_many_classes_the_same_are_counted_as_in_the_validation() -> None:
    """Thirty classes, of which the most frequent come last in the model's order: alike rows are alike."""
    known = [f"class {place:02}" for place in range(30)]
    codes = np.repeat(np.arange(30), np.arange(30) + 10)
    words = pl.Series([known[code] for code in codes])
    labels = sketch_column(words)
    found = target_of(pl.DataFrame({"label": words}), Labelled(truth=codes, decided=codes), known, labels)
    assert found.shares == target_in(labels).shares
    windows = [window(number, found) for number in range(20)]
    assert labels_moved(("many", 1), windows, target_in(labels), against="its validation") == []


def test_months_add_up_windows_and_keep_versions_apart() -> None:
    """Mean and spread are those of all rows together."""
    one, two = Target(rows=2, mean=1.0, spread=1.0), Target(rows=2, mean=5.0, spread=1.0)
    found = months_of([(1, 0, one), (1, 5 * DAY_US, two), (2, 0, one), (1, 40 * DAY_US, two), (1, 0, None)])
    assert [(each.version, each.month, each.target.rows) for each in found] == [
        (1, "1970-01", 4), (1, "1970-02", 2), (2, "1970-01", 2),
    ]  # fmt: skip
    assert found[0].target.mean == 3.0
    assert found[0].target.spread == pytest.approx(np.sqrt(5))
    assert together([]) is None


def test_the_chance_of_so_many_is_the_binomials() -> None:
    """Two or more of three fair coins; none is always there."""
    assert chance_of(2, 3, 0.5) == pytest.approx(0.5)
    assert chance_of(3, 3, 0.5) == pytest.approx(0.125)
    assert chance_of(0, 3, 0.5) == 1.0
