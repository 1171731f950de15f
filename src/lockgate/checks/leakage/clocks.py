"""Part of the leakage check: inputs that are times after the prediction's, clock times written as numbers (517: 5:17) too."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Table, Threshold
from lockgate.checks.leakage.durations import between_late
from lockgate.checks.listing import few
from lockgate.checks.values import numbers_of, times_of

_DAY_MIN = 1_440
_FEWEST_VALUES, _AFTERNOON = (
    60,
    1_300,
)  # numbers whose last two digits are all below 60, up to the afternoon, by chance: never
_LATE_SHARE = 0.01
_SAME = 0.98
_FEWEST_MISSING = 20
_ZONES = 2  # summer and winter
# plans are known beforehand although they name a later time
_PLANNED = re.compile(r"sched|plan|due|expect|book|promis|deadline|target|forecast", re.IGNORECASE)


def is_clock(series: pl.Series) -> bool:
    """Whether numbers are clock times: 0 to 2400, the last two digits below 60, many of them, the afternoon among them.

    >>> times = [100 * hour + minute for hour in range(24) for minute in (5, 17, 42)]
    >>> is_clock(pl.Series(times)), is_clock(pl.Series(range(2400)))
    (True, False)
    """
    if not series.dtype.is_numeric():
        return False
    numbers = numbers_of(series)
    numbers = numbers[np.isfinite(numbers)]
    if not numbers.size or numbers.min() < 0 or not _AFTERNOON <= numbers.max() <= 2_400:
        return False
    return (
        bool((numbers % 100 < 60).all() and (numbers == numbers.round()).all())
        and np.unique(numbers).size >= _FEWEST_VALUES
    )


def seconds_after(times: pl.Series, made: pl.Series) -> np.ndarray:
    """How long after the prediction each time lies, shape (n,), NaN where one is missing.

    A clock time is the one nearest to the prediction's, within twelve hours. Raises InvalidInput for text that holds no times.
    """
    clock = _minutes(made) if is_clock(times) else None
    if clock is None:
        return np.asarray(times_of(times) - times_of(made))
    minutes = _of_day(numbers_of(times)) - clock
    return np.asarray(((minutes + _DAY_MIN / 2) % _DAY_MIN - _DAY_MIN / 2) * 60)


def planned_clock(frame: pl.DataFrame, time: str) -> pl.Series:
    """What clock times are held against: a planned one (`sched_dep_time`) that is the prediction's time but for whole hours.

    Times of prediction are often written in another zone than clocks, or cut to the hour.
    """
    made = frame[time]
    day = _minutes(made)
    if is_clock(made) or day is None:
        return made
    for series in frame.iter_columns():
        if not _PLANNED.search(series.name) or not is_clock(series):
            continue
        apart = _of_day(numbers_of(series)) // 60 - day // 60
        zones, rows = np.unique((apart[np.isfinite(apart)] % 24), return_counts=True)
        if zones.size and np.sort(rows)[-_ZONES:].sum() >= _SAME * rows.sum():
            return series
    return made


def late_inputs(check: str, frame: pl.DataFrame, inputs: Sequence[str], time: str) -> list[Finding]:
    """One warning that names the inputs which seem to be known only after the prediction, or nothing.

    Times among the inputs that lie after `time` and are no plans by their name; and inputs that are the distance to such a
    time, or are missing wherever it is.
    """
    names = [name for name in inputs if name in frame.columns and name != time]
    made, late = planned_clock(frame, time), {}
    for name in names:
        if _PLANNED.search(name):
            continue
        against = made if is_clock(frame[name]) else frame[time]
        if not _is_time(frame[name], against):
            continue
        after = seconds_after(frame[name], against)
        known = np.isfinite(after)
        share = float((after[known] > 0).mean()) if known.any() else 0.0
        if share >= _LATE_SHARE:
            late[name] = (share, after)
    if not late:
        return []
    told = [
        (name, f"lies after {time} in {figure(share, 'share')} of rows") for name, (share, _) in late.items()
    ]
    others = [name for name in names if name not in late and not frame[name].dtype.is_nested()]
    after_s = {key: at for key, (_, at) in late.items()}
    belong = {name: why for name in others if (why := _belongs(frame, name, after_s))}
    belong |= between_late(frame, [name for name in others if name not in belong], after_s)
    told += [(name, belong[name]) for name in others if name in belong]
    worst = max(share for share, _ in late.values())
    return [Finding(
        check=check, subject="times after the prediction", status=Status.WARN,
        headline=f"{few(name for name, _ in told)} seem{'s' if len(told) == 1 else ''} to be known only after the prediction "
                 f"({told[0][0]} {told[0][1]}).",
        advice="Leave them out, unless they are plans that are known beforehand: then list them under checks.leakage.ignore. "
               "known_at says for each input which column tells when it is known.",
        measure=Measure(name="rows where a time lies after the prediction", value=worst, unit="share"),
        threshold=Threshold(at_most=_LATE_SHARE), table=Table(columns=("input", "why"), rows=tuple(told)),
    )]  # fmt: skip


def _is_time(series: pl.Series, made: pl.Series) -> bool:
    if series.dtype == pl.Date or isinstance(series.dtype, pl.Datetime):
        return made.dtype.is_temporal() or made.dtype == pl.String
    return is_clock(series) and _minutes(made) is not None


def _belongs(frame: pl.DataFrame, name: str, late: dict[str, np.ndarray]) -> str:
    """Why an input comes from a late one; empty where it does not."""
    missing, numbers = (
        frame[name].is_null().to_numpy(),
        numbers_of(frame[name]) if frame[name].dtype.is_numeric() else None,
    )
    for other, after in late.items():
        known = np.isfinite(after)
        if numbers is not None and known.any():
            both = known & np.isfinite(numbers)
            for unit, size in (("seconds", 1), ("minutes", 60), ("hours", 3_600)):
                if (
                    both.sum() >= _FEWEST_MISSING
                    and np.isclose(numbers[both], after[both] / size).mean() >= _SAME
                ):
                    return f"is the {unit} to {other}"
        gone = frame[other].is_null().to_numpy()
        if (
            gone.sum() >= _FEWEST_MISSING
            and missing[gone].mean() >= _SAME
            and missing.mean() <= 1.5 * gone.mean() < 0.75
        ):
            return f"is missing wherever {other} is"
    return ""


def _minutes(made: pl.Series) -> np.ndarray | None:
    """The prediction's time of day in minutes; None where it has none."""
    if is_clock(made):
        return _of_day(numbers_of(made))
    if made.dtype.is_numeric() or made.dtype == pl.Date or made.dtype.is_nested():
        return None
    if not isinstance(made.dtype, pl.Datetime) and made.dtype != pl.String:
        return None
    minutes = times_of(made) / 60 % _DAY_MIN
    return minutes if np.unique(minutes[np.isfinite(minutes)]).size > 1 else None


def _of_day(clock: np.ndarray) -> np.ndarray:
    return np.asarray(clock // 100 * 60 + clock % 100)
