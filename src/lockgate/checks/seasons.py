"""How inputs followed the calendar in a version's past: what a monitor needs to tell a season from a change. Pure.

Idea: the rows that a version learned from and was judged on span weeks or years, where a column says when each was. Of every
column whose weeks differ, counts are kept by month of the year, and how far neighbouring stretches of a day, a week and four
weeks lay apart: so later rows can be held against the same season of other years, and against what came just before.
A column that held one value in each day (the month, a holiday) is known as one, with the longest time that it stayed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import reduce
from itertools import pairwise

import msgspec
import numpy as np
import polars as pl

from lockgate.checks.evidence import Evidence
from lockgate.checks.values import times_of
from lockgate.datasets.sketched import can_sketch, count_column, sketch_column
from lockgate.errors import InvalidInput
from lockgate.stats.drift import shift_of
from lockgate.stats.sketch import NumberSketch, Sketch, merged

DAY_S = 86_400
AT = "\0at_s"  # the column of times in a past
SPANS = (1, 7, 28)  # days: stretches whose neighbours are compared
LEAST_DAYS = 56  # of a past: two months say that weeks differ, less does not
LEAST_STEPS = 6  # neighbours, of which the farthest is usual
LEAST_ROWS = 100  # of a stretch: the distance of fewer is chance
DIFFER = 0.25  # standard deviations, surely: so far a week lies from all where weeks differ
DIFFERING = 2  # weeks at least
MOST_ROWS = 200_000  # of the past, drawn from all over it
_STEADY = 0.99  # of days in which a column of the calendar holds one value
_DAY_ROWS = 5  # of a day, to say that it holds one value
_DAYS = 8


class ColumnPast(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One column's past. `months`: month of the year ("1" to "12": texts, as JSON has them) -> counts of bins or
    names, then of others, then missing; `steps`: days of a stretch ("7") -> the largest distance of neighbours, in standard
    deviations; `stays_days`: the longest time it kept a value, of a column that holds one value in each day, else 0."""

    months: dict[str, tuple[int, ...]] = {}
    steps: dict[str, float] = {}
    stays_days: float = 0.0


