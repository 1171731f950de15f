"""Like with like: days of the week differ, and so do hours of the day, so what moved must differ from those too. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from lockgate.monitor.chunks import SHORTEST_DAY_US, Told
from lockgate.monitor.drift import (
    OUT,
    Found,
    as_reference,
    by_question,
    far_moved,
    share_at,
    shifts_of,
    without_seasons,
)
from lockgate.monitor.profile import merged_profiles
from lockgate.monitor.reference import Reference
from lockgate.monitor.unsteady import without_calendar
from lockgate.stats.drift import moved

PERIODS = 3  # so many days of the same name, or same hours, say what is usual
WEEKS = (7, 14, 21, 28)  # days before


def without_usual(
    found: Found, reference: Reference, told: Told, look: int, *, but: Collection[str] = ()
) -> tuple[Found, tuple[str, ...]]:
    """Without what lies as it does on that day of the week, or at that hour; and the columns that do.

    A day counts as moved where it differs from earlier ones of its name, or, before there are enough of them, where the week that
    ends with it moved as a whole. Inputs of the calendar say nothing. `but`: columns and answers (`by_question`) that are not as
    last week either, so that no day explains them.
    """
    sure = {name: pair for name, pair in found.moved.items() if name in but}
    sure_answers = {name: pair for name, pair in found.answers.items() if f"{OUT}{name}" in but}
    asked = replace(
        found,
        moved={name: pair for name, pair in found.moved.items() if name not in sure},
        answers={name: pair for name, pair in found.answers.items() if name not in sure_answers},
    )
    if told.chunks[-1].is_day:
        asked, calendar = without_calendar(asked, reference, [each.profile for each in told.chunks])
        left, seasonal = _without_days(asked, reference, told, look)
        seasonal = (*calendar, *seasonal)
    else:
        left, seasonal = _without_hours(asked, reference, told, look)
    return replace(left, moved={**sure, **left.moved}, answers={**sure_answers, **left.answers}), seasonal


def _without_days(
    found: Found, reference: Reference, told: Told, look: int
) -> tuple[Found, tuple[str, ...]]:  # fmt: skip
    newest, same = told.chunks[-1].profile, told.same_days()
    if len(same) >= PERIODS:
        return without_seasons(found, as_reference(reference, merged_profiles(same)), newest, look)
    week = [each.profile for each in told.chunks[-7:]]
    if len(week) < 7:
        everything = [name for name, (_, chunks) in found.moved.items() if chunks == 1]
        left = {name: pair for name, pair in found.moved.items() if pair[1] > 1}
        answers = {name: pair for name, pair in found.answers.items() if pair[1] > 1}
        return replace(found, moved=left, answers=answers), tuple(everything)
    return without_seasons(found, reference, merged_profiles(week), look)


def _without_hours(
    found: Found, reference: Reference, told: Told, look: int
) -> tuple[Found, tuple[str, ...]]:  # fmt: skip
    """Of stretches shorter than a day: what differs from the same hours of earlier weeks, or, before there are enough of them,
    lies far from the reference and from the same hours of earlier days."""
    asked = {name: chunks for name, (_, chunks) in found.moved.items()}
    asked |= {f"{OUT}{name}": chunks for name, (_, chunks) in found.answers.items()}
    usual: set[str] = set()
    for chunks in {*asked.values()}:
        stretch = told.chunks[-chunks].start_us, told.chunks[-1].until_us
        if stretch[1] - stretch[0] < SHORTEST_DAY_US:
            differ = _differ(reference, told, stretch, look)
            usual |= {name for name, count in asked.items() if count == chunks and name not in differ}
    left = {name: pair for name, pair in found.moved.items() if name not in usual}
    answers = {name: pair for name, pair in found.answers.items() if f"{OUT}{name}" not in usual}
    return replace(found, moved=left, answers=answers), tuple(name for name in found.moved if name in usual)


def _differ(reference: Reference, told: Told, stretch: tuple[int, int], look: int) -> set[str]:
    """Columns and answers (`by_question`) of a stretch that are not as usual at its hours."""
    profile, weeks = told.between(*stretch), told.days_before(WEEKS, stretch=stretch)
    if len(weeks) >= PERIODS:
        held = as_reference(reference, merged_profiles(weeks))
        found = moved(by_question(*shifts_of(held, profile)), false_share=share_at(look) / 2)
        return {each.column for each in found}
    far = {*far_moved(reference, profile, look)}
    days = told.days_before(range(1, 8), stretch=stretch)
    if len(days) >= PERIODS:
        far &= far_moved(as_reference(reference, merged_profiles(days)), profile, look).keys()
    return far
