"""Which rows no trial may see, and a table without them. Rows are known again by what they hold, so nothing that a pipeline
calls its test set can slip back in through the table that it was cut from. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from lockgate.datasets.dataset import read_table
from lockgate.errors import InvalidInput

MOST_HIDDEN = 0.8  # of a table: with more, the columns in common say too little
_PLACE = "\0place"


@dataclass(frozen=True)
class Hidden:
    """A table without the rows of a test set. `rows`: how many were taken away; `by`: the columns that told them."""

    frame: pl.DataFrame
    rows: int
    by: tuple[str, ...]


def without(
    frame: pl.DataFrame, test: pl.DataFrame, *, group: str | None = None, target: str | None = None
) -> Hidden | None:
    """`frame` without every row that is one of `test`; None when it holds them not, so that there is nothing to hide.

    By `group`, where both have it: no row of a subject of the test set is left. Else by all columns in common, and a table that
    has not the `target` is none that rows are judged by.
    Raises InvalidInput where the columns in common would hide most rows.
    """
    if group is not None and group in frame.columns and group in test.columns:
        by = [group]
    else:
        by = [name for name in frame.columns if name in test.columns and not frame[name].dtype.is_nested()]
        if (target is not None and target not in frame.columns) or len(by) < min(2, frame.width):
            return None
    left, right = _texts(frame, by), _texts(test, by)
    if right.unique().join(left, on=by, how="anti", nulls_equal=True).height:
        return None  # some row of the test set comes from elsewhere
    kept = left.with_row_index(_PLACE).join(right.unique(), on=by, how="anti", nulls_equal=True).sort(_PLACE)
    hidden = frame.height - kept.height
    if hidden > MOST_HIDDEN * frame.height:
        raise InvalidInput("hiding the test set would hide nearly every row",
                           got=f"{hidden:,} of {frame.height:,} by {', '.join(by[:8])}",
                           fix="declare the tables: data: {train: ..., test: ...} (lockgate data split NAME)")  # fmt: skip
    return Hidden(frame[kept[_PLACE].to_list()] if hidden else frame, hidden, tuple(by))


def unlearned(frame: pl.DataFrame, learned: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """The rows of `frame` that are none of `learned` by what stands in these columns, in their order.

    >>> unlearned(pl.DataFrame({"a": [1, 2, 3]}), pl.DataFrame({"a": [2.0]}), ["a"])["a"].to_list()
    [1, 3]
    """
    left = _texts(frame, by).with_row_index(_PLACE)
    kept = left.join(_texts(learned, by).unique(), on=by, how="anti", nulls_equal=True).sort(_PLACE)
    return frame[kept[_PLACE].to_list()]


def shared_rows(train: Path, test: Path) -> float:
    """The share of the test table's rows that stand in the train table too, in every column that both have; 0..1."""
    learned, judged = read_table(train, train.name), read_table(test, test.name)
    by = [name for name in judged.columns if name in learned.columns and not judged[name].dtype.is_nested()]
    if not by or not judged.height:
        return 0.0
    found = _texts(judged, by).join(_texts(learned, by).unique(), on=by, how="semi", nulls_equal=True)
    return found.height / judged.height


def _texts(frame: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Cells as text, numbers by their value: a step that only changed a column's type changed no row."""
    return frame.select(_number(name) if frame[name].dtype.is_numeric() or frame[name].dtype == pl.Boolean
                        else pl.col(name).cast(pl.String, strict=False) for name in by)  # fmt: skip


def _number(name: str) -> pl.Expr:
    """NaN is a missing value here, there is one zero; what is no whole number counts to float32, as logged inputs do."""
    value = pl.col(name).cast(pl.Float64).fill_nan(None) + 0.0
    whole = value == value.round()
    return (
        pl.when(whole)
        .then(value.cast(pl.String))
        .otherwise(value.cast(pl.Float32).cast(pl.String))
        .alias(name)
    )
