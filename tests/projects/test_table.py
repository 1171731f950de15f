"""What a first table says of its columns."""

from __future__ import annotations

import polars as pl
import pytest

from lockgate.errors import InvalidInput, NotFound
from lockgate.projects.table import describe

ROWS = 60
TABLE = pl.DataFrame({
    "customer_id": range(ROWS), "code": [f"x{row}" for row in range(ROWS)], "age": [20 + row % 7 for row in range(ROWS)],
    "plan": ["a", "b", "c"] * 20, "note": [f"a long remark number {row} of somebody" for row in range(ROWS)],
    "empty": pl.Series([None] * ROWS, dtype=pl.Float64), "same": [1.0] * ROWS, "left": ["no", "no", "yes"] * 20,
    "price": [row * 1.5 for row in range(ROWS)],
})  # fmt: skip


def test_columns_are_sorted_by_what_a_model_does_with_them() -> None:
    """Numbers, words, the key; what names rows, says nothing or is prose is left out. The rarer class is the positive one."""
    found = describe(TABLE, "left")
    assert (found.numbers, found.words, found.key) == (("age", "price"), ("plan",), "customer_id")
    assert found.left_out == ("customer_id", "code", "note", "empty", "same")
    assert (found.task, found.positive) == ("classification", "yes")


def test_numbers_with_many_values_are_regressed() -> None:
    """And a model of text takes the longest texts."""
    assert describe(TABLE, "price").task == "regression"
    assert describe(TABLE, "plan", of_text=True).text == "note"
    assert describe(TABLE, "plan").positive is None


def test_targets_that_teach_nothing_are_refused() -> None:
    """A column that is not there, one value, no text for a model of text."""
    with pytest.raises(NotFound, match="no column 'gone'"):
        describe(TABLE, "gone")
    with pytest.raises(InvalidInput, match="every row has the same"):
        describe(TABLE, "same")
    with pytest.raises(InvalidInput, match="no column of text"):
        describe(TABLE.select("age", "price"), "price", of_text=True)
