"""A search on a real home: trials as recorded runs, the test set kept away, pruning, folds, faults, going on after a kill."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from tests.tuning.flow import FLOW, asked, quiet, searches

from lockgate.datasets.dataset import blob_of
from lockgate.datasets.versions import get_data
from lockgate.errors import Conflict, InvalidInput, NotFound, PredictionFailed
from lockgate.pipelines.run import RunState
from lockgate.pipelines.store import get_run
from lockgate.tuning.store import trials_of
from lockgate.tuning.trial import SearchState, TrialState, best_of
from lockgate.wiring.house import House
from lockgate.wiring.tune import More, resume, start
from lockgate.wiring.tune_place import alone
from lockgate.wiring.tune_use import use

LOOKS_AROUND = """
def looked(where):
    try:
        return float(pl.read_parquet(where).height)
    except OSError:
        return 0.0
"""


def test_trials_are_recorded_runs_that_never_see_the_test_set(house: House) -> None:
    """Better parameters are found on a part of the training rows; each trial is a run on record with what it read."""
    row = start(house, house.owner, asked(house, {"trials": 5, "sampler": "random"}), quiet)
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
        runs = [get_run(tx, trial.runs[0]) for trial in trials]
    assert row.state is SearchState.DONE
    assert row.end.words == "all 5 trials were begun"
    assert {trial.state for trial in trials} <= {TrialState.DONE, TrialState.PRUNED}
    assert best_of(trials, row.goals)[0].values[0] > 0.7
    assert all(run.metrics.get("secret", 0.0) == 0.0 for run in runs)
    assert (row.ground.hidden, row.ground.rows[0][0] + row.ground.rows[0][1]) == (50, 200)
    done = [run for run in runs if run.state is RunState.DONE]
    assert done[0].why == f"search {row.id}, trial {trials[runs.index(done[0])].number}"
    assert {used.name for used in done[0].made.data.values()} == {"rows-train"}


def test_the_process_of_a_trial_cannot_reach_the_test_set(house: House) -> None:
    """Told by name where the test rows lie in the store, a trial's process reads none; its own part it does."""
    text = FLOW.replace(
        "def metrics(model, ", LOOKS_AROUND + "\ndef metrics(model, train: Path, where: str, "
    )
    text = text.replace('float((test["x"] > 100).sum())', 'looked(where), "own": looked(train)')
    with house.db.read() as tx:
        test = house.home.blobs / blob_of(get_data(tx, "rows-test", 1).digest)
    assert pl.read_parquet(test).height == 50
    given = asked(house, {"trials": 1}, f"from pathlib import Path\n{text}", parameters={"where": str(test)})
    row = start(house, house.owner, given, quiet)
    with house.db.read() as tx:
        trial = trials_of(tx, row.id)[0]
    assert (trial.state, trial.error) == (TrialState.DONE, None)
    assert (trial.metrics["own"], trial.metrics["secret"]) == (row.ground.rows[0][0], 0.0)


def test_a_pipeline_that_cuts_its_own_test_set_is_given_none_of_its_rows(house: House) -> None:
    """One whole run says which rows they are; trials get the rest, and a cut by fixed places is found out."""
    cuts = FLOW.replace(
        "def cleaned(train: pl.DataFrame)",
        """def train(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.head(int(raw.height * 0.75))

def test(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.tail(raw.height - int(raw.height * 0.75))

def cleaned(train: pl.DataFrame)""",
    )
    given = {"data": {"raw": "rows-train@1"}}
    row = start(house, house.owner, asked(house, {"trials": 2}, cuts, **given), quiet)
    assert (row.state, row.ground.hidden, row.ground.rows) == (SearchState.DONE, 50, ((150, 0),))
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
        rehearsed = get_run(tx, trials[0].runs[0] - 1)
        run = get_run(tx, trials[0].runs[0])
    assert rehearsed.made.data["raw"].rows == 200
    assert (run.made.data["raw"].rows, {step.name: step.shape for step in run.steps}["test"]) == (
        150,
        (38, 3),
    )
    fixed = cuts.replace("head(int(raw.height * 0.75))", "head(150)").replace(
        "raw.height - int(raw.height * 0.75)", "50"
    )
    with pytest.raises(PredictionFailed, match="judges a trial on rows that it learned"):
        start(house, house.owner, asked(house, {"trials": 9, "workers": 1}, fixed, **given), quiet)
    alike = cuts.replace("return raw.tail(raw", "return raw.select('x', y=pl.col('y') * 2).tail(raw")
    with pytest.raises(Conflict, match="are in no data set"):
        start(house, house.owner, asked(house, {"trials": 2}, alike, **given), quiet)


