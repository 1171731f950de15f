"""The real cases, short: what is known of others' data is what is said (long: `benchmarks/monitor/replays.py`)."""

from __future__ import annotations

import json

import numpy as np
import pytest

pytest.importorskip("sklearn")

from benchmarks.monitor.apart import DATA, there
from benchmarks.monitor.change_points import alarms_of, score
from benchmarks.monitor.replay import Opened, replay
from benchmarks.monitor.streams import bikes, churn, flights, used_cars

from lockgate.clock import DAY_US, MINUTE_US
from lockgate.monitor.notices import Severity

apart = pytest.mark.skipif(not there(), reason="its data are not here: python -m benchmarks.monitor.apart")
SHORT = {"Bitcoin": (0.5, 0.9), "Occupancy": (0.9, 0.9), "RunLog": (0.9, 0.8), "UKCoalEmploy": (0.9, 0.9)}


def alarms(opened: list[Opened]) -> list[Opened]:
    """What somebody is called for."""
    return [each for each in opened if each.said.notice.severity is Severity.ALARM]


def test_used_cars_move_in_the_middle_and_not_before() -> None:
    """T2, every tenth car: from row 3,000 of 6,000 on others come. One alarm then, dated to within a week, which stays."""
    try:
        stream = used_cars(10)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    done = replay(stream, every_us=4 * DAY_US)
    [alarm] = alarms(done.opened)
    assert alarm.said.notice.subject == "inputs"
    assert all(each.row > 3_000 for each in done.opened)
    assert abs(alarm.said.notice.since_us - int(stream.at_us[3_000])) <= 7 * DAY_US
    assert alarm.ended_row is None


def test_what_was_learned_in_spring_is_an_alarm_by_the_last_quarter() -> None:
    """T3: bicycles, learned in the first quarter of 2011 and validated on the second; the weather of autumn is none of those."""
    try:
        stream = bikes(range(4, 5))
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    done = replay(stream, every_us=30 * DAY_US)
    named = {name for each in alarms(done.opened) for name in each.said.notice.columns}
    assert "temp" in named
    assert "inputs" in {each.said.notice.subject for each in alarms(done.opened)}


@apart
def test_seasons_of_flights_are_nothing_that_anybody_is_called_for() -> None:
    """T4: a model of January and February, asked from April to June (every fortieth flight): never a warning."""
    done = replay(flights(DATA, 40, range(4, 7)), every_us=28 * DAY_US)
    assert len(done.verdicts) > 3
    assert [
        each.said.notice.words for each in done.opened if each.said.notice.severity is not Severity.NOTE
    ] == []


@apart
def test_rows_in_no_order_say_nothing() -> None:
    """T8: churn, shuffled: eleven chunks of nineteen inputs and the answers."""
    done = replay(churn(DATA, 0), every_us=704 * MINUTE_US)
    assert len(done.verdicts) > 8
    assert [each.said.notice.words for each in done.opened] == []


@apart
def test_change_points_are_where_people_marked_them() -> None:
    """T9: four of the seven series, with the least precision and recall of each; all seven are in the benchmark, beside river's
    detectors."""
    series = json.loads((DATA / "series.json").read_text())
    assert len(series) == 7
    for name, (precision, recall) in SHORT.items():
        found = score(alarms_of(np.asarray(series[name]["values"])), series[name]["marks"])
        assert found.precision >= precision, name
        assert found.recall >= recall, name
