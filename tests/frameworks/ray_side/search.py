"""Runs in the environment that has Ray: searches on a real cluster. Prints one line of JSON.

`survive`: a machine is killed half-way, another one joins. `ends FILE`: what ends trials and searches, and the recorded past of
the home beside the file as judge. `drive FOLDER ADDRESS TRIALS`: one owner of a search, begun or going on.
"""

import json
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS": "0", "RAY_worker_niceness": "0"}

import msgspec
import numpy as np
import polars as pl
from on_cluster import cluster, machine

from lockgate.config import Home
from lockgate.config_tuning import TuneConfig
from lockgate.datasets.versions import Origin, Source, list_data_sets
from lockgate.errors import LockgateError
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import get_run, runs_of
from lockgate.tuning.store import searches_of, trials_of
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House, open_house
from lockgate.wiring.training import TrainOrder
from lockgate.wiring.tune import Asked, More, resume, start

FLOW = """
import time
import polars as pl

class Cut:
    def __init__(self, at):
        self.at = at

    def predict(self, rows):
        return [int(value > self.at) for value in rows["x"]]

def cleaned(train: pl.DataFrame) -> pl.DataFrame:
    return train.unique(maintain_order=True)

def model(cleaned, report, at: float = 0.0):
    for epoch in range(4):
        time.sleep(0.5)
        report(epoch, -abs(at))
    return Cut(at)

def metrics(model, test: pl.DataFrame) -> dict:
    right = sum(int(a == b) for a, b in zip(model.predict(test), test["y"].to_list()))
    return {"accuracy": right / test.height, "secret": float((test["x"] > 100).sum())}
"""
SGD = """
import polars as pl
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import log_loss

def model(train: pl.DataFrame, validation: pl.DataFrame, report, rate: float = 0.1):
    found = SGDClassifier(loss="log_loss", learning_rate="constant", eta0=rate, alpha=0.0, shuffle=False)
    for step in range(10):
        found.partial_fit(train[["x"]].to_numpy(), train["y"].to_numpy(), classes=[0, 1])
        report(step, log_loss(validation["y"].to_numpy(), found.predict_proba(validation[["x"]].to_numpy())))
    return found

def metrics(model, test: pl.DataFrame) -> dict:
    return {"log_loss": float(log_loss(test["y"].to_numpy(), model.predict_proba(test[["x"]].to_numpy())))}
"""
RATES = [0.02, 0.04, 0.08, 0.16, 0.32, 1e-9]  # the last one learns nothing
TRIALS, KILLED_AFTER, JOINED_AFTER = 10, 2, 4


def table(rows, seed, shift=0.0):
    """A number and whether it is above 0.3."""
    x = np.random.default_rng(seed).normal(size=rows)
    return pl.DataFrame({"x": x + shift, "y": (x > 0.3).astype(int), "n": np.arange(rows)})


def housed(folder: Path) -> House:
    """A home with rows to learn from, and test rows that are far away from them."""
    house = open_house(Home(folder / "home"))
    with house.db.read() as tx:
        if list_data_sets(tx):
            return house
    for name, frame in (("rows-train", table(200, 0)), ("rows-test", table(50, 1, shift=1000.0))):
        add_table(house, house.owner, name, frame, source=Source(origin=Origin.FRAME), tell=quiet)
    return house


def asked(house: House, address: str, tune: dict[str, object], text: str = FLOW) -> Asked:
    """A search on a cluster."""
    code = store_code(house, Sources({"flow.py": text.encode()}))
    training = TrainOrder(model="flow", pipeline="flow.py", code=code, settings={"target": "y"},
                          data={"train": "rows-train@1", "test": "rows-test@1"})  # fmt: skip
    said = {
        "aims": [{"metric": "accuracy"}],
        "space": {"at": {"type": "float", "low": -1.0, "high": 1.0}},
        "pruner": "none",
    }
    return Asked(training=training, tune=msgspec.convert({**said, **tune}, TuneConfig), compute=address)


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def survive(folder: Path) -> dict[str, object]:
    """Ten trials on two machines of one core; one dies after two, another joins after four."""
    house = housed(folder)
    acts: list[str] = []
    with cluster() as (made, address, nodes):

        def tell(_words, done=0, *_more) -> None:
            if done >= KILLED_AFTER and not acts:
                acts.append("killed")
                made.remove_node(nodes[0], allow_graceful=False)
            if done >= JOINED_AFTER and len(acts) == 1:
                acts.append("joined")
                machine(made, num_cpus=1)

        row = start(house, house.owner, asked(house, address, {"trials": TRIALS}), tell)
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
        runs = runs_of(tx, "flow", limit=1000)
        steps = [
            step.state.value
            for trial in trials
            for step in get_run(tx, trial.runs[-1]).steps
            if step.name == "cleaned"
        ]
    house.close()
    return {
        "state": row.state.value, "words": row.end.words, "acts": acts, "trials": [trial.state.value for trial in trials],
        "tries": [trial.tries for trial in trials], "hosts": sorted({trial.host for trial in trials}),
        "runs": sorted(run.state.value for run in runs), "secret": sum(run.metrics.get("secret", 0.0) for run in runs),
        "numbers": [trial.number for trial in trials], "cleaned": steps,
    }  # fmt: skip


