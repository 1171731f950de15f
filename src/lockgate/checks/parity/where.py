"""Part of the parity check: what the rows that differ have in common, in words.

Conditions over the inputs (a value is missing, is 'Bonn', is 65 or more, holds letters beyond ASCII) are held against the rows
that differ. One is said when it covers them, or most of them, more exactly than chance allows, corrected for all that were tried;
then what is left over is explained in the same way.
Source: Fisher's exact test (hypergeometric tail), Bonferroni for the number of conditions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.values import numbers_of
from lockgate.late import late

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

_FEWEST = 3  # rows that differ before anything can be said of what they have in common
_MOST_VALUES = 50
_CHANCE = 0.01
_RECALL, _PRECISION = (
    0.5,
    0.9,
)  # a condition explains most of what differs, or differs nearly always where it holds
_PIECES = 3
_MISSING = " is missing"
_LARGE = 2.0**24  # 32-bit floats are exact whole numbers up to there


@dataclass(frozen=True, eq=False)
class Condition:
    """`words` of a column that hold in some of n rows. `tried`: how many thresholds it was chosen among."""

    column: str
    words: str
    there: np.ndarray
    tried: int = 1


@dataclass(frozen=True)
class Pattern:
    """What differing rows have in common, in words (empty: nothing), and the columns it names."""

    words: str
    columns: tuple[str, ...]


def pattern(
    rows: pl.DataFrame, inputs: Sequence[str], differs: np.ndarray, subjects: np.ndarray | None = None
) -> Pattern:
    """What the rows that differ (n truth values) have in common. `subjects` (n,): rows of one tell no more than one row.

    >>> frame = pl.DataFrame({"age": [None if row % 4 else 1.0 * row for row in range(40)]})
    >>> pattern(frame, ["age"], frame["age"].is_null().to_numpy()).words
    'they differ only where age is missing, and always there'
    """
    if differs.sum() < _FEWEST:
        return Pattern("", ())
    if differs.all():
        return Pattern("every row differs", ())
    known = [each for name in inputs if name in rows.columns for each in _known(rows[name])]
    known.sort(
        key=lambda each: not each.words.endswith(_MISSING)
    )  # of equals, a missing value is the likelier cause
    left, open_rows = differs.copy(), np.ones(differs.size, dtype=bool)
    found: list[Condition] = []
    while len(found) < _PIECES and left.sum() >= _FEWEST:
        among = [
            *known,
            *(each for name in inputs if name in rows.columns for each in _bounds(rows[name], left)),
        ]
        best = _best(among, left, open_rows, subjects)
        if best is None:
            break
        found.append(best)
        left, open_rows = left & ~best.there, open_rows & ~best.there
    return Pattern(
        _sentence(found, differs, int(left.sum())), tuple(dict.fromkeys(each.column for each in found))
    )


def _best(
    among: Sequence[Condition], differs: np.ndarray, open_rows: np.ndarray, subjects: np.ndarray | None
) -> Condition | None:
    """The condition that covers the differing rows best (F1), if that is no chance; the simplest of equals."""
    tried = sum(each.tried for each in among)
    total, hit = int(open_rows.sum()), int(differs.sum())
    best, worth = None, 0.0
    for each in among:
        there = each.there & open_rows
        size, both = int(there.sum()), int((there & differs).sum())
        if not both or size == total:
            continue
        recall, precision = both / hit, both / size
        if recall < _RECALL and (precision < _PRECISION or both < _FEWEST):
            continue
        score = 2 * recall * precision / (recall + precision)
        if score <= worth:
            continue
        if (
            _chance(there[open_rows], differs[open_rows], None if subjects is None else subjects[open_rows])
            * tried
            < _CHANCE
        ):
            best, worth = each, score
    return best if best is None else _with_twin(best, among)


def _chance(there: np.ndarray, differs: np.ndarray, subjects: np.ndarray | None) -> float:
    """How likely so many of the differing rows (n truth values) lie where a condition holds, by chance.

    Of one subject all rows where it holds count as one, and all others as one: either differs where any row of it does.
    """
    if subjects is not None:
        cells, places = np.unique(2 * subjects + there, return_inverse=True)
        there, differs = cells % 2 == 1, np.bincount(places, differs) > 0
    both = int((there & differs).sum())
    return float(stats.hypergeom.sf(both - 1, there.size, int(there.sum()), int(differs.sum())))


def _with_twin(best: Condition, among: Sequence[Condition]) -> Condition:
    """The condition, with another column's that holds in the very same rows: either may be the cause."""
    for each in among:
        if each.column != best.column and np.array_equal(each.there, best.there):
            return replace(best, words=f"{best.words} (the same rows where {each.words})")
    return best


