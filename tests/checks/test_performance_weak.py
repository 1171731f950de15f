"""Weak slices that nobody named: planted in one and two columns, absent, and tables of every odd kind."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from lockgate.checks.evidence import Answers, Evidence, Split
from lockgate.checks.finding import Finding, Status
from lockgate.checks.performance.cells import cells_of
from lockgate.checks.performance.check import run
from lockgate.checks.performance.search import scan
from lockgate.checks.performance.weak import SUBJECT
from lockgate.datasets.classes import class_names
from lockgate.registry.manifest import Task


def weak(evidence: Evidence) -> Finding | None:
    """The finding about slices that nobody named."""
    return next((each for each in run(evidence) if each.subject == SUBJECT), None)


def planted(seed: int, share: float = 0.5, rows: int = 6_000) -> Evidence:
    """Calibrated answers; a share of the labels is turned round where channel is phone and amount above 0.5 (6 % of rows)."""
    draw = np.random.default_rng(seed)
    columns = {f"n{place}": draw.normal(size=rows) for place in range(4)} | {"amount": draw.normal(size=rows)}
    columns["channel"] = draw.choice(["web", "phone", "shop", "mail", "agent"], rows)
    score = 1 / (1 + np.exp(-2 * columns["n0"] - columns["n1"]))
    turned = (columns["channel"] == "phone") & (columns["amount"] > 0.5) & (draw.random(rows) < share)
    truth = ((draw.random(rows) < score) != turned).astype(int)
    return Evidence(task=Task.CLASSIFICATION, inputs=tuple(columns), target="y", classes=("0", "1"), positive="1",
                    frames={Split.TEST: pl.DataFrame({**columns, "y": truth})}, seed=seed,
                    answers={Split.TEST: Answers(class_names((score > 0.5) * 1), score)})  # fmt: skip


def found_in(evidence: Evidence) -> set[str]:
    """The columns of the first weak slice; empty where none is named."""
    finding = weak(evidence)
    if finding.status is Status.PASS:
        return set()
    return {part.split()[0] for part in finding.table.rows[0][0].split(" and ")}


def numbers(hit: np.ndarray | None = None, rows: int = 4_000, seed: int = 0, **columns: object) -> Evidence:
    """A regression whose errors are three times as large where `hit`."""
    draw = np.random.default_rng(seed)
    truth = draw.normal(10, 3, rows)
    made = truth + draw.normal(0, 1, rows) * (1 if hit is None else np.where(hit, 3.0, 1.0))
    frame = pl.DataFrame({**columns, "y": truth})
    return Evidence(task=Task.REGRESSION, inputs=tuple(columns), frames={Split.TEST: frame}, target="y",
                    answers={Split.TEST: Answers(made, made)})  # fmt: skip


@pytest.mark.parametrize("seed", range(5))
def test_a_slice_of_two_columns_is_found_and_a_clean_table_is_silent(seed):
    """The planted rectangle is named by both its columns; without it nothing is."""
    assert found_in(planted(seed)) == {"channel", "amount"}
    assert found_in(planted(seed, share=0.0)) == set()


def test_what_is_found_is_measured_on_rows_that_the_search_has_not_seen():
    """The sentence, the figure, its bound and the table agree; the excess is near the planted one."""
    finding = weak(planted(0))
    assert finding.status is Status.WARN
    row = dict(zip(finding.table.columns, finding.table.rows[0], strict=True))
    assert row["slice"] in finding.headline
    assert finding.measure.value == pytest.approx(row["beyond"], abs=1e-6)
    assert finding.measure.low == pytest.approx(row["surely beyond"], abs=1e-6)
    assert row["wrong answers"] - row["expected"] > finding.threshold.at_most


def test_a_slice_of_one_column_is_told_in_one_column():
    """Errors that are larger wherever a category holds are not dressed up as two columns."""
    draw = np.random.default_rng(1)
    kind, size = draw.choice(["a", "b", "c", "d"], 4_000), draw.normal(size=4_000)
    finding = weak(numbers(kind == "b", kind=kind, size=size))
    assert finding.status is Status.WARN
    assert finding.table.rows[0][0] == "kind = b"
    assert len(finding.table.rows) == 1
    assert weak(numbers(None, kind=kind, size=size)).status is Status.PASS


def test_rows_with_a_missing_value_are_a_slice():
    """Errors where a number is missing are named as missing."""
    draw = np.random.default_rng(2)
    gone, other = draw.random(4_000) < 0.1, draw.normal(size=4_000)
    finding = weak(numbers(gone, income=np.where(gone, np.nan, draw.normal(size=4_000)), other=other))
    assert finding.table.rows[0][0] == "income missing"


def test_hard_rows_are_told_but_are_no_weakness():
    """Rows near even odds are often wrong, as their probabilities say: told, no warning."""
    draw = np.random.default_rng(3)
    kind = draw.choice(["easy", "hard"], 6_000, p=[0.8, 0.2])
    score = np.where(kind == "hard", draw.uniform(0.4, 0.6, 6_000), draw.choice([0.03, 0.97], 6_000))
    truth = (draw.random(6_000) < score).astype(int)
    answers = Answers(class_names((score > 0.5) * 1), score)
    finding = weak(Evidence(task=Task.CLASSIFICATION, inputs=("kind",), target="y", classes=("0", "1"), positive="1",
                            frames={Split.TEST: pl.DataFrame({"kind": kind, "y": truth})},
                            answers={Split.TEST: answers}))  # fmt: skip
    assert finding.status is Status.PASS
    assert "Hardest is kind = hard" in finding.headline


def test_a_subject_does_not_confirm_itself():
    """One subject's rows are all wrong: it lies in one half alone, so nothing is confirmed by it."""
    draw = np.random.default_rng(4)
    who = np.repeat([f"p{n}" for n in range(10)], 400)
    evidence = numbers(who == "p7", person=who, x=draw.normal(size=4_000))
    assert weak(evidence).status is Status.WARN
    held = Evidence(**{**{name: getattr(evidence, name) for name in ("task", "frames", "target", "answers")},
                       "inputs": ("person", "x"), "group": "person"})  # fmt: skip
    assert weak(held).status is Status.PASS


