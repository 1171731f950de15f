"""Schedules: what counts, what was last, what comes next, and what is refused."""

import datetime as dt

import pytest

from lockgate.cron import parse_cron


def at(text: str) -> int:
    """A moment in microseconds."""
    return int(dt.datetime.fromisoformat(f"{text}+00:00").timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "last", "following"),
    [
        ("0 3 * * 0", "2026-03-01T03:00", "2026-03-08T03:00"),  # Sundays
        ("0 3 * * 7", "2026-03-01T03:00", "2026-03-08T03:00"),
        ("*/20 * * * *", "2026-03-04T12:20", "2026-03-04T12:40"),
        ("30 6 1 */3 *", "2026-01-01T06:30", "2026-04-01T06:30"),
        ("0 8-18/5 * * 1-5", "2026-03-04T08:00", "2026-03-04T13:00"),
        ("0 0 15 * 5", "2026-02-27T00:00", "2026-03-06T00:00"),  # the 15th, or a Friday
        ("0 0 29 2 *", "2024-02-29T00:00", "2028-02-29T00:00"),
        ("5/30 1,2 * * *", "2026-03-04T02:35", "2026-03-05T01:05"),
    ],
)
def test_a_schedule_knows_its_last_and_its_next_time(text: str, last: str, following: str) -> None:
    """Numbers, steps, ranges, lists; a day of the month or of the week."""
    now_us, cron = at("2026-03-04T12:34:56"), parse_cron(text)
    assert (cron.latest(now_us), cron.following(now_us)) == (at(last), at(following))
    assert cron.latest(at(last)) == at(last)
    assert cron.following(at(last) - 1) == at(last)


def test_a_day_that_never_comes_is_no_time() -> None:
    """The 31st of February is waited for four years at most."""
    assert parse_cron("0 0 31 2 *").latest(at("2026-03-04T12:00")) is None
    assert parse_cron("0 0 31 2 *").following(at("2026-03-04T12:00")) is None


WRONG = ("", "0 3 * *", "60 3 * * 0", "0 3 * * 8", "x * * * *", "*/0 * * * *", "5-1 * * * *", "1- * * * *")


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """The field and what may stand there are named."""
    with pytest.raises(ValueError, match=r"schedule"):
        parse_cron(text)
