"""The real case T3: bicycles. Trained on the first half of 2011, played on with labels and watchers, trained again by itself."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from benchmarks.retraining import bikes
from benchmarks.retraining.delivered import compared
from benchmarks.retraining.stage import Stage
from benchmarks.retraining.through import through

from lockgate.checks.back_test.reference import retrained
from lockgate.checks.matrix import ranked_matrix
from lockgate.clock import DAY_US, iso
from lockgate.config_retraining import Held, Trigger
from lockgate.retraining.held import held_since_us
from lockgate.retraining.reach import Past, reach
from lockgate.retraining.retraining import State

DAYS_US = 60 * DAY_US  # that a version answers


@pytest.fixture(scope="module")
def table() -> pl.DataFrame:
    """Every hour of both years."""
    try:
        return bikes.hours()
    except ModuleNotFoundError as missing:
        pytest.skip(str(missing))


def test_the_recorded_past_says_how_far_back_to_learn(table: pl.DataFrame) -> None:
    """February 2012: fewer days are clearly better than all by what lies before the test; on the sixty days that nobody had
    seen then, a model that learned what was chosen errs by a tenth less than one that learned all."""
    now_us = int(dt.datetime(2012, 2, 13, tzinfo=dt.UTC).timestamp()) * 1_000_000
    at_us = table["at_us"].to_numpy() // DAY_US * DAY_US
    matrix, truth = ranked_matrix(table, bikes.INPUTS), table["cnt"].to_numpy().astype(float)

    def teach(learn: np.ndarray, found: np.ndarray) -> np.ndarray | None:
        made = retrained(matrix, truth, learn, found, None)
        return None if made is None else np.abs(made.decisions - truth[found])

    known = at_us[at_us < now_us]
    since_us = held_since_us(known, Held.AUTO, None)
    assert since_us is not None
    found = reach(Past(known, known + 2 * DAY_US, since_us), teach, by="a plain model", unit="an error of",
                  tell=lambda _done, _of: None)  # fmt: skip
    assert found.days in (90, 180), found.words
    later = np.flatnonzero((at_us >= now_us) & (at_us < now_us + DAYS_US))
    learned = [
        np.flatnonzero((at_us < since_us) & (at_us >= since_us - days * DAY_US))
        for days in (found.days or 0, 3660)
    ]
    chosen, everything = (teach(rows, later) for rows in learned)
    assert chosen is not None
    assert everything is not None
    assert chosen.mean() < 0.9 * everything.mean()


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_what_was_learned_in_spring_is_learned_anew_and_wins(table: pl.DataFrame, tmp_path: Path) -> None:
    """Through a real gateway: drift that matters is an alarm by the last quarter; trained again on the labelled predictions of
    the log, it wins on the same rows, which neither has seen, by what the back-test promises and more; not once a month. Callers
    were answered nearer than by the first version, by a good part of that promise."""
    first = table.filter(pl.col("at_us") < int(bikes.quarter(table, 2011, 3)["at_us"][0]))
    found: list[Stage] = []

    def then(stage: Stage) -> None:
        stage.first(first)
        for quarter in (3, 4):
            stage.play(bikes.quarter(table, 2011, quarter), delay_days=2, look_days=14)
        alarms = {alarm for day in stage.days for alarm in day.alarms}
        assert "drift: inputs (alarm)" in alarms
        began_us = min(day.at_us for day in stage.days if "drift: inputs (alarm)" in day.alarms)
        assert "2011-09-01" < iso(began_us) < "2012-01-01"
        done = stage.retrainings
        assert 1 <= len(done) <= 3
        won = [one for one in done if one.state is State.RELEASED]
        assert won, [one.outcome for one in done]
        assert won[0].trigger in (Trigger.DRIFT, Trigger.PERFORMANCE)
        assert won[0].gain is not None
        assert won[0].gain.low is not None
        assert won[0].gain.low > 0
        delivered = compared(stage)
        assert delivered.promised > 0
        assert won[0].gain.value > delivered.promised
        assert delivered.share > 0.3
        assert won[0].data == {"raw": "bikes-rows@2"}
        found.append(stage)

    through(
        bikes.case(table, rows="log", when=["drift", "performance"]),
        tmp_path / "home",
        int(first["at_us"][-1]) + DAY_US,
        then=then,
    )
    assert found
