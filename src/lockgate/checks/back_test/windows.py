"""Part of the back-test: rows in time order, cut into windows that people know (days, weeks, months, quarters, years)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.checks.values import times_of
from lockgate.errors import InvalidInput

UNITS = {"day": "1d", "week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}
AUTO = "auto"
_FEWEST, _MOST = 6, 24  # of the coarsest unit that gives at least so many windows
_EQUAL = 8  # windows of equal size where times are mere numbers


@dataclass(frozen=True, eq=False)
class Cut:
    """Every row's window (n,), -1 where its time is missing, and the windows' names, oldest first."""

    window: np.ndarray
    names: tuple[str, ...]


def cut(times: pl.Series, unit: str) -> Cut:
    """Windows of a time column. Raises InvalidInput for a unit that there is not, or text that holds no times."""
    if unit != AUTO and unit not in UNITS:
        raise InvalidInput("there is no such window", got=unit, allowed=", ".join((AUTO, *UNITS)))
    if times.dtype.is_numeric():
        return _equal(times_of(times))
    seconds = times_of(times)
    known = pl.Series(np.where(np.isfinite(seconds), seconds, 0) * 1e6).cast(pl.Int64).cast(pl.Datetime("us"))
    there = np.isfinite(seconds)
    if not there.any():
        return Cut(np.full(len(times), -1), ())
    chosen = unit if unit != AUTO else _fitting(known.filter(pl.Series(there)))
    starts = known.dt.truncate(UNITS[chosen])
    first = starts.filter(pl.Series(there)).unique().sort()
    window = np.searchsorted(first.to_physical().to_numpy(), starts.to_physical().to_numpy())
    names = tuple(_named(moment, chosen) for moment in first.to_list())
    return Cut(np.where(there, window, -1), names)


def _fitting(known: pl.Series) -> str:
    """The coarsest unit with at least _FEWEST windows; days where none has, years where all have too many."""
    counts = {unit: known.dt.truncate(every).n_unique() for unit, every in UNITS.items()}
    enough = [unit for unit, count in counts.items() if _FEWEST <= count <= _MOST]
    if enough:
        return enough[-1]
    return next((unit for unit, count in counts.items() if count <= _MOST), "year")


def _named(moment: object, unit: str) -> str:
    day = str(moment)[:10]
    if unit == "year":
        return day[:4]
    if unit == "quarter":
        return f"{day[:4]} Q{(int(day[5:7]) + 2) // 3}"
    return day[:7] if unit == "month" else f"week of {day}" if unit == "week" else day


def _equal(numbers: np.ndarray) -> Cut:
    """Windows of about equally many rows over mere numbers; equal numbers stay together."""
    there = np.isfinite(numbers)
    edges = (
        np.unique(np.quantile(numbers[there], np.linspace(0, 1, _EQUAL + 1)[1:-1]))
        if there.any()
        else numbers[:0]
    )
    window = np.where(there, np.searchsorted(edges, numbers, side="right"), -1)
    used = np.unique(window[there])
    names = tuple(f"from {np.min(numbers[window == place]):g}" for place in used)
    return Cut(np.where(there, np.searchsorted(used, window), -1), names)
