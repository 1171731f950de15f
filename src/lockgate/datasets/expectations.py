"""What every new version of a data set must keep: columns, types, ranges, categories, missing values, rows. Pure.

A contract, not a guess: `lockgate data expect loans --like loans@1` writes one from a version that is known to be good, and
people loosen or tighten it. A version that breaks it is recorded with what it breaks, and no pipeline trains on it unless told.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.datasets.counted import text_of
from lockgate.datasets.pieces import Table, table_of
from lockgate.datasets.profile import TOP_VALUES, Profile

SHOWN = 5
MOST_STRANGE = 1_000  # values that a contract does not name, kept while a column is read
ROOM = 0.5  # of the seen range: how far beyond it a number of a later version may lie
MORE_MISSING = 0.02  # share of missing values that a later version may have beyond the first


class ColumnExpected(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of one column. `kind`: number, text, truth or time; `missing`: the largest share (0..1) of missing values."""

    kind: str | None = None
    missing: float | None = None
    least: float | None = None
    most: float | None = None
    values: tuple[str, ...] | None = None
    unique: bool = False


class Expectations(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of a table. `closed`: further columns are refused."""

    columns: dict[str, ColumnExpected] = {}
    rows_least: int | None = None
    rows_most: int | None = None
    closed: bool = False


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """One expectation that a table breaks: the column ("" for the table), what was found and expected; and the step of a pipeline
    that mends it, as polars code on `frame`, where a step can."""

    column: str
    found: str
    expected: str
    repair: str


def broken_by(given: pl.DataFrame | Path | Table, expects: Expectations) -> tuple[Broken, ...]:
    """What a table breaks, in the order of the contract."""
    table = table_of(given)
    found: list[Broken] = []
    least, most = expects.rows_least, expects.rows_most
    if (least is not None and table.rows < least) or (most is not None and table.rows > most):
        said = " and ".join(
            f"{word} {bound}" for word, bound in (("at least", least), ("at most", most)) if bound is not None
        )
        found.append(Broken(column="", found=f"{table.rows} rows", expected=f"{said} rows",
                            repair="see whether the export was cut off or doubled: no step can bring rows back"))  # fmt: skip
    for name, expected in expects.columns.items():
        if name not in table.schema:
            found.append(Broken(column=name, found="no such column", expected="the column is there",
                                repair="add it where the table is made: no step can bring it back"))  # fmt: skip
        else:
            found += _of_column(table, name, expected)
    if expects.closed:
        found += [Broken(column=name, found="a further column", expected="no columns beyond the contract",
                         repair=f"frame.drop({name!r})")
                  for name in table.columns if name not in expects.columns]  # fmt: skip
    return tuple(found)


def expectations_like(seen: Profile) -> Expectations:
    """A contract that this table keeps, with room for ordinary change: ranges by half their width, 2 % more missing values."""
    columns = {}
    for column in seen.columns:
        numbers, rows = column.numbers, max(seen.rows, 1)
        least = most = None
        if numbers is not None:
            low, high = numbers.quantiles[0], numbers.quantiles[-1]
            room = (high - low) * ROOM
            least, most = (0.0 if low >= 0 else low - room), high + room
        few = column.numbers is None and 0 < column.distinct <= TOP_VALUES and column.distinct < rows / 2
        columns[column.name] = ColumnExpected(
            kind=kind_of(column.kind), missing=min(1.0, column.missing / rows + MORE_MISSING), least=least, most=most,
            values=tuple(sorted(value for value, _ in column.top)) if few else None,
        )  # fmt: skip
    return Expectations(columns=columns, rows_least=max(1, seen.rows // 2))


def kind_of(name: str) -> str:
    """The kind of a column's type, wide enough to survive another reader.

    >>> [kind_of(one) for one in ("Int64", "String", "Boolean", "Datetime(time_unit='us', time_zone=None)")]
    ['number', 'text', 'truth', 'time']
    """
    if name.startswith(("Int", "UInt", "Float", "Decimal")):
        return "number"
    if name.startswith(("Date", "Time", "Duration")):
        return "time"
    return {"Boolean": "truth", "String": "text", "Categorical": "text", "Enum": "text"}.get(
        name.partition("(")[0], name
    )


@dataclass
class _Seen:
    """What the pieces of a column showed up to now. `strange`: values that the contract does not name."""

    rows: int = 0
    there: int = 0
    low: float = math.inf
    high: float = -math.inf
    strange: set[str] = field(default_factory=set)
    hashes: list[np.ndarray] = field(default_factory=list)

    @property
    def repeated(self) -> int:
        """Rows whose value stands there before: 8 bytes a row, looked for only where the contract asks."""
        return self.there - np.unique(np.concatenate(self.hashes)).size if self.hashes else 0


def _of_column(table: Table, name: str, expected: ColumnExpected) -> list[Broken]:
    dtype = table.schema[name]
    kind = kind_of(str(dtype))
    if expected.kind is not None and kind != expected.kind:
        return [
            Broken(
                column=name,
                found=f"{kind} ({dtype})",
                expected=expected.kind,
                repair=_cast(name, dtype, expected.kind),
            )
        ]
    seen = _look(table, name, expected)
    found: list[Broken] = []
    missing = 1 - seen.there / max(seen.rows, 1)
    if expected.missing is not None and missing > expected.missing:
        nan = f".with_columns(pl.col({name!r}).fill_nan(None))" if dtype.is_float() else ""
        repair = f"frame{nan}.drop_nulls({name!r})"
        wanted = f"at most {expected.missing:.1%}"
        found.append(Broken(column=name, found=f"{missing:.1%} missing", expected=wanted, repair=repair))
    found += _of_range(name, seen, expected)
    if expected.values is not None and seen.strange:
        known = f"pl.col({name!r}).cast(pl.String).is_in({list(expected.values)!r})"
        repair = f"frame.filter({known} | pl.col({name!r}).is_null())"
        wanted = f"one of {', '.join(expected.values[:20])}"
        unknown = f"unknown: {', '.join(sorted(seen.strange)[:SHOWN])}"
        found.append(Broken(column=name, found=unknown, expected=wanted, repair=repair))
    if seen.repeated:
        repair = f"frame.unique({name!r}, keep='last', maintain_order=True)"
        again = f"{seen.repeated} repeated values"
        found.append(Broken(column=name, found=again, expected="every value once", repair=repair))
    return found


def _look(table: Table, name: str, expected: ColumnExpected) -> _Seen:
    seen, numeric = _Seen(), table.schema[name].is_numeric()
    for series in table.column(name):
        there = (series.fill_nan(None) if series.dtype.is_float() else series).drop_nulls()
        seen.rows, seen.there = seen.rows + len(series), seen.there + len(there)
        if numeric and len(there):
            values = there.cast(pl.Float64).to_numpy()
            seen.low, seen.high = min(seen.low, float(values.min())), max(seen.high, float(values.max()))
        if expected.values is not None and len(seen.strange) < MOST_STRANGE:
            strange = set(text_of(there).unique().to_list()) - set(expected.values)
            seen.strange |= set(sorted(strange)[:MOST_STRANGE])
        if expected.unique:
            seen.hashes.append(there.hash(seed=0).to_numpy())
    return seen


def _of_range(name: str, seen: _Seen, expected: ColumnExpected) -> list[Broken]:
    found = []
    if expected.least is not None and seen.low < expected.least:
        repair, said = _kept(name, f">= {expected.least!r}"), f"down to {seen.low:g}"
        found.append(Broken(column=name, found=said, expected=f"at least {expected.least:g}", repair=repair))
    if expected.most is not None and seen.high > expected.most:
        repair, said = _kept(name, f"<= {expected.most!r}"), f"up to {seen.high:g}"
        found.append(Broken(column=name, found=said, expected=f"at most {expected.most:g}", repair=repair))
    return found


def _kept(name: str, bound: str) -> str:
    """The step that keeps rows within a bound, and those without a value."""
    return f"frame.filter((pl.col({name!r}) {bound}) | pl.col({name!r}).is_null())"


def _cast(name: str, dtype: pl.DataType, kind: str) -> str:
    """The step that reads a column as another kind; what cannot be read so is missing then."""
    column = f"pl.col({name!r})"
    text = dtype == pl.String
    if kind == "truth" and text:
        truth = "{'true': True, 'false': False, '1': True, '0': False}"
        made = f"{column}.str.to_lowercase().replace_strict({truth}, default=None, return_dtype=pl.Boolean)"
    elif kind == "time":
        made = (
            f"{column}.str.to_datetime(strict=False)" if text else f"{column}.cast(pl.Datetime, strict=False)"
        )
    else:
        kinds = {"number": "pl.Float64", "truth": "pl.Boolean"}
        made = f"{column}.cast({kinds.get(kind, 'pl.String')}, strict=False)"
    return f"frame.with_columns({made})"
