"""Time as a value that can be passed in: microseconds since 1970 in UTC, and a fake for tests."""

from __future__ import annotations

import datetime as dt
import time
from typing import Protocol

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US


class Clock(Protocol):
    """What the rest of the house knows of time."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        ...


class SystemClock:
    """The machine's own time."""

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1000

    def sleep(self, seconds: float) -> None:
        """Wait that long."""
        time.sleep(seconds)


class FakeClock:
    """A time that moves only when told.

    >>> clock = FakeClock(0)
    >>> clock.sleep(1.5); clock.now_us()
    1500000
    """

    def __init__(self, now_us: int = 1_700_000_000 * SECOND_US) -> None:
        self._now_us = now_us

    def now_us(self) -> int:
        """Microseconds since 1970-01-01 UTC, as set."""
        return self._now_us

    def sleep(self, seconds: float) -> None:
        """Move on by that long, at once."""
        self._now_us += round(seconds * SECOND_US)


def iso(at_us: int) -> str:
    """A time for people and JSON, to the millisecond.

    >>> iso(1_700_000_000_123_456)
    '2023-11-14T22:13:20.123Z'
    """
    whole = dt.datetime.fromtimestamp(at_us // SECOND_US, tz=dt.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{at_us % SECOND_US // 1000:03d}Z"