def ends(folder: Path, past: Path) -> dict[str, object]:
    """Everything that ends trials and searches, on one cluster: reports, time, money; and the recorded past as judge.

    `past`: JSON of the order of a search on the home beside it, which has predictions and labels.
    """
    house = housed(folder)
    with cluster() as (_, address, _):
        said: dict[str, object] = {"pruned": pruned(house, address)}
        for name, budget, more in (("time", {"time": "0.3s"}, More(time="2h")),
                                   ("money", {"cost": 0.0001, "price_per_hour": 3.6}, More(cost=100.0))):  # fmt: skip
            row = start(house, house.owner, asked(house, address, {"trials": 1000, **budget}), quiet)
            before = told(house, row.id)
            further = msgspec.structs.replace(more, trials=len(before) + 1)
            again = resume(house, house.owner, row.id, further, quiet)
            said[name] = {
                "words": row.end.words,
                "before": before,
                "again": again.end.words,
                "after": told(house, row.id),
            }
        said["past"] = judged(past, address)
    house.close()
    return said


def pruned(house: House, address: str) -> list[dict[str, object]]:
    """A grid of rates, the hopeless one last, one after the other."""
    points = [*RATES]
    seed = next(seed for seed in range(10_000) if shuffled(points, seed)[-1] == points[-1])
    tune = {"aims": [{"metric": "log_loss"}], "space": {"rate": {"type": "categorical", "choices": points}}, "sampler": "grid",
            "seed": seed, "workers": 1, "pruner": "median"}  # fmt: skip
    row = start(house, house.owner, asked(house, address, tune, SGD), quiet)
    with house.db.read() as tx:
        return [{"rate": trial.parameters["rate"], "state": trial.state.value, "reports": len(trial.reports),
                 "run": get_run(tx, trial.runs[-1]).state.value} for trial in trials_of(tx, row.id)]  # fmt: skip


def shuffled(points: list[float], seed: int) -> list[float]:
    """In the order in which a grid of this seed is tried."""
    order = [*points]
    random.Random(seed).shuffle(order)
    return order


def told(house: House, search: int) -> list[tuple[int, str]]:
    """Numbers and states of a search's trials."""
    with house.db.read() as tx:
        return [(trial.number, trial.state.value) for trial in trials_of(tx, search)]


def judged(past: Path, address: str) -> dict[str, object]:
    """The search of a file on the home beside it, by the figures of the back-test."""
    house = open_house(Home(past.parent / "home"))
    order = msgspec.json.decode(past.read_bytes(), type=Asked)
    row = start(house, house.owner, msgspec.structs.replace(order, compute=address), quiet)
    with house.db.read() as tx:
        trials = trials_of(tx, row.id)
    house.close()
    return {"state": row.state.value, "judged": row.ground.judged, "rows": row.ground.rows, "hosts": [one.host for one in trials],
            "values": [one.values for one in trials], "metrics": [one.metrics for one in trials]}  # fmt: skip


def drive(folder: Path, address: str, trials: int) -> dict[str, object]:
    """One owner of a search, which may be killed; the next one lets it go on. What went wrong is said as people are told."""
    house = housed(folder)
    try:
        with house.db.read() as tx:
            known = searches_of(tx, "flow")
        if known:
            row = resume(house, house.owner, known[0].id, More(trials=trials, compute=address), quiet)
        else:
            row = start(house, house.owner, asked(house, address, {"trials": trials}), quiet)
    except LockgateError as error:
        with house.db.read() as tx:
            return {"error": error.as_json(), "state": searches_of(tx, "flow")[0].state.value}
    finally:
        house.close()
    return {"state": row.state.value, "words": row.end.words}


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    place = Path(words[0] if what == "drive" else tempfile.mkdtemp(prefix="lockgate-search-"))
    try:
        calls = {"survive": lambda: survive(place), "ends": lambda: ends(place, Path(words[0])),
                 "drive": lambda: drive(place, words[1], int(words[2]))}  # fmt: skip
        print(json.dumps(calls[what]()))
    finally:
        if what != "drive":
            shutil.rmtree(place, ignore_errors=True)
