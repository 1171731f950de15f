"""What a first table says of its columns."""

from __future__ import annotations

from datetime import date

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


@pytest.mark.parametrize(
    "answers", [[date(2020, 1, 1), date(2021, 1, 1)], [b"a", b"b"], [[1], [2]], [{"a": 1}, {"a": 2}]]
)
def test_what_is_no_number_and_no_word_is_neither_predicted_nor_learned_from(answers: list[object]) -> None:
    """Dates, bytes and nested values: refused as the answer, left out as an input."""
    frame = pl.DataFrame(
        {"odd": answers * 20, "yes": [True, False] * 20, "age": [1.0, 2.0, float("nan"), 4.0] * 10}
    )
    with pytest.raises(InvalidInput, match="'odd' cannot be predicted"):
        describe(frame, "odd")
    assert describe(frame, "yes").left_out == ("odd",)
    twice = pl.DataFrame({"y": [0.0, 0.0, 1.0, float("nan"), 1.0, 1.0], "x": range(6)})
    assert describe(twice, "y").positive == 0.0


def test_an_answer_of_one_row_is_refused() -> None:
    """It cannot be on both sides of a split; a column may be called count."""
    frame = pl.DataFrame({"count": ["a", "a", "b", "b", "b"], "x": range(5)})
    assert describe(frame, "count").positive == "a"
    with pytest.raises(InvalidInput, match="one row only"):
        describe(frame[1:], "count")
