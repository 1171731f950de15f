"""Not as last week: what was accepted as moved moves again, and what never left the validation jumps."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US, HOUR_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.causes import Cause, How
from lockgate.monitor.chunks import Chunk, Told
from lockgate.monitor.drift import OUT
from lockgate.monitor.notices import Notice, Severity, open_notices
from lockgate.monitor.profile import Profile, merged_profiles, profiles_of
from lockgate.monitor.saying_week import notices_of_week
from lockgate.monitor.verdicts import Verdict, verdicts_of
from lockgate.monitor.week import Jumped, jumps, wandering, week_before

from .churn import START_US, Change, Watched, columns, known_importance, reference, write_days

ROWS = 600


def older(years: float) -> Change:
    """Everybody is so much older; the answers stay."""
    return lambda made: {**made, "age": made["age"] + years}


def day(draw: np.random.Generator, number: int, *, age: float = 40.0, pro: float | None = None) -> Chunk:
    """A day of rows, counted against the validation; `pro`: the share of one plan."""
    made = columns(draw, ROWS, age=age)
    if pro is not None:
        made["plan"] = np.where(draw.random(ROWS) < pro, "pro", "basic").astype(object)
    start_us = START_US + number * DAY_US
    answers = {"decision": made["y"].astype(str).astype(object), "score": made["p"]}
    inputs = {name: made[name] for name in ("age", "plan")}
    counted = profiles_of(HELD, np.full(ROWS, start_us, dtype=np.int64), inputs, answers)
    return Chunk(start_us, start_us + DAY_US, merged_profiles(counted.values()))


HELD = reference()


def told(chunks: list[Chunk]) -> Told:
    """With what lies between two times."""

    def between(since_us: int, until_us: int) -> Profile:
        return merged_profiles(each.profile for each in chunks if since_us <= each.start_us < until_us)

    return Told(chunks, between)


def look(chunks: list[Chunk], number: int = 20, past: tuple[Verdict, ...] = ()) -> Jumped:
    """The newest against its week."""
    before = week_before(told(chunks))
    assert before is not None
    return jumps(HELD, chunks[-1].profile, before, number, past=past)


def test_before_a_week_and_a_day_of_its_name_nothing_is_said() -> None:
    """Seven days are a week; the eighth has a namesake."""
    draw = np.random.default_rng(0)
    days = [day(draw, number) for number in range(8)]
    assert week_before(told(days[:7])) is None
    assert week_before(told(days)) is not None


def test_a_day_that_differs_from_its_week_is_named_with_its_answers() -> None:
    """A move of a deviation, in the column and, once it is known how far they wander, in the answers that follow it; the other
    column is as last week."""
    draw = np.random.default_rng(1)
    days = [*(day(draw, number) for number in range(10)), day(draw, 10, age=52.0)]
    assert look(days).named == {"age"}
    quiet = {"age": 0.1, "plan": 0.1, f"{OUT}score": 0.1, f"{OUT}decision": 0.1}
    past = tuple(
        Verdict(start_us=n, until_us=n + 1, rows=ROWS, look=n, columns={}, answers={}, week=quiet)
        for n in range(7)
    )
    found = look(days, past=past)
    assert set(found.columns) == {"age"}
    assert "score" in found.answers
    assert found.far["age"] > 0.9 > 0.2 > found.far["plan"]
    assert found.named >= {"age", f"{OUT}score"}


def test_a_day_as_its_namesakes_is_as_last_week() -> None:
    """Every seventh day is as much older."""
    draw = np.random.default_rng(2)
    days = [day(draw, number, age=52.0 if number % 7 == 3 else 40.0) for number in range(25)]
    assert not look(days).named


def test_a_column_counts_once_it_lies_farther_than_it_wanders() -> None:
    """Half a deviation from day to day is how it always was; four times as much is not."""
    past = tuple(
        Verdict(start_us=n, until_us=n + 1, rows=ROWS, look=n, columns={}, answers={}, week={"age": 0.4 + n % 3 / 20})
        for n in range(9)
    )  # fmt: skip
    assert wandering(past) == {"age": pytest.approx(0.5)}
    draw = np.random.default_rng(3)
    quiet = [day(draw, number) for number in range(10)]
    assert "age" not in look([*quiet, day(draw, 10, age=45.0)], past=past).columns
    assert "age" in look([*quiet, day(draw, 10, age=60.0)], past=past).columns
    assert (
        "age" not in look([*quiet, day(draw, 10, age=44.0)]).columns
    )  # nobody knows yet: half a deviation counts


@pytest.mark.parametrize("series", [3, pytest.param(200, marks=pytest.mark.faults)])
def test_series_that_are_alike_never_jump(series: int) -> None:
    """Three weeks each, a look a day: of 200 series (two columns, two answers) as many may jump as the chance of error allows."""
    said = 0
    for seed in range(series):
        draw = np.random.default_rng(1_000 + seed)
        days = [day(draw, number) for number in range(21)]
        said += any(look(days[: last + 1], last + 1).named for last in range(8, 21))
    assert said <= max(0.03 * series, 1)


def opened(db: Database) -> dict[str, Notice]:
    """What holds now, by subject."""
    with db.read() as tx:
        return {each.notice.subject: each.notice for each in open_notices(tx, "churn")}


def newest(db: Database) -> Verdict:
    """The newest verdict."""
    with db.read() as tx:
        return verdicts_of(tx, "churn", 1)[-1]


def test_what_had_moved_and_moves_again_is_named_apart(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Three weeks somewhat older than the validation, known and accepted; then older still: a second notice says so, over when
    the last week is as this one, while the first goes on."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(17), 1, older(6.0))
    watched.until(17)
    assert set(opened(sqlite)) == {"inputs"}
    write_days(home, range(17, 19), 2, older(14.0))
    watched.until(19)
    said = opened(sqlite)["week"]
    assert (said.severity, said.columns) == (Severity.ALARM, ("age",))
    assert said.since_us == START_US + 17 * DAY_US
    assert "farther from its first 2,000 rows than last week" in said.words
    assert opened(sqlite)["inputs"].since_us == START_US
    assert newest(sqlite).jumps[0].how is How.FARTHER
    write_days(home, range(19, 33), 3, older(14.0))
    watched.until(33)
    assert set(opened(sqlite)) == {"inputs"}


def test_what_never_left_the_validation_and_jumps_is_named(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """A validation of few rows, from which nothing differs surely: down a little for two weeks, then up as much."""
    watched = Watched(home, blobs, sqlite, reference(60))
    write_days(home, range(14), 4, older(-2.5))
    watched.until(14)
    assert opened(sqlite) == {}
    write_days(home, range(14, 16), 5, older(3.0))
    watched.until(16)
    said = opened(sqlite)["week"]
    assert said.columns == ("age",)
    assert "as in its first 60 rows, but not as last week" in said.words
    assert said.severity is not Severity.ALARM


def test_one_cause_is_one_notice(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """What moves from the validation and so from last week is said once, and when it is over nothing is said of coming back."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(15), 6)
    write_days(home, range(15, 20), 7, older(9.0))
    watched.until(20)
    assert set(opened(sqlite)) == {"inputs"}
    assert newest(sqlite).jumps[0].how is How.NEW
    write_days(home, range(20, 30), 8)
    watched.until(30)
    assert opened(sqlite) == {}


