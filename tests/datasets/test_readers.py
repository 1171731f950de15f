"""Tables whose readers took the same values for different types."""

import polars as pl
import pytest

from lockgate.datasets.readers import typed_as


@pytest.mark.parametrize(
    ("known", "given", "expected"),
    [
        (["True", "False"], [True, None, False], ["True", None, "False"]),
        (["true", "false", None], [False], ["false"]),
        (["TRUE"], [True, False], ["TRUE", "False"]),
        ([True, False], ["true", "FALSE", None], [True, False, None]),
        (["10115", "20095", "7"], [10115, 7, None], ["10115", "7", None]),
    ],
)
def test_the_same_values_get_one_type(known: list, given: list, expected: list) -> None:
    """Truth values and whole numbers, written out or not."""
    made = typed_as(pl.DataFrame({"a": known, "b": known}), pl.DataFrame({"a": given}))
    assert made["a"].to_list() == expected
    assert made["a"].dtype == pl.Series(known).dtype


@pytest.mark.parametrize(
    ("known", "given"),
    [
        (["yes", "no"], [True, False]),
        (["True", "unknown"], [True, False]),
        ([True, False], ["true", "maybe"]),
        (["01067", "20095"], [1067, 20095]),
        (["a", "b"], [1, 2]),
        ([1, 2], ["1", "2"]),
        ([1.5, 2.0], [1, 2]),
        (["a"], [["a"]]),
    ],
)
def test_other_values_keep_their_type(known: list, given: list) -> None:
    """What a column holds is not guessed: these differ, and somebody should know."""
    table = pl.DataFrame({"a": given})
    assert typed_as(pl.DataFrame({"a": known}), table).equals(table)


@pytest.mark.parametrize(
    "given",
    [pl.Series([], dtype=pl.Boolean), pl.Series([None], dtype=pl.Int64), pl.Series([None], dtype=pl.String)],
)
@pytest.mark.parametrize("known", [pl.Series([], dtype=pl.String), pl.Series([None], dtype=pl.Boolean)])
def test_nothing_is_nothing(known: pl.Series, given: pl.Series) -> None:
    """Empty columns have whatever type their reader gave them."""
    made = typed_as(known.to_frame("a"), given.to_frame("a"))
    assert made["a"].to_list() == given.to_list()
    assert typed_as(known.to_frame("a"), pl.DataFrame({"c": [1]})).columns == ["c"]