class Seasons(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that differ by week, or hold one value a day; `since_us` and `until_us`: from when to when the past is."""

    since_us: int
    until_us: int
    columns: dict[str, ColumnPast]


def past_of(evidence: Evidence, names: Iterable[str]) -> pl.DataFrame | None:
    """The rows of every table in the order of time, with their time as `\\0at_s`; None where nobody says when they were, or no
    column is of one kind in all of them. Of more than `MOST_ROWS` so many, drawn the same way each time."""
    time = evidence.time
    if time is None:
        return None
    tables = [frame for frame in evidence.frames.values() if time in frame.columns]
    wanted = [name for name in names if _of_one_kind(name, tables)]
    try:
        parts = [
            frame.select(_plain(frame, name) for name in wanted if name in frame.columns).with_columns(
                pl.Series(AT, times_of(frame[time]))
            )
            for frame in tables
            if not {*wanted}.isdisjoint(frame.columns)
        ]
    except InvalidInput:
        return None
    rows = [part.filter(pl.col(AT).is_finite()) for part in parts]
    if not sum(part.height for part in rows):
        return None
    whole = pl.concat(rows, how="diagonal_relaxed").sort(AT, maintain_order=True)
    if whole.height <= MOST_ROWS:
        return whole
    # each n-th would be the same hour of each day, or the same of several places
    drawn = np.random.default_rng(0).choice(whole.height, MOST_ROWS, replace=False)
    return whole[np.sort(drawn)]


def _of_one_kind(name: str, tables: Sequence[pl.DataFrame]) -> bool:
    """Whether a column can be put together from all tables that have it: numbers, words, or exactly the same type."""
    kinds = {_kind(table.schema[name]) for table in tables if name in table.columns}
    return len(kinds - {_kind(pl.Null())}) == 1


def _kind(of: pl.DataType) -> pl.DataType:
    if of.is_numeric() or of == pl.Boolean:
        return pl.Float64()
    return pl.String() if of in (pl.Categorical, pl.Enum) else of


def _plain(frame: pl.DataFrame, name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String) if frame.schema[name] in (pl.Categorical, pl.Enum) else pl.col(name)


def seasons_of(
    past: pl.DataFrame, judged: pl.DataFrame, names: Iterable[str]
) -> tuple[Seasons | None, dict[str, Sketch]]:
    """What there is to say of these columns, None where the past is too short or nothing differs by week; and the judged rows'
    sketches of the columns it speaks of, over edges and names of the whole past: so that a winter has bins in June."""
    at_s = past[AT].to_numpy()
    if at_s[-1] - at_s[0] < LEAST_DAYS * DAY_S:
        return None, {}
    days = (at_s // DAY_S).astype(np.int64)
    found, sketches = {}, {}
    for name in names:
        if can_sketch(past, name) and can_sketch(judged, name):
            over = sketch_column(past[name])
            one = _column(past[name], over, days)
            if one is not None:
                found[name], sketches[name] = one, count_column(judged[name], over)
    if not found:
        return None, {}
    return Seasons(since_us=round(at_s[0] * 1e6), until_us=round(at_s[-1] * 1e6), columns=found), sketches


def seasons_but(seasons: Seasons | None, names: Collection[str]) -> Seasons | None:
    """The same without some columns."""
    if seasons is None:
        return None
    left = {name: past for name, past in seasons.columns.items() if name not in names}
    return msgspec.structs.replace(seasons, columns=left)


def counts_of(sketch: Sketch) -> tuple[int, ...]:
    """Counts of bins or names, then of others, then missing."""
    beyond = sketch.infinite if isinstance(sketch, NumberSketch) else sketch.other
    return (*sketch.counts, beyond, sketch.missing)


def sketch_from(counts: Sequence[int], like: Sketch) -> Sketch:
    """`counts_of`, turned back."""
    *inside, beyond, missing = counts
    if isinstance(like, NumberSketch):
        return NumberSketch(edges=like.edges, counts=tuple(inside), infinite=beyond, missing=missing)
    return msgspec.structs.replace(like, counts=tuple(inside), other=beyond, missing=missing)


def _column(series: pl.Series, sketch: Sketch, days: np.ndarray) -> ColumnPast | None:
    stays = _stays_days(series, days)
    weeks = _stretches(series, sketch, days // 7)
    if not stays and not _differ(weeks):
        return None
    steps = {}
    for span in SPANS:
        stretches = weeks if span == 7 else _stretches(series, sketch, days // span)
        far = [shift_of(one, other).effect for one, other in pairwise(stretches)]
        if len(far) >= LEAST_STEPS or (span == SPANS[-1] and len(far) > 1):
            steps[str(span)] = round(max(far), 4)
    months = pl.from_epoch(pl.Series(days * DAY_S), time_unit="s").dt.month().to_numpy()
    by_month = {
        str(month): counts_of(count_column(series.filter(pl.Series(months == month)), sketch))
        for month in np.unique(months)
    }
    return ColumnPast(months=by_month, steps=steps, stays_days=stays)


def _stretches(series: pl.Series, sketch: Sketch, numbers: np.ndarray) -> list[Sketch]:
    """A column's stretches (their number, n, in order) that have enough rows."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(numbers) != 0]))
    ends = [*starts[1:].tolist(), numbers.size]
    return [
        count_column(series[start:end], sketch)
        for start, end in zip(starts.tolist(), ends, strict=True) if end - start >= LEAST_ROWS
    ]  # fmt: skip


def _differ(weeks: Sequence[Sketch]) -> bool:
    """Whether several weeks surely lie far from all of them together."""
    if len(weeks) < LEAST_STEPS:
        return False
    whole = reduce(merged, weeks)
    return sum(shift_of(whole, week).low >= DIFFER for week in weeks) >= DIFFERING


def _stays_days(series: pl.Series, days: np.ndarray) -> float:
    """The longest time for which a column that holds one value in each day kept it; 0 for another column."""
    by_day = (
        pl.DataFrame({"day": days, "value": series.cast(pl.String, strict=False)})
        .group_by("day", maintain_order=True)
        .agg(rows=pl.len(), values=pl.col("value").n_unique(), value=pl.col("value").first())
        .filter(pl.col("rows") >= _DAY_ROWS)
    )
    if by_day.height < _DAYS or by_day["value"].n_unique() < 2 or (by_day["values"] == 1).mean() < _STEADY:  # type: ignore[operator]
        return 0.0
    runs = by_day.with_columns(run=pl.col("value").rle_id()).group_by("run", maintain_order=True)
    spans = runs.agg(first=pl.col("day").first(), last=pl.col("day").last())
    return float((spans["last"] - spans["first"]).max() + 1)  # type: ignore[operator]
