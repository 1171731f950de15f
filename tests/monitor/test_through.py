"""Real data through all of lockgate (short form of `benchmarks/monitor/through_cases.py`): submitted, live, asked over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

pytest.importorskip("sklearn")

from benchmarks.monitor.apart import there
from benchmarks.monitor.cases import cars_staged, churn, flights, loans
from benchmarks.monitor.staged import Staged, staged
from benchmarks.monitor.through import through
from benchmarks.monitor.through_cases import STEPS, Deciding

from lockgate.monitor.notices import Severity
from lockgate.release.phases import Phase
from lockgate.wiring.house import House

MOVES_AT = 25_000


@pytest.mark.faults
def test_a_real_gateway_lives_through_months_and_the_alarm_comes_where_columns_move(tmp_path: Path) -> None:
    """A real package and process, time told by a file, labels a month late: nothing before row 25,000, one alarm after it in
    the columns that moved; every label finds its row; the release stands."""
    start, end = MOVES_AT - 2_000, MOVES_AT + 2_000
    try:
        case = loans(start, end)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    done = through(case, tmp_path)
    (opened,) = [each for each in done.opened if each.said.notice.source == "drift"]
    assert MOVES_AT < start + opened.row <= MOVES_AT + 1_000
    assert opened.said.notice.severity is Severity.ALARM
    assert {"car_value", "loan_length"} <= set(opened.said.notice.columns)
    assert not {"debt_to_income_ratio", "driver_tenure"} & set(opened.said.notice.columns)
    assert done.labels == end - start
    assert done.phases == ["done"]


apart = pytest.mark.skipif(not there(), reason="its data are not here: python -m benchmarks.monitor.apart")


@apart
@pytest.mark.faults
def test_rows_in_no_order_say_nothing(tmp_path: Path) -> None:
    """The control: a month of churn, shuffled, every label three days late. No notice of drift, performance or labels."""
    done = through(churn(0), tmp_path)
    assert [(each.row, each.said.notice.words) for each in done.opened] == []
    assert done.labels == 3_523
    assert done.looks > 20


@apart
@pytest.mark.faults
def test_a_new_month_is_no_reason_to_retrain(tmp_path: Path) -> None:
    """Flights of April and May, asked of a model that learned January and February and has the month among its inputs: nothing
    broke, and the retraining service's own function finds no reason."""
    made: list[Deciding] = []

    @contextmanager
    def deciding(house: House) -> Iterator[Deciding]:
        made.append(Deciding(house))
        yield made[0]

    done = through(flights(every=40, months=range(4, 6)), tmp_path, look_days=7.0, beside=deciding)
    assert done.looks > 6
    assert made[0].reasons == {}
    assert [each.said.notice.words for each in done.opened if each.said.notice.subject == "broken"] == []


@pytest.mark.faults
def test_a_release_over_drifting_rows_goes_live(tmp_path: Path) -> None:
    """Used cars whose inputs move while a newer version is in its canary: drift is said, nothing of worse, and no step back."""
    start = 25_000
    try:
        case, newer = cars_staged(start, 45_000, dense=start, rows=8)
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    carried: list[Staged] = []
    steps = msgspec.structs.replace(STEPS, watch_s=1.5 * 86_400)
    done = through(case, tmp_path, beside=staged(case, newer, 2_000, steps, carried))
    assert {move.stage for move in carried[0].moves if move.phase is Phase.CANARY} == {1, 2, 3}
    assert not {Phase.HELD, Phase.ROLLED_BACK} & {move.phase for move in carried[0].moves}
    assert carried[0].moves[-1].phase is Phase.DONE
    assert done.phases == ["done", "done"]
    said = {each.said.notice.source: each.said.notice.subject for each in done.opened}
    assert "drift" in said
    assert not [
        each.said.notice.words for each in done.opened if each.said.notice.subject.startswith("worse")
    ]
