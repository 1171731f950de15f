"""Which rows a retrained version is tested on: few, whole days, none that the live version learned."""

from __future__ import annotations

import numpy as np

from lockgate.clock import DAY_US, HOUR_US
from lockgate.config_retraining import Held
from lockgate.retraining.held import held_since_us, own_since_us


def _hours(days: int) -> np.ndarray:
    return np.arange(days * 24) * HOUR_US


def test_two_weeks_and_five_hundred_rows_and_a_fifth_at_most() -> None:
    """Of fifty days by the hour the last ten, of a year five hundred rows, of a busy year two weeks; from midnight on."""
    assert held_since_us(_hours(50), Held.AUTO, None) == 40 * DAY_US
    assert held_since_us(_hours(365), Held.AUTO, None) == 345 * DAY_US
    assert held_since_us(np.arange(365 * 240) * HOUR_US // 10, Held.AUTO, None) == 351 * DAY_US
    assert held_since_us(_hours(365), 7.0, None) == 358 * DAY_US
    assert held_since_us(_hours(365), Held.OWN, None) is None


def test_what_the_live_version_learned_is_no_test() -> None:
    """Its newest row lies inside the last weeks: the test begins after it, on the next day; not where little is left."""
    assert held_since_us(_hours(365), Held.AUTO, 350 * DAY_US + HOUR_US) == 351 * DAY_US
    assert held_since_us(_hours(365), Held.AUTO, 363 * DAY_US) is None


def test_too_few_rows_are_not_cut() -> None:
    """A hundred rows on either side, or the pipeline keeps its own test."""
    assert held_since_us(_hours(8), Held.AUTO, None) is None
    assert held_since_us(np.arange(365) * DAY_US, Held.AUTO, None) is None
    assert held_since_us(np.empty(0, dtype=np.int64), Held.AUTO, None) is None


def test_times_that_repeat_stay_together() -> None:
    """Rows that a table has by the day: a whole day is on one side."""
    at_us = _hours(60) // DAY_US * DAY_US
    since = held_since_us(at_us, Held.AUTO, None)
    assert since == 48 * DAY_US
    assert (at_us >= since).sum() == 12 * 24


def test_a_pipelines_own_test_begins_where_its_share_does() -> None:
    """Nothing later is looked at before versions are compared on it."""
    assert own_since_us(_hours(100), 0.25) == 75 * DAY_US
    assert own_since_us(_hours(1), 1.0) == 0