def test_ranges_hold_the_rows_that_they_name():
    """Cells of numbers, dates, texts, truth values and missing ones: each range's mask is what its name says."""
    frame = pl.DataFrame({
        "n": [float(n) for n in range(100)], "few": [n % 3 for n in range(100)], "t": ["a", "b", None, "c"] * 25,
        "d": [dt.date(2024, 1, 1) + dt.timedelta(n) for n in range(100)], "b": [True, False] * 50, "l": [[1]] * 100,
        "id": [f"p{n}" for n in range(100)], "flat": [1.0] * 100,
    })  # fmt: skip
    cells = {each.column: each for each in cells_of(frame, frame.columns)}
    assert set(cells) == {"n", "few", "t", "d", "b"}
    few, text = cells["few"], cells["t"]
    assert few.holds(few.names.index("few = 0 to 1")).tolist() == (frame["few"] < 2).to_list()
    assert text.holds(text.names.index("t missing")).tolist() == frame["t"].is_null().to_list()
    low = next(place for place, name in enumerate(cells["n"].names) if name.startswith("n < "))
    edge = float(cells["n"].names[low].split()[-1])
    assert cells["n"].holds(low).tolist() == (frame["n"] < edge).to_list()
    assert any(name.startswith("d >= 2024-") for name in cells["d"].names)


def test_the_scan_is_what_a_plain_loop_finds():
    """On a small table the heaviest of all rectangles is the one that trying each by hand gives."""
    draw = np.random.default_rng(5)
    frame = pl.DataFrame({"a": draw.integers(0, 4, 400), "b": draw.integers(0, 4, 400)})
    loss = draw.normal(size=400) + 2 * ((frame["a"] == 1) & (frame["b"] >= 2)).to_numpy()
    cells = cells_of(frame, frame.columns)
    found = scan(cells, loss, np.arange(400), gap=0.1, min_rows=20, most=1)[0]
    weights = {}
    for one in range(len(cells[0].names)):
        for two in range(len(cells[1].names)):
            mask = cells[0].holds(one) & cells[1].holds(two)
            if 20 <= mask.sum() <= 380:
                error = loss.std() * np.sqrt(1 / mask.sum() + 1 / (~mask).sum())
                weights[one, two] = (loss[mask].mean() - loss[~mask].mean()) / error
    best = max(weights, key=weights.get)
    places = dict(found.parts)
    assert (places[0], places[1]) == best
    assert found.weight == pytest.approx(weights[best])


def test_few_rows_and_flat_losses_leave_nothing_to_say():
    """Under 200 rows no slice is looked for; a perfect model has none."""
    assert weak(numbers(rows=100, x=np.arange(100.0))) is None
    truth = np.arange(1_000.0)
    perfect = Evidence(task=Task.REGRESSION, inputs=("x",), target="y",
                       frames={Split.TEST: pl.DataFrame({"x": truth, "y": truth})},
                       answers={Split.TEST: Answers(truth, truth)})  # fmt: skip
    assert weak(perfect).status is Status.PASS
