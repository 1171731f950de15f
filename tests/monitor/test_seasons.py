"""Is what moved the season's? Expected columns are named with how, and a change inside a season stays what it is."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.checks.test_seasons import A_DAY, NAMES, rows

from lockgate.checks.seasons import AT, Seasons, seasons_of
from lockgate.clock import DAY_US
from lockgate.monitor.chunks import Chunk, Told
from lockgate.monitor.drift import Broken, Fault, Found, judge
from lockgate.monitor.profile import Profile, merged_profiles, profiles_of
from lockgate.monitor.reference import Reference, of_rows
from lockgate.monitor.seasons import CALENDAR, CREEPS, SAME, explains_answers, without_season

FIRST = 18_262


def learned(days: int) -> Reference:
    """What a validation on the last fifth of so many days leaves."""
    past = rows(days)
    judged = past.tail(past.height // 5)
    seasons, sketches = seasons_of(past, judged, NAMES)
    made = of_rows("past", judged.select(NAMES), {})
    return msgspec.structs.replace(made, seasons=seasons, columns=made.columns | sketches, pairs=None)


@pytest.fixture(scope="module")
def half() -> Reference:
    """January to June."""
    return learned(182)


@pytest.fixture(scope="module")
def whole() -> Reference:
    """A year and a half."""
    return learned(548)


def weeks(
    reference: Reference, after: int, count: int, warmer: float = 0.0, since: int = 0, *, days: int = 7
) -> list[Chunk]:
    """Chunks of a week each, or of so many days, from so many days after the begin on; from the `since`-th on it is so much
    warmer."""
    table = rows(after + days * count)[after * A_DAY :]
    made = []
    for number in range(count):
        part = table[number * days * A_DAY : (number + 1) * days * A_DAY]
        if number >= since:
            part = part.with_columns(pl.col("temperature") + warmer)
        inputs = {
            name: np.array(part[name].to_list(), dtype=object) if part[name].dtype == pl.String else part[name].to_numpy()
            for name in NAMES
        }  # fmt: skip
        at_us = (part[AT].to_numpy() * 1e6).astype(np.int64)
        start = (FIRST + after + days * number) * DAY_US
        profile = merged_profiles(profiles_of(reference, at_us, inputs, {}).values())
        made.append(Chunk(start, start + days * DAY_US, profile))
    return made


def look(reference: Reference, chunks: list[Chunk]) -> tuple[Found, dict[str, str]]:
    """The newest chunk as the monitor judges it, then without the season."""
    return without_season(judge(reference, {1: chunks[-1].profile}, 3), reference, told(chunks))


def told(chunks: list[Chunk]) -> Told:
    """With what lies between two times, a week at a time."""

    def between(since_us: int, until_us: int) -> Profile:
        return merged_profiles(each.profile for each in chunks if since_us <= each.start_us < until_us)

    return Told(chunks, between)


def named(chunk: Chunk) -> Chunk:
    """The chunk, with the temperature among its causes."""
    return Chunk(chunk.start_us, chunk.until_us, chunk.profile, frozenset({"temperature"}))


def test_a_season_that_the_past_holds_is_expected(whole: Reference) -> None:
    """Judged in spring and early summer, asked in November: the past had a November."""
    found, season = look(whole, weeks(whole, 548 + 120, 5))
    assert season["temperature"] == SAME
    assert "temperature" not in found.moved


def test_a_change_inside_a_season_that_the_past_holds_is_found(whole: Reference) -> None:
    """The same weeks, two deviations of a day's weather warmer than any neighbours were."""
    found, season = look(whole, weeks(whole, 548 + 120, 5, warmer=12.0, since=3))
    assert "temperature" in found.moved
    assert "temperature" not in season


def test_a_season_that_nobody_has_seen_comes_slowly(half: Reference) -> None:
    """October after a past of January to June: like April, and no week differs from the one before as never before."""
    found, season = look(half, weeks(half, 182 + 70, 6))
    assert season["temperature"] == CREEPS
    assert "temperature" not in found.moved


