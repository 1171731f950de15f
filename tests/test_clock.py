"""The fake clock next to the real one."""

from __future__ import annotations

import time

import pytest

from lockgate.clock import SECOND_US, Clock, FakeClock, SystemClock, iso


@pytest.mark.parametrize("clock", [FakeClock(), SystemClock()])
def test_sleeping_moves_time_by_as_much(clock: Clock) -> None:
    """Both clocks: 20 ms of sleep are at least 20 ms, and not a minute."""
    before = clock.now_us()
    clock.sleep(0.02)
    assert 20_000 <= clock.now_us() - before < 60 * SECOND_US


def test_the_system_clock_is_the_machine_s() -> None:
    """Microseconds since 1970, in UTC."""
    assert abs(SystemClock().now_us() - time.time() * 1e6) < 60 * SECOND_US


def test_the_fake_clock_stands_still() -> None:
    """Nothing but `sleep` moves it."""
    clock = FakeClock(5)
    assert [clock.now_us(), clock.now_us()] == [5, 5]


@pytest.mark.parametrize(
    ("at_us", "text"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (999, "1970-01-01T00:00:00.000Z"),
        (1_700_000_000_999_999, "2023-11-14T22:13:20.999Z"),
    ],
)
def test_times_are_written_to_the_millisecond(at_us: int, text: str) -> None:
    """Cut, never rounded up into the next second."""
    assert iso(at_us) == text
