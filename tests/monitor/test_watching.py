"""The watcher of drift on a real log: silent, then one notice from the day on which something moved, then over."""

from __future__ import annotations

import numpy as np

from lockgate.blobs import Blobs
from lockgate.clock import DAY_US, HOUR_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.monitor.notices import Severity, notices_of, open_notices
from lockgate.monitor.profiles import HOURS_KEPT_US, roll_up, spans_of
from lockgate.monitor.reference import kept_reference
from lockgate.monitor.verdicts import verdicts_of
from lockgate.predictions.archive import archive
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.record import Columns

from .churn import START_US, Watched, columns, known_importance, older, record, write_days


def test_silent_then_one_notice_from_the_day_then_over(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Ten quiet days, five of older people, ten quiet days: one notice, named, ranked, explained, dated, ended."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(10), 1)
    watched.until(10)
    assert watched.said() == []
    write_days(home, range(10, 15), 2, older)
    watched.start()  # a monitor that was killed in between goes on where it was
    watched.until(15)
    with sqlite.read() as tx:
        [said] = open_notices(tx, "churn")
        verdicts = verdicts_of(tx, "churn", 1)
    notice = said.notice
    assert (notice.subject, notice.severity, notice.columns) == ("inputs", Severity.ALARM, ("age",))
    assert notice.since_us == START_US + 10 * DAY_US
    assert "'age' went up by 0.8" in notice.words
    assert "explains most of the answers' move" in notice.words
    assert len(verdicts) == 15
    assert [bool(each.causes) for each in verdicts] == [False] * 10 + [True] * 5
    write_days(home, range(15, 50), 3)
    archive(home.log, blobs, sqlite)
    watched.until(50)
    assert watched.said() == []
    with sqlite.read() as tx:
        history = notices_of(tx, "churn")
    assert [each.notice.words for each in history] == [said.notice.words]
    assert history[0].ended_us is not None


def test_what_hardly_matters_is_a_note(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A column moved on which answers do not hang, and they did not move."""
    watched = Watched(home, blobs, sqlite, known_importance(1.0))
    write_days(home, range(8), 4, lambda made: {**made, "plan": np.full(25, "pro", dtype=object)})
    write_days(
        home, range(8, 11), 5, lambda made: {**made, "plan": np.where(made["age"] > 36, "pro", made["plan"])}
    )
    watched.until(11)
    found = dict(watched.said())
    assert found["inputs"] is Severity.NOTE
    with sqlite.read() as tx:
        words = {each.notice.subject: each.notice.words for each in open_notices(tx, "churn")}
    assert "hardly hang on what moved" in words["inputs"]


def test_weekends_are_a_season_and_what_comes_on_top_is_not(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Half a deviation older on two days of seven, four weeks long: nothing is said. Another deviation on a weekday is."""
    watched = Watched(home, blobs, sqlite, known_importance())
    for day in range(28):
        more = 5.0 if day % 7 >= 5 else -2.0
        write_days(
            home, range(day, day + 1), day, lambda made, more=more: {**made, "age": made["age"] + more}
        )
    watched.until(28)
    assert watched.said() == []
    write_days(home, range(28, 30), 99, lambda made: {**made, "age": made["age"] + 8.0})
    watched.until(30)
    assert [subject for subject, _ in watched.said()] == ["inputs"]


def test_an_input_of_the_calendar_is_no_drift(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A column that holds one value a day, another on the next: known after four days. The same value for a week is a fault."""
    watched = Watched(home, blobs, sqlite, known_importance())
    for day in range(12):
        value = 25.0 + day % 7 * 6
        write_days(
            home,
            range(day, day + 1),
            day,
            lambda made, value=value: {**made, "age": np.full(len(made["age"]), value)},
        )
        watched.until(day + 1)
        assert day < 7 or watched.said() == []
    for day in range(12, 20):
        write_days(
            home, range(day, day + 1), day, lambda made: {**made, "age": np.full(len(made["age"]), 25.0)}
        )
    watched.until(20)
    assert "broken" in [subject for subject, _ in watched.said()]


def test_a_column_that_vanishes_is_a_fault_of_the_feed(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """And one that is always missing, one that is new."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(1), 6)
    write_days(home, range(1, 2), 7, lambda made: {**made, "age": np.full(25, np.nan)})
    watched.until(2)
    with sqlite.read() as tx:
        [broken] = [each.notice for each in open_notices(tx, "churn") if each.notice.subject == "broken"]
    assert broken.severity is Severity.ALARM
    assert "'age' has no value any more" in broken.words


def test_a_fault_is_seen_before_the_day_is_over_where_earlier_days_say_what_is_usual(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Twelve hours of people thirty years older, after four days; without those days one waits for the chunk."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(4), 8)
    watched.until(4)
    draw = np.random.default_rng(9)
    with SegmentWriter(home.log, "gateway-0") as log:
        for hour in range(12):
            made = columns(draw, 25, age=70.0)
            log.append([record(f"e{hour}", START_US + 4 * DAY_US + hour * HOUR_US, made)])
    watched.log.renew()
    watched.watcher.look(START_US + 4 * DAY_US + 13 * HOUR_US)
    assert [subject for subject, _ in watched.said()] == ["inputs"]
    with sqlite.read() as tx:
        assert len(verdicts_of(tx, "churn", 1)) == 4


def test_without_a_validation_the_first_rows_say_what_is_usual_until_there_is_one(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """It says so; when the version is validated, its past is counted anew against that."""
    watched = Watched(home, blobs, sqlite, None)
    write_days(home, range(1), 10)
    assert "no validation to be held against" in watched.until(1)
    write_days(home, range(1, 4), 11)
    assert watched.until(4) == ""
    with sqlite.read() as tx:
        kept = kept_reference(tx, "churn", 1)
    assert kept is not None
    assert not kept.validated
    watched.validated = known_importance()
    watched.until(4)
    with sqlite.read() as tx:
        again = kept_reference(tx, "churn", 1)
        assert sum(span.rows for span in spans_of(tx, "churn", 1)) == 4 * 24 * 25
    assert again == watched.validated


def test_a_version_that_is_no_longer_asked_is_no_longer_spoken_of(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Its notices end a week after its last rows, while another version's go on."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(8), 12, older)
    watched.until(8)
    assert [subject for subject, _ in watched.said()] == ["inputs"]
    write_days(home, range(8, 17), 13, version=2)
    watched.until(17)
    assert watched.said() == []


def test_old_hours_become_days_and_late_records_find_them(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """The sums stay what they were."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(3), 14)
    watched.until(3)
    with sqlite.write() as tx:
        assert roll_up(tx, "churn", START_US + 2 * DAY_US + HOURS_KEPT_US) == 2
    with SegmentWriter(home.log, "gateway-1") as log:
        log.append([record("late", START_US + 7 * HOUR_US, columns(np.random.default_rng(15), 5))])
    watched.until(3)
    with sqlite.read() as tx:
        spans = spans_of(tx, "churn", 1)
    assert [span.span_us for span in spans[:2]] == [DAY_US, DAY_US]
    assert [span.rows for span in spans[:2]] == [605, 600]
    assert sum(span.rows for span in spans) == 1805


def test_a_part_of_a_day_takes_nothing_back_of_what_whole_days_showed(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Two columns moved, one of them too little for a look at half a day: the notice goes on naming both."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(10), 20)

    def moved(made: Columns) -> Columns:
        plans = np.where(np.arange(len(made["plan"])) % 2 == 0, "pro", made["plan"]).astype(object)
        return {**older(made), "plan": plans}

    write_days(home, range(10, 13), 21, moved)
    watched.until(13)
    draw = np.random.default_rng(22)
    with SegmentWriter(home.log, "gateway-0") as log:
        for hour in range(12):
            log.append(
                [record(f"p{hour}", START_US + 13 * DAY_US + hour * HOUR_US, older(columns(draw, 25)))]
            )
    watched.log.renew()
    watched.watcher.look(START_US + 13 * DAY_US + 13 * HOUR_US)
    with sqlite.read() as tx:
        [said] = [each.notice for each in open_notices(tx, "churn")]
    assert said.columns == ("age", "plan")
    assert "Meanwhile the score went up" in said.words


def test_missing_values_are_dated_by_the_day_on_which_they_came(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Half of a column is missing from the eleventh day on; its values are as before."""
    watched = Watched(home, blobs, sqlite, known_importance())
    write_days(home, range(10), 23)
    write_days(
        home,
        range(10, 12),
        24,
        lambda made: {**made, "age": np.where(np.arange(25) % 2 == 0, np.nan, made["age"])},
    )
    watched.until(12)
    with sqlite.read() as tx:
        [said] = [each.notice for each in open_notices(tx, "churn") if each.notice.subject == "inputs"]
    assert said.since_us == START_US + 10 * DAY_US
    assert "is missing in 52.0 % of rows" in said.words