def test_a_chunk_of_hours_is_held_against_the_same_hours() -> None:
    """Nights differ from days: three hours of a night against three hours of seven nights, and of that night a week ago."""
    draw = np.random.default_rng(9)

    def hours(number: int, start: int, age: float) -> Chunk:
        one = day(draw, number, age=age)
        start_us = START_US + number * DAY_US + start * HOUR_US
        return Chunk(start_us, start_us + 3 * HOUR_US, one.profile)

    chunks = [hours(number, start, 40.0 + 12 * (start == 3)) for number in range(9) for start in (3, 12)]
    assert not look([*chunks, hours(9, 3, 52.0)]).named
    assert "age" in look([*chunks, hours(9, 3, 40.0)]).columns


def test_weeks_are_held_against_the_week_before() -> None:
    """A chunk of seven days has no namesake: the one before it is its last week."""
    draw = np.random.default_rng(10)
    chunks = [
        Chunk(n * 7 * DAY_US, (n + 1) * 7 * DAY_US, day(draw, 0, age=age).profile)
        for n, age in ((0, 40), (1, 52))
    ]
    before = week_before(told(chunks))
    assert before is not None
    assert before.same is None
    assert "age" in jumps(HELD, chunks[-1].profile, before, 5, past=()).columns


def test_a_first_week_after_days_is_held_against_a_week_of_them() -> None:
    """The setting was changed from days to weeks on a Monday, and Sundays differ: the last day alone says nothing of a week."""
    draw = np.random.default_rng(11)
    days = [day(draw, number, age=58.0 if number % 7 == 6 else 40.0) for number in range(14)]
    newest = Chunk(days[6].until_us, days[13].until_us, merged_profiles(each.profile for each in days[7:]))
    assert newest.days == 7
    assert not look([*days[:7], newest]).named
    assert week_before(told([*days[4:7], newest])) is None


def test_of_answers_the_one_that_moved_most_is_told() -> None:
    """The score by a deviation, and with it a few decisions: the first of them, as they are ranked."""
    score, decision = (
        Cause(column=name, words=f"went up by {far}", effect=far, low=far, high=far, weight=far, chunks=1, since_us=0,
              how=How.FARTHER)
        for name, far in (("score", 1.0), ("decision", 0.3))
    )  # fmt: skip
    verdict = Verdict(
        start_us=0, until_us=1, rows=ROWS, look=9, columns={}, answers={}, leaps=(score, decision)
    )
    [said] = notices_of_week("churn", 1, verdict, HELD)
    assert said.words.startswith("The score went up by 1.0 since 1970-01-01 (farther from")