def test_a_step_inside_a_season_that_nobody_has_seen_is_found_and_stays_found(half: Reference) -> None:
    """Colder by much from one week to the next; and a month later it is not the season, though no week is a step any more."""
    chunks = weeks(half, 182 + 70, 10, warmer=-9.0, since=5)
    found, _ = look(half, chunks[:6])
    assert "temperature" in found.moved
    marked = [*chunks[:8], named(chunks[8]), chunks[9]]
    assert "temperature" in look(half, marked)[0].moved


def test_the_month_is_the_calendar_s_though_no_such_month_was_learned(half: Reference) -> None:
    """August after January to June: neither moved nor broken."""
    chunks = weeks(half, 182 + 35, 2)
    found, season = look(half, chunks)
    assert season["month"] == CALENDAR
    assert not found.broken
    assert "month" not in found.moved


def test_a_month_that_stands_still_is_broken(half: Reference) -> None:
    """August for longer than half as long again as any month was."""
    one = weeks(half, 182 + 35, 1)[0]
    stuck = [
        Chunk(one.start_us + n * 7 * DAY_US, one.until_us + n * 7 * DAY_US, one.profile) for n in range(8)
    ]
    broken = Found(broken=(Broken("month", Fault.CONSTANT, "8"),))
    assert without_season(broken, half, told(stuck[:4]))[1] == {"month": CALENDAR}
    found, season = without_season(broken, half, told(stuck))
    assert (found.broken, season) == (broken.broken, {})


def test_a_stored_past_is_asked_day_by_day_week_by_week_and_then_by_four_weeks(whole: Reference) -> None:
    """Storing sorts lengths as texts, 28 before 7: a week much warmer is found after two of single days, not only after four."""
    assert whole.seasons is not None
    stored = msgspec.json.decode(
        msgspec.json.encode(whole.seasons, order="deterministic"), type=type(whole.seasons)
    )
    assert list(stored.columns["temperature"].steps)[-1] == "7"
    reference = msgspec.structs.replace(whole, seasons=with_days(stored))
    chunks = weeks(reference, 548 + 120, 14, warmer=14.0, since=7, days=1)
    week = merged_profiles(each.profile for each in chunks[7:])
    found = judge(reference, {1: week}, 3)
    assert "temperature" in found.moved
    assert "temperature" in without_season(found, reference, told(chunks))[0].moved


def with_days(seasons: Seasons) -> Seasons:
    """The same with a distance of neighbouring days, as a past with more rows a day has one."""
    past = seasons.columns["temperature"]
    steps = {"1": max(past.steps.values()), **past.steps}
    return msgspec.structs.replace(
        seasons, columns={"temperature": msgspec.structs.replace(past, steps=steps)}
    )


def test_what_people_declare_is_held_against_the_week_before(half: Reference) -> None:
    """Without a past a declared column may creep; it may not jump."""
    declared = msgspec.structs.replace(half, seasons=None, seasonal=("temperature",))
    nothing = msgspec.structs.replace(half, seasons=None)
    chunks = weeks(half, 182 + 70, 3)
    assert "temperature" in look(nothing, chunks)[0].moved
    assert "temperature" in look(declared, chunks)[1]
    jumped = weeks(half, 182 + 70, 3, warmer=8.0, since=2)
    assert "temperature" in look(declared, jumped)[0].moved


def test_personal_columns_and_missing_values_have_no_season(half: Reference) -> None:
    """Of a personal column nothing is known by month; values that are missing are never the season's."""
    chunks = weeks(half, 182 + 70, 6)
    veiled = msgspec.structs.replace(half, veiled=("temperature",))
    assert "temperature" in look(veiled, chunks)[0].moved


def test_answers_follow_the_season_as_far_as_they_hang_on_it(half: Reference) -> None:
    """Half of their move at least, weighed by importance; where nobody knows importance, they may."""
    known = msgspec.structs.replace(half, matter={"temperature": 0.5, "noise": 0.5})
    assert explains_answers(known, {"temperature": 1.0}, 0.8)
    assert not explains_answers(known, {"temperature": 0.2}, 0.8)
    assert not explains_answers(known, {}, 0.8)
    assert explains_answers(half, {"temperature": 0.1}, 0.8)
