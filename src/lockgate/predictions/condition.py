"""A condition over the rows of the log, as people write it: one SQL expression with `in.age` and `out.p` in it."""

from __future__ import annotations

import re
from collections.abc import Set

import polars as pl

from lockgate.errors import InvalidInput

_PLACED_NAME = re.compile(r"""("[^"]*"|'[^']*')|\b(in|out)\.([A-Za-z_]\w*)""")


class Condition:
    """Filters frame after frame; a column that one frame lacks is null there, for versions have unlike columns.

    Raises InvalidInput when it is made, used or, for a column that no frame had, checked. `early`: columns that every frame
    has before its rows are made; the property `early` says that it names no others.
    """

    def __init__(self, where: str | None, *, early: Set[str]) -> None:
        self._where = where
        self._expression = _parsed(where)
        self._missing = (
            set() if self._expression is None else set(self._expression.meta.root_names()) - set(early)
        )
        self._columns: dict[str, None] = {}
        self.early = not self._missing

    def filter(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that meet it."""
        if self._expression is None or rows.is_empty():
            return rows
        self._missing -= set(rows.columns)
        self._columns |= dict.fromkeys(rows.columns)
        lacking = set(self._expression.meta.root_names()) - set(rows.columns)
        try:
            wide = rows.with_columns(pl.lit(None).alias(name) for name in lacking)
            return wide.filter(self._expression).drop(lacking)
        except pl.exceptions.PolarsError as error:
            raise InvalidInput(
                f"the condition cannot be applied: {str(error).splitlines()[0]}",
                got=self._where,
                fix="see the columns' types: lockgate log MODEL --json",
            ) from error

    def check(self) -> None:
        """After the last frame: refuse names that were in none, if there was any row at all."""
        if self._columns and self._missing:
            raise InvalidInput(
                f"the condition names a column that is not there: {', '.join(sorted(self._missing))}",
                got=self._where,
                allowed=", ".join(self._columns),
            )


def _parsed(where: str | None) -> pl.Expr | None:
    if where is None or not where.strip():
        return None
    try:
        return pl.sql_expr(_PLACED_NAME.sub(lambda m: m[1] or f'"{m[2]}.{m[3]}"', where))
    except pl.exceptions.PolarsError as error:
        raise InvalidInput(
            "the condition cannot be understood",
            got=where,
            allowed="one SQL expression, such as: status >= 400 AND in.age > 60",
        ) from error
