"""A search on a real home: trials as recorded runs, the test set kept away, pruning, folds, faults, going on after a kill."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.config import Home
from lockgate.config_tuning import TuneConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.pipelines.run import RunState
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import get_run
from lockgate.tuning.store import trials_of
from lockgate.tuning.trial import SearchState, TrialState, best_of
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House, open_house
from lockgate.wiring.training import TrainOrder
from lockgate.wiring.tune import Asked, start

FLOW = """
import polars as pl

class Cut:
    def __init__(self, at):
        self.at = at

    def predict(self, rows):
        return [int(value > self.at) for value in rows["x"]]

def cleaned(train: pl.DataFrame) -> pl.DataFrame:
    return train

def model(cleaned, report, at: float = 0.0, kind: str = "plain", most: int = 3):
    for epoch in range(most):
        report(epoch, -abs(at))
    return Cut(at)

def metrics(model, test: pl.DataFrame) -> dict:
    right = sum(int(a == b) for a, b in zip(model.predict(test), test["y"].to_list()))
    return {"accuracy": right / test.height, "secret": float((test["x"] > 100).sum()), "loss": 1 - right / test.height}
"""


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def table(rows: int, seed: int, shift: float = 0.0) -> pl.DataFrame:
    """A number and whether it is above 0.3."""
    x = np.random.default_rng(seed).normal(size=rows)
    return pl.DataFrame({"x": x + shift, "y": (x > 0.3).astype(int), "n": np.arange(rows)})


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with rows to learn from, and test rows that are far away from them: whoever sees one, sees it."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")))
    for name, frame in (("rows-train", table(200, 0)), ("rows-test", table(50, 1, shift=1000.0))):
        add_table(opened, opened.owner, name, frame, source=Source(origin=Origin.FRAME), tell=quiet)
    yield opened
    opened.close()


def asked(house: House, tune: dict[str, object], text: str = FLOW, **changes: object) -> Asked:
    """A search of the pipeline's parameters."""
    code = store_code(house, Sources({"flow.py": text.encode()}))
    given = {"model": "flow", "pipeline": "flow.py", "code": code, "settings": {"target": "y"},
             "data": {"train": "rows-train@1", "test": "rows-test@1"}, **changes}  # fmt: skip
    aims = {
        "aims": [{"metric": "accuracy"}],
        "space": {"at": {"type": "float", "low": -1.0, "high": 1.0}},
        "workers": 2,
    }
    return Asked(training=TrainOrder(**given), tune=msgspec.convert({**aims, **tune}, TuneConfig))  # type: ignore[arg-type]


def test_trials_are_recorded_runs_that_never_see_the_test_set(house: House) -> None:
    """Better parameters are found on a part of the training rows; each trial is a run on record with what it read."""
    row = start(house, house.owner, asked(house, {"trials": 12, "sampler": "random"}), quiet)
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
        runs = [get_run(tx, trial.runs[0]) for trial in trials]
    assert row.state is SearchState.DONE
    assert row.end.words == "all 12 trials were begun"
    assert {trial.state for trial in trials} <= {TrialState.DONE, TrialState.PRUNED}
    assert best_of(trials, row.goals)[0].values[0] > 0.9
    assert all(run.metrics.get("secret", 0.0) == 0.0 for run in runs)
    assert (row.ground.hidden, row.ground.rows[0][0] + row.ground.rows[0][1]) == (50, 200)
    done = [run for run in runs if run.state is RunState.DONE]
    assert done[0].why == f"search {row.id}, trial {trials[runs.index(done[0])].number}"
    assert {used.name for used in done[0].made.data.values()} == {"rows-train"}
