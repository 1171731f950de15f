"""Part of the quality check: what can be wrong with a column on its own."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.finding import Status
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.quality.personal import personal

PLACEHOLDERS = frozenset(
    {"?", "-", "--", "n/a", "na", "nan", "none", "null", "nil", "missing", "unknown", "#n/a", "undefined"}
)
SENTINELS = frozenset({-1.0, -9.0, -99.0, -999.0, -9999.0, -99999.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0, -1e9, 1e9,
                       -32768.0, 2147483647.0, -2147483648.0})  # fmt: skip
SENTINEL_DAYS = tuple(
    dt.date(*day) for day in ((1, 1, 1), (1900, 1, 1), (1970, 1, 1), (2099, 12, 31), (9999, 12, 31))
)
_EPOCH = dt.date(1970, 1, 1)
_SENTINEL_SHARE = 0.002  # rarer ones may be true values
_SENTINEL_ROWS = 5
_FAR = 1.0  # a sentinel lies at least the whole range of the other values away from them
_MIXED_SHARE = 0.5  # text where at least half are numbers is a numeric column gone wrong
_FEW_VALUES = 3
_ROWS_TO_JUDGE = 20


@dataclass(frozen=True)
class Kind:
    """A kind of trouble. `sentence` takes {columns}, {example} (of the first column) and {where}."""

    name: str
    title: str
    status: Status
    sentence: str
    advice: str


@dataclass(frozen=True)
class Trouble:
    """One column's trouble: what, and the share of rows it touches."""

    kind: str
    column: str
    what: str
    share: float


TROUBLES = (
    Kind("empty", "empty columns", Status.FAIL, "{columns} {example} in {where}, and the model takes it.",
         "Find out why the column is empty; leave it out if it will stay so."),
    Kind("infinite", "infinite values", Status.WARN, "{columns}: {example}.",
         "Replace infinite values where they arise, mostly a division by zero."),
    Kind("sentinel", "numbers that stand for 'missing'", Status.WARN, "{columns}: {example}.",
         "Make them missing values before training, and in production alike."),
    Kind("placeholder", "text that stands for 'missing'", Status.WARN, "{columns}: {example}.",
         "Make them missing values, so that they count as such everywhere."),
    Kind("mixed", "text among numbers", Status.WARN, "{columns}: {example}.",
         "Repair or drop these values; as text the column loses its order."),
    Kind("missing", "mostly missing columns", Status.WARN, "{columns}: {example}.",
         "Leave the column out, or find out why it is filled so rarely."),
    Kind("constant", "constant columns", Status.WARN, "{columns}: {example}.",
         "Leave the column out: it tells nothing, and a new value in production will be unknown to the model."),
    Kind("copy", "copies of a column", Status.WARN, "{columns}: {example}.",
         "Leave one of the two out."),
    Kind("personal", "personal data", Status.WARN, "{columns}: {example}.",
         "Leave it out or replace it by what the model needs of it; if it must stay, declare it under personal:."),
    Kind("identifier", "identifiers", Status.WARN, "{columns}: {example}.",
         "Leave it out: a model can only learn rows by heart from it."),
)  # fmt: skip


def troubles_of(frame: pl.DataFrame, *, mostly_missing: float, key: str | None = None) -> list[Trouble]:
    """Every trouble of every column; a column that is empty or constant is not looked at further."""
    found: list[Trouble] = []
    plain = [series for series in frame.iter_columns() if not series.dtype.is_nested()]
    sound = []
    for series in plain:
        first = _empty_or_constant(series, mostly_missing)
        if first is not None:
            found.append(first)
        if first is None or first.kind == "missing":
            sound.append(series)
    for series in sound:
        found += _values(series)
        held = personal(series)
        if held is not None:
            found.append(Trouble("personal", series.name, f"holds {held[0]}", held[1]))
        elif series.name == key or looks_like_identifier(series):
            what = "is the business key" if series.name == key else "nearly every row has a value of its own"
            found.append(Trouble("identifier", series.name, what, series.n_unique() / max(len(series), 1)))
    return found + list(_copies(sound))


