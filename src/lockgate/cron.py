"""Times that come again, written as cron writes them: minute, hour, day of the month, month, day of the week; in UTC. Pure.

Each field is `*`, a number, a range `1-5`, steps `*/2` or `8-18/2`, or several of these with commas. Sunday is 0 or 7. Where
both the day of the month and the day of the week are named, a day that is either counts, as in cron itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass

from lockgate.clock import SECOND_US

MOST_DAYS = 4 * 366 + 1  # the 29th of February comes again within that, but for turns of a century
_FIELDS = (
    ("minute", 0, 59),
    ("hour", 0, 23),
    ("day of the month", 1, 31),
    ("month", 1, 12),
    ("day of the week", 0, 7),
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Cron:
    """A schedule. `days`, `weekdays`: None where every day counts."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int] | None
    months: frozenset[int]
    weekdays: frozenset[int] | None

    def latest(self, now_us: int) -> int | None:
        """The last time that is not after now, in microseconds; None when there was none for four years."""
        now = _EPOCH + dt.timedelta(microseconds=now_us)
        for back in range(MOST_DAYS):
            day = now.date() - dt.timedelta(days=back)
            found = [at_us for at_us in self._times(day) if at_us <= now_us]
            if found:
                return found[-1]
        return None

    def following(self, now_us: int) -> int | None:
        """The first time after now, in microseconds; None when there is none for four years."""
        now = _EPOCH + dt.timedelta(microseconds=now_us)
        for ahead in range(MOST_DAYS):
            day = now.date() + dt.timedelta(days=ahead)
            found = next((at_us for at_us in self._times(day) if at_us > now_us), None)
            if found is not None:
                return found
        return None

    def _times(self, day: dt.date) -> Iterator[int]:
        if not self._counts(day):
            return
        start = dt.datetime.combine(day, dt.time(), tzinfo=dt.UTC)
        for hour in self.hours:
            for minute in self.minutes:
                yield int((start - _EPOCH).total_seconds() + 3600 * hour + 60 * minute) * SECOND_US

    def _counts(self, day: dt.date) -> bool:
        if day.month not in self.months:
            return False
        asked = [
            day.day in self.days if self.days is not None else None,
            day.isoweekday() % 7 in self.weekdays if self.weekdays is not None else None,
        ]
        named = [each for each in asked if each is not None]
        return any(named) if named else True


def parse_cron(text: str) -> Cron:
    """A schedule from its five fields. Raises ValueError that names the field.

    >>> import datetime
    >>> at = int(datetime.datetime(2026, 3, 4, 12, tzinfo=datetime.UTC).timestamp()) * 1_000_000
    >>> (at - parse_cron("0 3 * * 0").latest(at)) / 3.6e9
    81.0
    """
    words = text.split()
    if len(words) != len(_FIELDS):
        raise ValueError(
            f"a schedule has five fields (minute hour day month weekday), not {len(words)}: {text!r}"
        )
    minutes, hours, days, months, weekdays = (
        _numbers(word, *field) for word, field in zip(words, _FIELDS, strict=True)
    )
    return Cron(
        minutes=tuple(sorted(minutes)), hours=tuple(sorted(hours)), months=frozenset(months),
        days=None if words[2] == "*" else frozenset(days),
        weekdays=None if words[4] == "*" else frozenset(each % 7 for each in weekdays),
    )  # fmt: skip


def _numbers(word: str, name: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in word.split(","):
        span, slash, step = part.partition("/")
        low, dash, high = span.partition("-")
        if slash and not step.isdecimal():
            raise ValueError(f"the {name} of a schedule cannot be {word!r}: the step is no number")
        if span != "*" and not (low.isdecimal() and (high.isdecimal() or not dash)):
            raise ValueError(
                f"the {name} of a schedule cannot be {word!r}: numbers from {least} to {most}, or *"
            )
        first = least if span == "*" else int(low)
        last = most if span == "*" or (slash and not dash) else int(high or low)
        if not least <= first <= last <= most or (slash and int(step) == 0):
            raise ValueError(f"the {name} of a schedule cannot be {word!r}: numbers from {least} to {most}")
        found.update(range(first, last + 1, int(step) if slash else 1))
    return found
