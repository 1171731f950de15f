"""Draws the line between the rows that are learned from and those that are tested on anew, by their time."""

from __future__ import annotations

import datetime as dt
import importlib
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput
from lockgate.pipelines.inside.values import read_value, write_value

FIX = "keep the column in both tables, or let the pipeline keep its own test: retrain: {test_days: own}"


def cut(asked: dict[str, Any]) -> dict[str, Any]:
    """Both tables together, cut where `since` begins: written to `into`, by name.

    Raises InvalidInput for tables that are no frames of one kind, and for a column that holds no times.
    """
    train, test = (read_value(Path(asked["stored"][name])) for name in ("train", "test"))
    whole = _joined(train, test)
    if asked["time"] not in whole.columns:
        raise InvalidInput(f"the tables have no column '{asked['time']}' to be cut by", fix=FIX)
    since = dt.datetime.fromisoformat(asked["since"])
    later = [_is_later(value, since, asked["time"]) for value in whole[asked["time"]].to_list()]
    for name, wanted in (("train", False), ("test", True)):
        rows = _kept(whole, [each is wanted for each in later])
        if not len(rows):
            raise InvalidInput(f"cut at {asked['since']}, the table '{name}' has no row", fix=FIX)
        write_value(name, rows, Path(asked["into"][name]))
    return {}


def _joined(train: Any, test: Any) -> Any:
    """The rows of both, those of `train` first."""
    kinds = {type(each).__module__.partition(".")[0] for each in (train, test)}
    if len(kinds) != 1 or not hasattr(train, "columns") or list(train.columns) != list(test.columns):
        raise InvalidInput("'train' and 'test' are not frames with the same columns", fix=FIX)
    library = importlib.import_module(kinds.pop())
    options = {"ignore_index": True} if library.__name__ == "pandas" else {"how": "vertical_relaxed"}
    return library.concat([train, test], **options)


def _kept(whole: Any, wanted: list[bool]) -> Any:
    """Some of the rows."""
    library = importlib.import_module(type(whole).__module__.partition(".")[0])
    if library.__name__ == "polars":
        return whole.filter(library.Series(wanted))
    return whole[wanted].reset_index(drop=True)


def _is_later(value: Any, since: dt.datetime, column: str) -> bool:
    """Whether a row is of that time or later; one without a time is not."""
    if value is None or value != value:  # noqa: PLR0124 - no time: pandas has NaT
        return False
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError as error:
            raise InvalidInput(f"the column '{column}' holds no times", got=value, fix=FIX) from error
    if not isinstance(value, dt.datetime):
        if not isinstance(value, dt.date):
            raise InvalidInput(f"the column '{column}' holds no times", got=type(value).__name__, fix=FIX)
        value = dt.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(dt.timezone.utc).replace(tzinfo=None)  # noqa: UP017 - older Pythons run this
    return bool(value >= since)