def _sentence(found: Sequence[Condition], differs: np.ndarray, left: int) -> str:
    if not found:
        return ""
    if len(found) == 1 and not left:
        where = found[0]
        return f"they differ only where {where.words}" + _how_often(
            where.there, differs, ", and always there"
        )
    pieces, seen = [], np.zeros(differs.size, dtype=bool)
    for each in found:
        fresh = each.there & ~seen
        often = _how_often(fresh, differs, " (always there)")
        pieces.append(f"{int((fresh & differs).sum()):,} where {each.words}{often}")
        seen |= each.there
    rest = f"; {left:,} elsewhere" if left else ""
    return f"of those that differ, {', '.join(pieces)}{rest}"


def _how_often(there: np.ndarray, differs: np.ndarray, always: str) -> str:
    return always if bool(differs[there].all()) else ""


def _known(series: pl.Series) -> list[Condition]:
    """Conditions of one column that need no threshold, the simplest first."""
    name, kind = series.name, series.dtype
    if kind.is_nested():
        return []
    missing = series.is_null().to_numpy()
    if kind.is_float():
        missing = missing | series.is_nan().fill_null(False).to_numpy()
    found = [(name + _MISSING, missing)]
    if kind == pl.String or isinstance(kind, pl.Categorical | pl.Enum):
        found += _of_text(series.cast(pl.String))
    elif kind.is_numeric():
        found += _of_numbers(name, numbers_of(series))
    if kind == pl.Boolean or kind.is_integer():
        found += _of_values(series)
    return [Condition(name, words, there) for words, there in found if there.any() and not there.all()]


def _of_text(series: pl.Series) -> list[tuple[str, np.ndarray]]:
    shapes = (
        ("is empty", series == ""),
        ("holds letters beyond ASCII", series.str.contains(r"[^\x00-\x7F]")),
        ("begins or ends with a blank", series.str.contains(r"^\s|\s$")),
        ("holds capital letters", series.str.contains(r"[A-Z]")),
    )  # fmt: skip
    found = [(f"{series.name} {words}", there.fill_null(False).to_numpy()) for words, there in shapes]
    return [*_of_values(series), *found]


def _of_values(series: pl.Series) -> list[tuple[str, np.ndarray]]:
    values = series.drop_nulls().unique().sort()
    if len(values) > _MOST_VALUES:
        return []
    quote = "'" if series.dtype == pl.String else ""
    return [(f"{series.name} is {quote}{value}{quote}", (series == value).fill_null(False).to_numpy())
            for value in values.to_list()]  # fmt: skip


def _of_numbers(name: str, numbers: np.ndarray) -> list[tuple[str, np.ndarray]]:
    with np.errstate(invalid="ignore"):
        return [
            (f"{name} is 0", numbers == 0),
            (f"{name} is negative", numbers < 0),
            (f"{name} is infinite", np.isinf(numbers)),
            (f"{name} is no whole number", np.isfinite(numbers) & (numbers != np.floor(numbers))),
            (
                f"{name} is beyond what 32-bit floats hold exactly",
                np.isfinite(numbers) & (np.abs(numbers) > _LARGE),
            ),
        ]


def _bounds(series: pl.Series, differs: np.ndarray) -> list[Condition]:
    """Conditions with a threshold that the differing rows give: from their least on, up to their largest."""
    if not series.dtype.is_numeric():
        return []
    numbers = numbers_of(series)
    inside = numbers[differs & np.isfinite(numbers)]
    if not inside.size:
        return []
    low, high = float(inside.min()), float(inside.max())
    tried = np.unique(numbers[np.isfinite(numbers)]).size
    name = series.name
    with np.errstate(invalid="ignore"):
        return [
            Condition(name, f"{name} is {figure(low)} or more", numbers >= low, tried),
            Condition(name, f"{name} is {figure(high)} or less", numbers <= high, tried),
        ]
