"""Production played again (short form of `benchmarks/monitor/replays.py`): what is known of the data is what is said."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

import numpy as np
from benchmarks.monitor.change_points import alarms_of, score
from benchmarks.monitor.replay import replay
from benchmarks.monitor.streams import car_loans

from lockgate.clock import DAY_US
from lockgate.monitor.notices import Severity

MOVES_AT = 25_000


def test_car_loans_alarm_where_two_columns_move_and_not_before() -> None:
    """Three weeks of clean rows, then the moved ones: one alarm at once, with the columns that moved, from that day on."""
    start = MOVES_AT - 3_500
    try:
        stream = car_loans(4_700, start)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    done = replay(stream, every_us=2 * DAY_US)
    [opened] = [each for each in done.opened if each.said.notice.subject == "inputs"]
    assert MOVES_AT < start + opened.row <= MOVES_AT + 1_000
    notice = opened.said.notice
    assert notice.severity is Severity.ALARM
    assert {"car_value", "loan_length"} <= set(notice.columns)
    assert not {"debt_to_income_ratio", "driver_tenure", "size_of_downpayment"} & set(notice.columns)
    assert abs(notice.since_us - 1_554_001_200_000_000) < 4 * DAY_US  # 2019-03-31 03:00
    assert [each.said.notice.subject for each in done.opened] == ["inputs"]


def test_a_step_is_a_change_point_and_noise_is_none() -> None:
    """And marks of people are scored as they are meant: precision over everybody's, recall as their mean."""
    draw = np.random.default_rng(0)
    step = np.concatenate([draw.normal(0, 1, 300), draw.normal(4, 1, 300)])
    assert alarms_of(draw.normal(0, 1, 600)) == []
    alarms = alarms_of(step)
    assert len(alarms) == 1
    found = score(alarms, {"ann": [300], "bob": [300, 500]})
    assert (found.precision, found.recall) == (1.0, 0.75)