def test_folds_and_several_aims_are_means_of_runs(house: House) -> None:
    """A run a fold, the mean and its spread on record; with two aims the unbeaten trials are kept apart."""
    two = {"aims": [{"metric": "accuracy"}, {"metric": "loss"}], "folds": 2, "trials": 1}
    row = start(house, house.owner, asked(house, two), quiet)
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
        folds = [get_run(tx, number).metrics["accuracy"] for number in trials[0].runs]
    assert len(folds) == 2
    assert trials[0].values == (pytest.approx(np.mean(folds)), pytest.approx(1 - np.mean(folds)))
    assert trials[0].spread == pytest.approx(np.std(folds, ddof=1))
    assert sum(judged for _, judged in row.ground.rows) == 200


def test_a_function_of_the_project_draws_the_parameters(house: House) -> None:
    """Conditional parameters are given where they were drawn; what it draws and what it gives are both on record."""
    text = (
        FLOW
        + """
def propose(trial):
    kind = trial.suggest_categorical("kind", ["plain", "fancy"])
    return {"kind": kind, "at": trial.suggest_float("at", -1, 1) / 2}
"""
    )
    row = start(house, house.owner, asked(house, {"trials": 2, "space": "propose"}, text), quiet)
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
    assert row.state is SearchState.DONE
    assert all(trial.parameters["at"] == trial.drawn["at"] / 2 for trial in trials)  # type: ignore[operator]
    with pytest.raises(InvalidInput, match="no function 'nowhere'"):
        start(house, house.owner, asked(house, {"space": "nowhere"}, text), quiet)


def test_what_cannot_be_is_said_and_nothing_is_half_registered(house: House) -> None:
    """Empty spaces, impossible bounds, money without a price, no aim, NaN in every trial, a second search of the model."""
    turned = {"at": {"type": "float", "low": 2.0, "high": 1.0}}
    for tune, words in (({"space": {}}, "has no space"), ({"space": turned}, "above high"),
                        ({"cost": 3.0}, "needs the price"), ({"aims": []}, "aims at")):  # fmt: skip
        before = len(searches(house))
        with pytest.raises(InvalidInput, match=words):
            start(house, house.owner, asked(house, tune), quiet)
        assert len(searches(house)) == before
    worse = FLOW.replace('"loss": 1 - right', '"loss": float("nan") * right')
    with pytest.raises(PredictionFailed, match=r"the first 5 trials all failed.*no finite number"):
        start(house, house.owner, asked(house, {"workers": 1}, worse), quiet)
    assert searches(house)[0].state is SearchState.FAILED
    with pytest.raises(Conflict, match="nothing measures 'speed'"):
        start(house, house.owner, asked(house, {"aims": [{"metric": "speed"}], "workers": 1}), quiet)
    with alone(house, "flow"), pytest.raises(Conflict, match="searched already"):
        start(house, house.owner, asked(house, {}), quiet)


def test_one_trial_may_fail_and_the_best_becomes_a_version(house: House) -> None:
    """A trial that wants too much memory is on record with its words; the search goes on; the best is trained on all rows."""
    greedy = FLOW.replace(
        "    for epoch in range(most):",
        "    if kind == 'huge':\n        bytearray(1 << 40)\n    for epoch in range(most):",
    )
    space = {
        "kind": {"type": "categorical", "choices": ["plain", "huge"]},
        "at": {"type": "float", "low": 0.2, "high": 0.3, "step": 0.1},
    }
    row = start(
        house, house.owner, asked(house, {"space": space, "sampler": "grid", "pruner": "none"}, greedy), quiet
    )
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
    assert row.end.words == "every point of the grid was tried"
    assert sorted(trial.state for trial in trials) == [TrialState.DONE] * 2 + [TrialState.FAILED] * 2
    assert {(trial.error or {}).get("code") for trial in trials if trial.state is TrialState.FAILED} == {
        "too_large"
    }
    made = use(house, house.owner, row.id, quiet)[0]
    best = best_of(trials, row.goals)[0]
    assert (made.trial, made.version.manifest.parameters["at"]) == (best.number, str(best.parameters["at"]))
    assert made.metrics["secret"] == 50  # the test set, for the first time
    with pytest.raises(NotFound, match="no finished trial 99"):
        use(house, house.owner, row.id, quiet, trial=99)
    for wrong in (More(cost=0.0, price_per_hour=1.0), More(price_per_hour=-1.0), More(time="soon")):
        with pytest.raises(InvalidInput, match="cannot"):
            resume(house, house.owner, row.id, wrong, quiet)
    assert searches(house)[0] == row  # it stays readable, with the settings that it had
