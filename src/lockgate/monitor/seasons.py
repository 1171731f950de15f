"""What moved as the season moves it: held against the same season of a version's past, and against what came just before. Pure.

A column follows the season where its past says so (`checks.seasons`: its weeks differed there) or a person does. It lies where
its season would have it
    * by the calendar, where it holds one value in each day as it always did, and has not stayed longer than it used to;
    * near the same months of its past, where that holds them;
    * else near some month of its past, without a step, from one week to the next or from four weeks to the next four, that is
      larger than its past had. What was once no season's does not become one by staying.
Near is what neighbouring weeks were to each other, and a quarter more: seasons of two years are never quite alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from lockgate.checks.seasons import LEAST_ROWS, ColumnPast, sketch_from
from lockgate.clock import DAY_US, SECOND_US
from lockgate.monitor.chunks import Chunk, Told
from lockgate.monitor.drift import FAR, Fault, Found
from lockgate.monitor.profile import Counted, Profile, merged_profiles, sketch_in
from lockgate.monitor.reference import Reference
from lockgate.stats.drift import Moved, shift_of
from lockgate.stats.sketch import NumberSketch, Sketch

WEEK = 7  # days
MORE = 1.25  # of the largest step of the past
STAYS = 1.5  # of the longest time that a column of the calendar kept a value
AROUND_US = 10 * DAY_US  # before and after: the months of a stretch
_MOST = 0.9  # of a stretch: hours of a day may be silent
CALENDAR, SAME, CREEPS = "by the calendar", "as in the same months of its past", "no faster than its past did"


def without_season(found: Found, reference: Reference, told: Told) -> tuple[Found, dict[str, str]]:
    """A look without what the season explains, and of each such column how."""
    explained: dict[str, str] = {}
    constant = {each.column for each in found.broken if each.fault is Fault.CONSTANT}
    for name in (*found.moved, *constant):
        past = _past(reference, name)
        pair = found.moved.get(name)
        if past is not None and not (pair is not None and pair[0].missing):
            said = _explained(name, past, reference.columns[name], told, pair[0] if pair else None)
            if said is not None:
                explained[name] = said
    known = reference.seasons.columns.keys() if reference.seasons is not None else frozenset[str]()
    return (
        replace(
            found,
            moved={name: pair for name, pair in found.moved.items() if name not in explained},
            broken=tuple(each for each in found.broken if each.column not in explained),
            # what two columns have in common through the season changes with it
            turned=tuple(each for each in found.turned if not {each.one, each.other} & {*known, *explained}),
        ),
        explained,
    )


def explains_answers(reference: Reference, effects: Mapping[str, float], answered: float) -> bool:
    """Whether columns that follow the season (`effects`: how far they lie from the validation) may have moved answers so far:
    half of it, weighed by importance. Where nobody knows what answers hang on, they may."""
    if not effects:
        return False
    if not reference.matter:
        return True
    return sum(effect * reference.matter.get(name, 0.0) for name, effect in effects.items()) >= answered / 2


def follows(reference: Reference, name: str) -> bool:
    """Whether a column follows the season, as its past says or a person does."""
    return _past(reference, name) is not None


def farthest_step(reference: Reference, name: str) -> float | None:
    """How far a column that follows the season may come to lie from the week before; None for any other column."""
    past = _past(reference, name)
    return None if past is None else MORE * max(past.steps.values(), default=FAR / MORE)


def _past(reference: Reference, name: str) -> ColumnPast | None:
    if name not in reference.columns or name in reference.veiled:
        return None
    known = reference.seasons.columns.get(name) if reference.seasons is not None else None
    return known if known is not None else ColumnPast() if name in reference.seasonal else None


def _explained(name: str, past: ColumnPast, sketch: Sketch, told: Told, moved: Moved | None) -> str | None:
    chunks = told.chunks
    if past.stays_days and _one_a_day(name, sketch, chunks[-1]):
        return CALENDAR if _stays(name, sketch, chunks) <= STAYS * past.stays_days else None
    if moved is None:
        return None
    months = _months(past, sketch, chunks[-1].start_us - AROUND_US, chunks[-1].until_us + AROUND_US)
    if months is not None:
        return SAME if _near_all(name, past, sketch, told, [months]) else None
    if len(chunks) > 1 and name in chunks[-2].causes:
        return None
    every = [sketch_from(counts, sketch) for counts in past.months.values()]
    near = not every or _near_all(name, past, sketch, told, every)
    return CREEPS if near and _no_step(name, past, sketch, told) else None


def _months(past: ColumnPast, sketch: Sketch, since_us: int, until_us: int) -> Sketch | None:
    """The months of a stretch in the past, together; None where the past lacks one that the stretch's middle lies in."""
    first, last = (datetime.fromtimestamp(at_us / SECOND_US, tz=UTC).date() for at_us in (since_us, until_us))
    wanted = {(first + timedelta(days=day)).month for day in range((last - first).days + 1)}
    inner = range(AROUND_US // DAY_US, (last - first).days + 1 - AROUND_US // DAY_US)
    needed = {(first + timedelta(days=day)).month for day in inner}
    there = {month: past.months[str(month)] for month in wanted if str(month) in past.months}
    if not needed <= there.keys():
        return None
    summed = tuple(sum(parts) for parts in zip(*there.values(), strict=True))
    return sketch_from(summed, sketch) if sum(summed) >= LEAST_ROWS else None


def _spans(past: ColumnPast, told: Told) -> list[tuple[float, list[Profile], list[Profile]]]:
    """For each length of a stretch that there has been time for: how far its neighbours may lie apart, the newest stretch so
    long, and the one before it, empty before there is one. Up to a week they are cut to the hour: days of the week differ. Before
    there has been time for any, the newest chunk alone, which may lie as far off as any neighbours did."""
    steps = {int(days): far for days, far in past.steps.items()} or {WEEK: FAR / MORE}
    newest, begin_us = told.chunks[-1], told.chunks[0].start_us
    found: list[tuple[float, list[Profile], list[Profile]]] = []
    # sorted: as texts in a stored baseline, 28 comes before 7
    for span in [each for each in sorted(steps) if each >= _MOST * newest.days] or [max(steps)]:
        long_us = max(span * DAY_US, newest.until_us - newest.start_us)
        if newest.until_us - begin_us < _MOST * long_us:
            break
        border_us = newest.until_us - long_us
        recent = _between(told, border_us, newest.until_us, whole=span > WEEK)
        there = border_us - begin_us >= _MOST * long_us  # less than a week of days is no week
        before = _between(told, border_us - long_us, border_us, whole=span > WEEK) if there else []
        found.append((MORE * steps[span], recent, before))
    # days of a week differ, so less than a week lies as far off as days do
    return found or [(MORE * max(steps.values()), [newest.profile], [])]


def _between(told: Told, since_us: int, until_us: int, *, whole: bool) -> list[Profile]:
    """A stretch cut to the hour, or as the chunks whose middle lies in it."""
    if not whole:
        return [told.between(since_us, until_us)]
    return [each.profile for each in told.chunks if since_us <= each.middle_us < until_us]


def _near_all(name: str, past: ColumnPast, sketch: Sketch, told: Told, months: Sequence[Sketch]) -> bool:
    """Whether the newest stretch of each length lies near one of these."""
    for far, recent, _ in _spans(past, told):
        now = _sum(name, sketch, recent)
        if now is not None and min(shift_of(month, now).effect for month in months) > far:
            return False
    return True


def _no_step(name: str, past: ColumnPast, sketch: Sketch, told: Told) -> bool:
    """Whether no stretch lies farther from the one before it than stretches of its past did."""
    for far, recent, before in _spans(past, told):
        now, then = _sum(name, sketch, recent), _sum(name, sketch, before)
        if now is not None and then is not None and shift_of(then, now).effect > far:
            return False
    return True


def _sum(name: str, sketch: Sketch, stretches: Sequence[Profile]) -> Sketch | None:
    """A column of several stretches; None where it has too few rows to be held against anything."""
    held = [each.columns[name] for each in stretches if name in each.columns]
    if not held:
        return None
    summed = sketch_in(merged_profiles(Profile(columns={name: one}) for one in held).columns[name], sketch)
    return summed if summed.rows >= LEAST_ROWS else None


def _one_a_day(name: str, sketch: Sketch, chunk: Chunk) -> bool:
    """Whether a chunk holds no more values than days."""
    counted = chunk.profile.columns.get(name)
    return counted is not None and values_in(counted, sketch) <= max(round(chunk.days), 1) + 1


def values_in(counted: Counted, sketch: Sketch) -> int:
    """How many values or ranges of values a column held; two where one range held several."""
    held = sum(count > 0 for count in counted.counts) + (counted.beyond > 0)
    if isinstance(sketch, NumberSketch) and held == 1 and counted.low != counted.high:
        return 2
    return held


def _stays(name: str, sketch: Sketch, chunks: Sequence[Chunk]) -> float:
    """For how many days the column has held the one value that it holds now."""
    newest = chunks[-1].profile.columns[name]
    since_us = chunks[-1].start_us
    if values_in(newest, sketch) != 1:
        return 0.0
    for each in reversed(chunks[:-1]):
        counted = each.profile.columns.get(name)
        if counted is None or values_in(counted, sketch) != 1 or _only(counted) != _only(newest):
            break
        since_us = each.start_us
    return (chunks[-1].until_us - since_us) / DAY_US


def _only(counted: Counted) -> tuple[object, ...]:
    return (
        tuple(place for place, count in enumerate(counted.counts) if count),
        counted.low,
        counted.beyond > 0,
    )
