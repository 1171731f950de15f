"""A small pipeline, the tables that it learns from, and searches of its one parameter."""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from lockgate.config_tuning import TuneConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.pipelines.sources import Sources
from lockgate.tuning.store import searches_of
from lockgate.tuning.trial import SearchRow
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House
from lockgate.wiring.training import TrainOrder
from lockgate.wiring.tune import Asked

FLOW = """
import polars as pl

class Cut:
    classes_ = [0, 1]

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

def predict(model, rows: pl.DataFrame):
    return {"prediction": model.predict(rows)}

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


def with_rows(house: House) -> House:
    """The same house, with rows to learn from, and test rows that are far away from them: whoever sees one, sees it."""
    for name, frame in (("rows-train", table(200, 0)), ("rows-test", table(50, 1, shift=1000.0))):
        add_table(house, house.owner, name, frame, source=Source(origin=Origin.FRAME), tell=quiet)
    return house


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


def searches(house: House) -> list[SearchRow]:
    """Every search of the model, the newest first."""
    with house.db.read() as tx:
        return searches_of(tx, "flow", limit=1000)
