"""Trials judged on what was really predicted: recorded rows whose labels came, window by window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.tuning.recorded import (
    FLOW,
    HIDDEN,
    LEARNED,
    ROWS,
    SERVES,
    STOPPED_BY,
    searched,
    with_answers,
    with_labels,
)

from lockgate.config import Home
from lockgate.errors import Conflict
from lockgate.pipelines.store import get_run
from lockgate.stats.auc import auc
from lockgate.tuning.store import trials_of
from lockgate.tuning.trial import SearchState
from lockgate.wiring.house import House, open_house
from lockgate.wiring.tune import start


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def house(tmp_path: Path, sqlite_template: Path, request: pytest.FixtureRequest) -> Iterator[House]:
    """A house with churn/1, which answered 60 rows; the data sets are their first 30 and their last 12."""
    home = Home(tmp_path / "home").prepare()
    if request.param == "sqlite":
        shutil.copyfile(sqlite_template, home.database)
    else:
        url = request.getfixturevalue("postgres").engine.url.render_as_string(hide_password=False)
        (home.root / "config.yaml").write_text(f"database: {url}\n")
    opened = open_house(home)
    with_answers(opened, tmp_path)
    yield opened
    opened.close()


def test_the_recorded_past_judges_without_the_rows_of_the_test_set(house: House, tmp_path: Path) -> None:
    """Without labels it says how to bring them; with them each window is one run, and test rows are in none of them."""
    with pytest.raises(Conflict, match="no recorded prediction of churn"):
        start(house, house.owner, searched(house), lambda *_, **__: None)
    rows = with_labels(house, tmp_path)
    row = start(house, house.owner, searched(house), lambda *_, **__: None)
    with house.db.read() as tx:
        trial = trials_of(tx, row.id)[0]
    assert (row.state, trial.error) == (SearchState.DONE, None)
    assert (len(trial.runs), trial.values) == (2, (1.0,))
    assert [learned for learned, _ in row.ground.rows] == [LEARNED, LEARNED]
    assert sum(judged for _, judged in row.ground.rows) == ROWS - HIDDEN - LEARNED
    assert trial.metrics["most"] < 2000.0
    if house.config.database is None:
        _judged_without_what_a_trial_stops_by(house)
        _judged_by_the_back_test(house, {"past": {"since": "30d", "windows": 1, "by": "back_test"}}, rows)


def _judged_without_what_a_trial_stops_by(house: House) -> None:
    """A pipeline that ends its training by a validation table has seen it: those rows judge nothing, through the log either."""
    stops = FLOW.replace(
        "train: pl.DataFrame, at", "train: pl.DataFrame, validation: pl.DataFrame, at"
    ).replace("return Cut(at)", "assert validation['a'].max() == 1000.0\n    return Cut(at)")
    found = start(
        house, house.owner, searched(house, stops, {"validation": "churn-stop"}), lambda *_, **__: None
    )
    with house.db.read() as tx:
        (trial,) = trials_of(tx, found.id)
        seen = [get_run(tx, run).metrics["most"] for run in trial.runs]
    assert sum(judged for _, judged in found.ground.rows) == ROWS - HIDDEN - LEARNED - STOPPED_BY
    assert max(seen) < 1000.0


def _judged_by_the_back_test(house: House, by: dict[str, object], rows: pl.DataFrame) -> None:
    """The pipeline's own figure, which lies here, does not count: lockgate asks it the rows and measures the answers."""
    lying = FLOW.replace('"accuracy": right', '"accuracy": 0.0').replace(
        "def metrics", SERVES + "\n\ndef metrics"
    )
    found = start(house, house.owner, searched(house, lying, **by), lambda *_, **__: None)
    with house.db.read() as tx:
        (trial,) = trials_of(tx, found.id)
    unseen = rows[LEARNED:-HIDDEN]
    assert found.ground.rows == ((LEARNED, unseen.height),)
    assert trial.values == (1.0,)
    assert trial.metrics["roc_auc"] == pytest.approx(
        auc((unseen["a"] > 0).to_numpy(), unseen["a"].to_numpy())
    )
    assert set(trial.metrics) >= {"accuracy", "f1", "log_loss", "brier"}
    with pytest.raises(Conflict, match=r"nothing measures 'profit'.*roc_auc"):
        start(
            house,
            house.owner,
            searched(house, lying, **by, aims=[{"metric": "profit"}]),
            lambda *_, **__: None,
        )
    mute = start(house, house.owner, searched(house, **by), lambda *_, **__: None)
    with house.db.read() as tx:
        assert "does not say which columns" in str(trials_of(tx, mute.id)[0].error)
