"""Car loans through all of lockgate (short form of `benchmarks/monitor/through_cases.py`): submitted, live, asked over HTTP."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("sklearn")

from benchmarks.monitor.cases import loans
from benchmarks.monitor.through import through

from lockgate.monitor.notices import Severity

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
