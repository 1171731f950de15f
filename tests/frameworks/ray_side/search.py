"""Runs in the environment that has Ray: a search on a real cluster, a machine killed half-way, another one that joins.

Prints one line of JSON.
"""

import json
import os
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
from lockgate.datasets.versions import Origin, Source
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import get_run, runs_of
from lockgate.tuning.store import trials_of
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import open_house
from lockgate.wiring.training import TrainOrder
from lockgate.wiring.tune import Asked, start

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
TRIALS, KILLED_AFTER, JOINED_AFTER = 10, 2, 4


def table(rows, seed, shift=0.0):
    """A number and whether it is above 0.3."""
    x = np.random.default_rng(seed).normal(size=rows)
    return pl.DataFrame({"x": x + shift, "y": (x > 0.3).astype(int), "n": np.arange(rows)})


def search(folder: Path) -> dict[str, object]:
    """Ten trials on two machines of one core; one dies after two, another joins after four."""
    house = open_house(Home(folder / "home"))
    for name, frame in (("rows-train", table(200, 0)), ("rows-test", table(50, 1, shift=1000.0))):
        add_table(
            house, house.owner, name, frame, source=Source(origin=Origin.FRAME), tell=lambda *_, **__: None
        )
    code = store_code(house, Sources({"flow.py": FLOW.encode()}))
    tune = {"aims": [{"metric": "accuracy"}], "space": {"at": {"type": "float", "low": -1.0, "high": 1.0}}, "trials": TRIALS,
            "pruner": "none"}  # fmt: skip
    training = TrainOrder(model="flow", pipeline="flow.py", code=code, settings={"target": "y"},
                          data={"train": "rows-train@1", "test": "rows-test@1"})  # fmt: skip
    acts: list[str] = []
    with cluster() as (made, address, nodes):

        def tell(_words, done=0, *_more) -> None:
            if done >= KILLED_AFTER and not acts:
                acts.append("killed")
                made.remove_node(nodes[0], allow_graceful=False)
            if done >= JOINED_AFTER and len(acts) == 1:
                acts.append("joined")
                machine(made, num_cpus=1)

        asked = Asked(training=training, tune=msgspec.convert(tune, TuneConfig), compute=address)
        row = start(house, house.owner, asked, tell)
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


if __name__ == "__main__":
    place = Path(tempfile.mkdtemp(prefix="lockgate-search-"))
    try:
        print(json.dumps(search(place)))
    finally:
        shutil.rmtree(place, ignore_errors=True)
