"""The real case T3: bicycles. Trained on the first half of 2011, played on through labels and watchers to the end of the year."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from benchmarks.retraining import bikes
from benchmarks.retraining.stage import Stage, staged

from lockgate.clock import DAY_US
from lockgate.config_retraining import Trigger
from lockgate.retraining.retraining import State

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]


def test_what_was_learned_in_spring_is_learned_anew_and_wins(tmp_path: Path) -> None:
    """Drift that matters is an alarm by the last quarter; trained again on the labelled predictions of the log, it wins on the
    same rows, which neither has seen; not once a month."""
    try:
        table = bikes.hours()
    except ModuleNotFoundError as missing:
        pytest.skip(str(missing))
    first = table.filter(pl.col("at_us") < int(bikes.quarter(table, 2011, 3)["at_us"][0]))
    found: list[Stage] = []

    def then(stage: Stage) -> None:
        stage.first(first)
        for quarter in (3, 4):
            stage.play(bikes.quarter(table, 2011, quarter), delay_days=2, look_days=14)
        alarms = {alarm for day in stage.days for alarm in day.alarms}
        assert "drift: inputs (alarm)" in alarms
        done = stage.retrainings
        assert 1 <= len(done) <= 3
        won = [one for one in done if one.state is State.RELEASED]
        assert won, [one.outcome for one in done]
        assert won[0].trigger in (Trigger.DRIFT, Trigger.PERFORMANCE)
        assert won[0].gain is not None
        assert won[0].gain.low is not None
        assert won[0].gain.low > 0
        assert won[0].data == {"raw": "bikes-rows@2"}
        found.append(stage)

    staged(
        bikes.case(table, rows="log", when=["drift", "performance"]),
        tmp_path / "home",
        int(first["at_us"][-1]) + DAY_US,
        then=then,
    )
    assert found
