"""Part of stress: tables as a declared scenario would make them. Pure; polars does the arithmetic, nothing is evaluated."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import polars as pl

from lockgate.declared import Change, Scenario
from lockgate.errors import InvalidInput


def world(frame: pl.DataFrame, scenario: Scenario, inputs: Collection[str]) -> tuple[pl.DataFrame, int]:
    """The table of n rows in that world, and how many rows lie in it (`where`).

    Raises InvalidInput for a column that the table lacks or the model (`inputs`) does not take, a condition that
    cannot be read or holds no row, and a change that the column's type does not allow.
    """
    absent = [name for name in scenario.columns if name not in frame.columns]
    if absent:
        raise InvalidInput(f"the table has no column '{absent[0]}'", allowed=", ".join(frame.columns))
    unused = [name for name in scenario.columns if name not in inputs]
    if unused:
        raise InvalidInput(
            f"the model does not take '{unused[0]}', so nothing would change", allowed=", ".join(inputs)
        )
    inside = _inside(frame, scenario.where)
    if not inside.any():
        raise InvalidInput("no row lies in it", got=scenario.where)
    changed = []
    for name, change in scenario.columns.items():
        try:
            changed.append(_changed(frame[name], change).zip_with(inside, frame[name]).alias(name))
        except (pl.exceptions.PolarsError, TypeError, ValueError) as error:
            raise InvalidInput(f"column '{name}' ({frame[name].dtype}) cannot be changed like that", got=str(error)[:120],
                               allowed="times, plus and clip for numbers; set and missing for all") from error  # fmt: skip
    return frame.with_columns(changed), int(inside.sum())


def _inside(frame: pl.DataFrame, where: str | None) -> pl.Series:
    if where is None:
        return pl.Series([True] * frame.height, dtype=pl.Boolean)
    try:
        found = frame.select(pl.sql_expr(where).alias("inside"))["inside"]
    except pl.exceptions.PolarsError as error:
        raise InvalidInput("the condition of a scenario cannot be read", got=f"{where}: {str(error)[:120]}",
                           allowed="SQL over the table's columns: age < 30 AND region = 'north'") from error  # fmt: skip
    if found.dtype != pl.Boolean or len(found) != frame.height:
        raise InvalidInput("the condition of a scenario is none", got=where,
                           allowed="one that is true or false for each row")  # fmt: skip
    return found.fill_null(False)


def _changed(series: pl.Series, change: Change) -> pl.Series:
    if change.missing:
        return pl.Series(series.name, [None] * len(series), dtype=series.dtype)
    if change.set is not msgspec.UNSET:
        return pl.Series(series.name, [change.set] * len(series)).cast(series.dtype)
    if not series.dtype.is_numeric():
        raise TypeError("it holds no numbers")
    low, high = change.clip
    values = (series.cast(pl.Float64) * change.times + change.plus).clip(low, high)
    if series.dtype.is_integer():
        values = values.round()
    return values.cast(series.dtype)