def _empty_or_constant(series: pl.Series, mostly_missing: float) -> Trouble | None:
    if series.dtype.is_float():
        series = series.fill_nan(None)
    rows, missing = max(len(series), 1), series.null_count()
    if missing == len(series):
        return Trouble("empty", series.name, "has no value", 1.0)
    if missing / rows >= mostly_missing:
        return Trouble(
            "missing",
            series.name,
            f"missing in {missing / rows:.1%} of rows".replace("%", " %"),
            missing / rows,
        )
    if len(series) >= _ROWS_TO_JUDGE and missing == 0 and series.n_unique() == 1:
        return Trouble("constant", series.name, f"always {series[0]}", 1.0)
    return None


def _values(series: pl.Series) -> Iterator[Trouble]:
    if series.dtype.is_numeric():
        yield from _numbers(series)
    elif series.dtype == pl.String:
        yield from _text(series)
    elif series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
        yield from _days(series)


def _days(series: pl.Series) -> Iterator[Trouble]:
    """Days such as 1900-01-01 that many rows share while the others lie a whole range of theirs away."""
    days = series.drop_nulls().cast(pl.Date)
    for day in SENTINEL_DAYS:
        rest, count = days.filter(days != day), int((days == day).sum())
        if len(rest) == 0 or count < max(_SENTINEL_ROWS, _SENTINEL_SHARE * len(series)):
            continue
        ordinals = rest.to_physical()
        low, high = int(ordinals.min()), int(ordinals.max())  # type: ignore[arg-type]
        here = (day - _EPOCH).days
        if max(low - here, here - high) > high - low:
            first, last = _EPOCH + dt.timedelta(low), _EPOCH + dt.timedelta(high)
            what = f"{day} in {count:,} rows, other days lie between {first} and {last}"
            yield Trouble("sentinel", series.name, what, count / len(series))


def _numbers(series: pl.Series) -> Iterator[Trouble]:
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    infinite = int(np.isinf(values).sum())
    if infinite:
        yield Trouble("infinite", series.name, f"{infinite:,} infinite values", infinite / len(values))
    finite = values[np.isfinite(values)]
    names, counts = np.unique(finite, return_counts=True)
    if names.size <= _FEW_VALUES:  # codes such as -1, 0, 1 mean what they say
        return
    for place in (0, names.size - 1):
        value, count = float(names[place]), int(counts[place])
        rest = np.delete(names, place)
        gap = float(rest[0] - value) if place == 0 else float(value - rest[-1])
        often = count >= max(_SENTINEL_ROWS, _SENTINEL_SHARE * len(values))
        if value in SENTINELS and often and gap >= _far_enough(value, rest):
            what = f"{value:g} in {count:,} rows, other values lie between {rest[0]:g} and {rest[-1]:g}"
            yield Trouble("sentinel", series.name, what, count / len(values))


def _far_enough(value: float, rest: np.ndarray) -> float:
    """How far a suspicious value must lie from the others; a lone negative among positives is enough."""
    if value < 0 <= rest[0]:
        return 1.0
    return _FAR * float(np.ptp(rest))


def _text(series: pl.Series) -> Iterator[Trouble]:
    there = series.drop_nulls()
    stripped = there.str.strip_chars()
    empty = stripped.str.to_lowercase().is_in(list(PLACEHOLDERS)) | (stripped == "")
    count = int(empty.sum())
    if count:
        example = there.filter(empty).value_counts(sort=True)[series.name][0]
        yield Trouble("placeholder", series.name, f"{example!r} in {count:,} rows", count / len(series))
    rest = stripped.filter(~empty)
    numbers = rest.cast(pl.Float64, strict=False).is_not_null()
    share = float(numbers.sum()) / max(len(rest), 1)
    if _MIXED_SHARE <= share < 1:
        odd = rest.filter(~numbers)
        yield Trouble(
            "mixed",
            series.name,
            f"{odd[0]!r} among numbers, {len(odd):,} rows are text",
            len(odd) / len(series),
        )


def _copies(columns: list[pl.Series]) -> Iterator[Trouble]:
    """Columns that equal an earlier one in every row."""
    seen: dict[bytes, str] = {}
    for series in columns:
        kind = pl.Float64 if series.dtype.is_numeric() or series.dtype.is_temporal() else pl.String
        plain = series.to_physical() if series.dtype.is_temporal() else series
        mark = plain.cast(kind).hash(seed=1).to_numpy().tobytes()
        if mark in seen:
            yield Trouble("copy", series.name, f"equals {seen[mark]} in every row", 1.0)
        else:
            seen[mark] = series.name
