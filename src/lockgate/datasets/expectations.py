"""What every new version of a data set must keep: columns, types, ranges, categories, missing values, rows. Pure.

A contract, not a guess: `lockgate data expect loans --like loans@1` writes one from a version that is known to be good, and
people loosen or tighten it. A version that breaks it is recorded with what it breaks, and no pipeline trains on it unless told.
"""

from __future__ import annotations

import msgspec
import polars as pl

from lockgate.datasets.profile import TOP_VALUES, Profile

SHOWN = 5
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
    """One expectation that a table breaks: the column ("" for the table), what was found and expected, and how to mend it."""

    column: str
    found: str
    expected: str
    repair: str


def broken_by(frame: pl.DataFrame, expects: Expectations) -> tuple[Broken, ...]:
    """What a table breaks, in the order of the contract."""
    found: list[Broken] = []
    least, most = expects.rows_least, expects.rows_most
    if (least is not None and frame.height < least) or (most is not None and frame.height > most):
        said = " and ".join(
            f"{word} {bound}" for word, bound in (("at least", least), ("at most", most)) if bound is not None
        )
        found.append(Broken(column="", found=f"{frame.height} rows", expected=f"{said} rows",
                            repair="see whether the export was cut off or doubled"))  # fmt: skip
    for name, expected in expects.columns.items():
        if name not in frame.columns:
            found.append(Broken(column=name, found="no such column", expected="the column is there",
                                repair=f"add it where the table is made, or rename: .rename({{'OLD': '{name}'}})"))  # fmt: skip
        else:
            found += _of_column(frame[name], expected)
    if expects.closed:
        found += [Broken(column=name, found="a further column", expected="no columns beyond the contract",
                         repair=f".drop('{name}'), or take it into the contract")
                  for name in frame.columns if name not in expects.columns]  # fmt: skip
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


def _of_column(series: pl.Series, expected: ColumnExpected) -> list[Broken]:
    name, rows = series.name, max(len(series), 1)
    kind = kind_of(str(series.dtype))
    if expected.kind is not None and kind != expected.kind:
        return [
            Broken(
                column=name,
                found=f"{kind} ({series.dtype})",
                expected=expected.kind,
                repair=_cast(name, expected.kind),
            )
        ]
    numbers = series.cast(pl.Float64).fill_nan(None) if series.dtype.is_numeric() else None
    there = (numbers if numbers is not None else series).drop_nulls()
    found: list[Broken] = []
    missing = 1 - len(there) / rows
    if expected.missing is not None and missing > expected.missing:
        repair = f".with_columns(pl.col('{name}').fill_null(VALUE)), or .drop_nulls('{name}')"
        wanted = f"at most {expected.missing:.1%}"
        found.append(Broken(column=name, found=f"{missing:.1%} missing", expected=wanted, repair=repair))
    if numbers is not None and len(there):
        found += _of_range(there, expected)
    if expected.values is not None:
        found += _of_values(there, expected.values)
    repeated = len(there) - there.n_unique()
    if expected.unique and repeated:
        repair = f".unique('{name}', keep='last')"
        found.append(
            Broken(
                column=name, found=f"{repeated} repeated values", expected="every value once", repair=repair
            )
        )
    return found


def _of_range(there: pl.Series, expected: ColumnExpected) -> list[Broken]:
    name, low, high = there.name, float(there.to_numpy().min()), float(there.to_numpy().max())
    found = []
    if expected.least is not None and low < expected.least:
        repair = f".filter(pl.col('{name}') >= {expected.least:g})"
        found.append(
            Broken(
                column=name, found=f"down to {low:g}", expected=f"at least {expected.least:g}", repair=repair
            )
        )
    if expected.most is not None and high > expected.most:
        repair = f".filter(pl.col('{name}') <= {expected.most:g})"
        found.append(
            Broken(column=name, found=f"up to {high:g}", expected=f"at most {expected.most:g}", repair=repair)
        )
    return found


def _of_values(there: pl.Series, allowed: tuple[str, ...]) -> list[Broken]:
    strange = sorted(set(there.cast(pl.String).unique().to_list()) - set(allowed))
    if not strange:
        return []
    repair = f".with_columns(pl.col('{there.name}').replace({{'OLD': 'NEW'}}))"
    wanted = f"one of {', '.join(allowed[:20])}"
    return [
        Broken(
            column=there.name, found=f"unknown: {', '.join(strange[:SHOWN])}", expected=wanted, repair=repair
        )
    ]


def _cast(name: str, kind: str) -> str:
    kinds = {"number": "pl.Float64", "text": "pl.String", "truth": "pl.Boolean", "time": "pl.Datetime"}
    return f".with_columns(pl.col('{name}').cast({kinds.get(kind, 'pl.String')}, strict=False))"
