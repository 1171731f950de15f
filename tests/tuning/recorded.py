"""A home whose version answered rows, labels that come for them, and searches that are judged by that past."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from tests.gateway.conftest import World

from lockgate.config import ModelConfig
from lockgate.config_tuning import TuneConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.pipelines.sources import Sources
from lockgate.predictions.label_import import import_labels
from lockgate.registry.package import read_manifest
from lockgate.registry.store import create_model, record_version
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House
from lockgate.wiring.scoring import Order, score_file
from lockgate.wiring.training import TrainOrder
from lockgate.wiring.tune import Asked

ROWS, LEARNED, HIDDEN, STOPPED_BY = 60, 30, 12, 6
MARKED = {
    LEARNED + 2: 1000.0,
    ROWS - 4: 2000.0,
}  # rows of the validation and of the test set that nobody overlooks
FLOW = """
import polars as pl

class Cut:
    def __init__(self, at):
        self.at = at

    def predict(self, rows):
        return [value > self.at for value in rows["a"]]

def model(train: pl.DataFrame, at: float = 0.0):
    return Cut(at)

def metrics(model, test: pl.DataFrame) -> dict:
    right = float(((test["a"] > model.at) == (test["left"] == 1)).mean())
    return {"accuracy": right, "rows": float(test.height), "most": float(test["a"].max())}
"""


SERVES = """
def predict(model, rows: pl.DataFrame):
    score = [1 / (1 + 2.718281828 ** -value) for value in rows["a"]]
    return {"prediction": [int(value > model.at) for value in rows["a"]], "probability": [[1 - one, one] for one in score]}
"""


def with_answers(opened: House, folder: Path) -> None:
    """churn/1 answers 60 rows; the data sets are their first 30, six more, and the last 12."""
    world = World(opened.home, opened.blobs)
    digest = world.package()
    manifest = read_manifest(opened.blobs.fetch_tree(f"packages/{digest[7:]}", opened.home.cache), digest)
    with opened.db.write() as tx:
        create_model(tx, "churn", ModelConfig(key="customer", target="left"), actor=opened.owner.id, at_us=1)
        version, _ = record_version(
            tx, model="churn", digest=digest, manifest=manifest, author=opened.owner.id, at_us=1
        )
    world.close()
    draw = np.random.default_rng(0)
    frame = pl.DataFrame({name: draw.normal(size=ROWS) for name in "abc"})
    for place, value in MARKED.items():
        frame[place, "a"] = value
    frame = frame.with_columns(customer=pl.Series([f"c{place}" for place in range(ROWS)]))
    frame.write_parquet(folder / "rows.parquet")
    score_file(opened, opened.owner, version, Order(folder / "rows.parquet", folder / "scored.parquet", "job", None),
               tell=lambda *_: None)  # fmt: skip
    labelled = frame.with_columns(left=(pl.col("a") > 0).cast(pl.Int64))
    for name, part in (
        ("churn-train", labelled[:LEARNED]),
        ("churn-stop", labelled[LEARNED : LEARNED + STOPPED_BY]),
        ("churn-test", pl.concat([labelled[-HIDDEN:], labelled[-1:].with_columns(a=pl.lit(0.5))])),
    ):
        source = Source(origin=Origin.FRAME)
        add_table(opened, opened.owner, name, part.drop("customer"), source=source, tell=lambda *_: None)


def with_labels(house: House, folder: Path) -> pl.DataFrame:
    """Labels of all rows; that of the test set's marked row came otherwise than the test set has it. Returns the rows."""
    rows = pl.read_parquet(folder / "rows.parquet")
    mended = pl.Series([place == ROWS - 4 for place in range(ROWS)])
    labels = rows.select("customer", label=((pl.col("a") > 0) ^ mended).cast(pl.Int64))
    with house.db.write() as tx:
        import_labels(tx, "churn", labels, on="key", key="customer", label="label", by=house.owner.id,
                      now_us=house.clock.now_us())  # fmt: skip
    return rows


def searched(
    house: House, text: str = FLOW, beside: dict[str, str] | None = None, **changes: object
) -> Asked:
    """A search on the recorded past. `beside`: more tables."""
    code = store_code(house, Sources({"flow.py": text.encode()}))
    tune = {"space": {"at": {"type": "float", "low": -1.0, "high": 1.0}}, "aims": [{"metric": "accuracy"}], "trials": 1,
            "past": {"since": "30d", "windows": 2}, **changes}  # fmt: skip
    data = {"train": "churn-train", "test": "churn-test", **(beside or {})}
    training = TrainOrder(model="churn", pipeline="flow.py", code=code, settings={"target": "left", "key": "customer"},
                          replace=True, parameters={"at": 0.0}, data=data)  # fmt: skip
    return Asked(training=training, tune=msgspec.convert(tune, TuneConfig))
