"""What a step promises of its table, written into its return annotation and held at every run.

    def cleaned(raw: pl.DataFrame) -> Annotated[pl.DataFrame, "complete: age, income", "unique: id"]: ...

Words: `complete` (no missing value, no NaN), `finite` (no infinity), `unique`, `not empty`; after a colon the columns they
are about, else all. Standard library only: tables are asked through the interface that pandas and polars share.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, get_args

from lockgate.errors import InvalidInput
from lockgate.pipelines.inside.steps import Step

WORDS = ("complete", "finite", "unique", "not empty")


def promises_of(step: Step) -> list[str]:
    """The words of the return annotation. Raises InvalidInput for words that promise nothing."""
    said = [each for each in getattr(step.returns, "__metadata__", ()) if isinstance(each, str)]
    for each in said:
        if each.partition(":")[0].strip() not in WORDS:
            raise InvalidInput(
                f"step '{step.name}' promises something unknown",
                got=each,
                allowed=", ".join(WORDS),
                fix="write one of these words, or 'word: column, column'",
            )
    return said if get_args(step.returns) else []


def keep_promises(step: str, promised: Iterable[str], value: Any) -> None:
    """Raise InvalidInput naming the step, the column and how many rows break a promise."""
    if step == "metrics" and isinstance(value, dict):
        _finite_metrics(value)
    for each in promised:
        word, _, names = each.partition(":")
        columns = [name.strip() for name in names.split(",") if name.strip()]
        _one(step, word.strip(), columns, value)


def _one(step: str, word: str, columns: list[str], value: Any) -> None:
    if word == "not empty":
        if len(value) == 0:
            raise InvalidInput(f"step '{step}' promised rows and returned none", fix=_FIX)
        return
    for name, cells in _columns(step, columns, value):
        broken = _broken(word, cells)
        if broken:
            what = {"complete": "no missing value", "finite": "finite numbers", "unique": "every value once"}[
                word
            ]
            raise InvalidInput(
                f"step '{step}' promised {what} in '{name}'",
                got=f"{broken} of {len(cells)} rows break it",
                fix=_FIX,
            )


def _columns(step: str, names: list[str], value: Any) -> Iterable[tuple[str, list[Any]]]:
    if not hasattr(value, "columns"):
        flat = value.ravel().tolist() if hasattr(value, "ravel") else value
        cells = list(flat) if isinstance(flat, list | tuple) else [flat]
        yield "its value", cells
        return
    known = [str(name) for name in value.columns]
    absent = [name for name in names if name not in known]
    if absent:
        raise InvalidInput(f"step '{step}' promised columns that it does not return", got=", ".join(absent),
                           allowed=", ".join(known[:30]))  # fmt: skip
    for name in names or known:
        column = value[name]
        yield name, column.to_list() if hasattr(column, "to_list") else list(column)


def _broken(word: str, cells: list[Any]) -> int:
    if word == "unique":
        return len(cells) - len(set(cells))
    if word == "complete":
        return sum(cell is None or cell != cell or str(cell) in ("NaT", "<NA>") for cell in cells)  # noqa: PLR0124 - NaN alone differs from itself
    return sum(isinstance(cell, float) and math.isinf(cell) for cell in cells)


def _finite_metrics(value: dict[Any, Any]) -> None:
    for name, number in value.items():
        try:
            good = math.isfinite(float(number))
        except (TypeError, ValueError):
            good = False
        if not good:
            raise InvalidInput(f"the metric '{name}' is no finite number", got=number,
                               fix="see what the step 'metrics' divides by, and whether the model answers NaN")  # fmt: skip


_FIX = "mend the step that made these rows, or what it reads; lockgate data show NAME says what the data hold"
