"""Tables and files as sketches: every kind of column, pieces that add up, memory that stays."""

from __future__ import annotations

import datetime as dt

import numpy as np
import polars as pl
import pytest

from lockgate.datasets import pieces
from lockgate.datasets.sketched import Family, count_file, count_table, family_of, sketch_file, sketch_table
from lockgate.errors import InvalidInput
from lockgate.stats.drift import moved, shift_of
from lockgate.stats.sketch import NumberSketch, WordSketch


def table(rows: int, seed: int = 0) -> pl.DataFrame:
    """A column of every kind."""
    draw = np.random.default_rng(seed)
    days = [dt.date(2024, 1, 1) + dt.timedelta(int(n)) for n in draw.integers(0, 90, rows)]
    return pl.DataFrame({
        "number": draw.normal(size=rows), "whole": draw.poisson(3, rows), "truth": draw.random(rows) < 0.3,
        "word": draw.choice(["a", "b", "c"], rows), "day": days,
        "list": [[1.0]] * rows, "nothing": pl.Series([None] * rows, dtype=pl.Null),
    })  # fmt: skip


def test_every_kind_has_its_sketch():
    """Numbers and days by size, words and truth by name; lists have none; a column of nothing is missing throughout."""
    frame = table(2_000)
    found = sketch_table(frame)
    assert {name for name, each in found.items() if isinstance(each, NumberSketch)} == {
        "number",
        "whole",
        "day",
    }
    assert isinstance(found["truth"], WordSketch)
    assert "list" not in found
    assert found["nothing"].missing == 2_000
    kinds = [family_of(frame[name]) for name in frame.columns]
    assert kinds == [
        Family.NUMBERS,
        Family.NUMBERS,
        Family.TRUTH,
        Family.WORDS,
        Family.TIMES,
        Family.OTHER,
        Family.NOTHING,
    ]
    assert count_table(frame, found) == found


def test_other_rows_are_counted_over_the_same_edges():
    """Rows of the same kind have not moved; text where numbers were is missing; a column that is gone is left out."""
    reference = sketch_table(table(3_000))
    after = count_table(table(3_000, seed=1), reference)
    assert moved({name: shift_of(reference[name], after[name]) for name in after}) == []
    odd = count_table(pl.DataFrame({"number": ["1.5", "x"], "word": ["a", "new"]}), reference)
    assert (odd["number"].rows, odd["number"].missing) == (1, 1)
    assert odd["word"].other == 1
    assert set(odd) == {"number", "word"}


@pytest.mark.parametrize("values", [300, 5_000, 100_000])
def test_many_values_have_not_moved_by_chance(values):
    """More values than can be named, in equal shares: which of them are most frequent is chance, and no shift."""
    for seed in range(5):
        draw = np.random.default_rng(seed)
        before, after = (
            pl.DataFrame({"word": draw.integers(0, values, 6_000).astype(str)}) for _ in range(2)
        )
        reference = sketch_table(before)
        after_all = count_table(after, reference)
        assert moved({"word": shift_of(reference["word"], after_all["word"])}, false_share=0.001) == []


def test_a_file_in_pieces_is_the_table(tmp_path, monkeypatch):
    """Counted piece by piece, a file gives what the whole table gives, also with few rows in a piece."""
    frame = table(5_000).drop("list", "nothing")
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=700)
    monkeypatch.setattr(pieces, "ROWS_AT_ONCE", 900)
    whole = sketch_table(frame)
    counted = count_file(tmp_path / "rows.parquet", whole)
    assert {name: (each.counts, each.missing) for name, each in counted.items()} == {
        name: (each.counts, each.missing) for name, each in whole.items()
    }
    own = sketch_file(tmp_path / "rows.parquet", ["number", "word"])
    assert own["number"].rows == own["word"].rows == 5_000
    assert own["word"].values == whole["word"].values


def test_a_file_without_rows_is_refused(tmp_path):
    """There is nothing to lay edges at."""
    table(0).drop("list").write_parquet(tmp_path / "none.parquet")
    with pytest.raises(InvalidInput, match="no rows"):
        sketch_file(tmp_path / "none.parquet")
