"""Trials that are ended early by what a real training reports: hopeless ones are, work is saved, the best is found as before."""

from __future__ import annotations

import itertools
import random
from typing import Any

import msgspec
import pytest
from tests.tuning.flow import asked, quiet

from lockgate.pipelines.run import RunState
from lockgate.pipelines.store import get_run
from lockgate.tuning.report import about, html_report, lines_of, verdict_of
from lockgate.tuning.store import trials_of
from lockgate.tuning.trial import SearchRow, Trial, TrialState, best_of
from lockgate.wiring.house import House
from lockgate.wiring.training import train
from lockgate.wiring.tune import start

STEPS = 12
HOPELESS = 1e-6  # of a rate: nothing is learned
RATES = [0.4, 0.8, 1.6, 3.2, 6.4, HOPELESS]
DESCENDS = f"""
import numpy as np
import polars as pl

class Line:
    def __init__(self, weights):
        self.weights = weights

    def predict(self, rows):
        return _sure(_inputs(rows), self.weights) > 0.5

def model(train: pl.DataFrame, validation: pl.DataFrame, report, rate: float = 1.0):
    x, y = _inputs(train), train["y"].to_numpy()
    weights = np.zeros(2)
    for step in range({STEPS}):
        weights -= rate * x.T @ (_sure(x, weights) - y) / len(y)
        report(step, _loss(validation, weights))
    return Line(weights)

def metrics(model, test: pl.DataFrame) -> dict:
    return {{"log_loss": _loss(test, model.weights)}}

def _inputs(rows):
    return np.column_stack([rows["x"].to_numpy(), np.ones(rows.height)])

def _sure(x, weights):
    return 1 / (1 + np.exp(-(x @ weights)))

def _loss(rows, weights):
    sure, y = np.clip(_sure(_inputs(rows), weights), 1e-9, 1 - 1e-9), rows["y"].to_numpy()
    return float(-(y * np.log(sure) + (1 - y) * np.log(1 - sure)).mean())
"""
BOOSTS = """
import lightgbm
import pandas as pd

def model(train: pd.DataFrame, validation: pd.DataFrame, report, rate: float = 0.1):
    def heard(env):
        report(env.iteration, env.evaluation_result_list[0][2])

    learned, held = (lightgbm.Dataset(rows[["x", "n"]], rows["y"]) for rows in (train, validation))
    settings = {"objective": "binary", "metric": "binary_logloss", "learning_rate": rate, "verbose": -1, "num_threads": 1}
    return lightgbm.train(settings, learned, num_boost_round=40, valid_sets=[held], callbacks=[heard])

def metrics(model, test: pd.DataFrame) -> dict:
    from sklearn.metrics import log_loss
    return {"log_loss": float(log_loss(test["y"], model.predict(test[["x", "n"]])))}
"""


def last_of(grid: list[float], wanted: float) -> int:
    """The seed by which a grid's points come in an order that ends with this one: those before it have finished then."""
    for seed in itertools.count():
        points = list(grid)
        random.Random(seed).shuffle(points)
        if points[-1] == wanted:
            return seed
    raise AssertionError("unreachable")


def searched(house: House, text: str, rates: list[float], **more: object) -> tuple[SearchRow, list[Trial]]:
    """A search of these rates, one after the other."""
    tune = {"aims": [{"metric": "log_loss"}], "space": {"rate": {"type": "categorical", "choices": rates}}, "sampler": "grid",
            "seed": last_of(rates, HOPELESS), "workers": 1, **more}  # fmt: skip
    row = start(house, house.owner, asked(house, tune, text), quiet)
    with house.db.read() as tx:
        return row, trials_of(tx, row.id)


def test_a_hopeless_trial_is_ended_early_and_shown_as_such(house: House) -> None:
    """Gradient descent that goes nowhere is worse at its first report than the median of five before it: it never takes its
    second step. Trial, run, list, page and verdict say so; the best is another.
    """
    row, trials = searched(house, DESCENDS, RATES)
    hopeless = next(trial for trial in trials if trial.parameters["rate"] == HOPELESS)
    assert (hopeless.state, len(hopeless.reports), hopeless.values) == (TrialState.PRUNED, 1, ())
    with house.db.read() as tx:
        run = get_run(tx, hopeless.runs[0])
    assert (run.state, run.metrics) == (RunState.STOPPED, {})
    done = [trial for trial in trials if trial.state is TrialState.DONE]
    assert len(done) == 5, "five are finished before anything is compared"
    assert all(len(trial.reports) == STEPS for trial in done)
    best = best_of(trials, row.goals)[0]
    assert best.values == (min(trial.values[0] for trial in done),)
    (line,) = [line for line in lines_of(row, trials) if line.number == hopeless.number]
    assert line.words.startswith("ended early at 0, with 0.69")
    assert "1 pruned" in verdict_of(row, trials)
    assert about(row, trials)["ended early"] == "1 of 6 trials, after 8 % of the reports of a finished one"
    page = html_report(row, trials)
    assert "trial by trial (x: ended early)" in page
    assert "What trials reported on their way" in page


def test_what_a_step_reports_is_progress_of_an_ordinary_training(house: House) -> None:
    """Nothing ends it, and who waits for it hears how good it is so far."""
    said: list[str] = []
    order = msgspec.structs.replace(asked(house, {}).training, submit=False, parameters={"at": 0.3})
    done = train(house, house.owner, order, lambda words, *_: said.append(words))
    assert done.run.state is RunState.DONE
    assert "reports -0.3 at 0" in said


@pytest.mark.faults
@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_boosted_trees_are_found_with_less_work_and_no_worse(house: House, pruner: str) -> None:
    """LightGBM, its rounds as reports: the same best as without ending any, hopeless rates end, and fewer rounds are boosted."""
    pytest.importorskip("lightgbm")
    rates = [0.02, 0.05, 0.1, 0.2, 0.3, 1e-5, 2e-5, 4e-5, HOPELESS]
    _, whole = searched(house, BOOSTS, rates, pruner="none")
    row, short = searched(house, BOOSTS, rates, pruner=pruner)
    assert {trial.state for trial in whole} == {TrialState.DONE}
    chosen, known = best_of(short, row.goals)[0], best_of(whole, row.goals)[0]
    assert (chosen.parameters, chosen.values) == (known.parameters, known.values)
    ended: list[Any] = [trial.parameters["rate"] for trial in short if trial.state is TrialState.PRUNED]
    assert HOPELESS in ended
    rounds = [sum(len(trial.reports) for trial in trials) for trials in (short, whole)]
    assert rounds[0] < 0.8 * rounds[1], rounds
