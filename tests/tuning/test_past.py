"""Trials judged on what was really predicted: recorded rows whose labels came, window by window."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest
from tests.gateway.conftest import World

from lockgate.config import Home, ModelConfig
from lockgate.config_tuning import TuneConfig
from lockgate.datasets.versions import Origin, Source
from lockgate.errors import Conflict
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import get_run
from lockgate.predictions.label_import import import_labels
from lockgate.registry.package import read_manifest
from lockgate.registry.store import create_model, record_version
from lockgate.stats.auc import auc
from lockgate.tuning.store import trials_of
from lockgate.tuning.trial import SearchState
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House, open_house
from lockgate.wiring.scoring import Order, score_file
from lockgate.wiring.training import TrainOrder
from lockgate.wiring.tune import Asked, start

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
    frame.write_parquet(tmp_path / "rows.parquet")
    score_file(opened, opened.owner, version, Order(tmp_path / "rows.parquet", tmp_path / "scored.parquet", "job", None),
               tell=lambda *_: None)  # fmt: skip
    labelled = frame.with_columns(left=(pl.col("a") > 0).cast(pl.Int64))
    for name, part in (
        ("churn-train", labelled[:LEARNED]),
        ("churn-stop", labelled[LEARNED : LEARNED + STOPPED_BY]),
        ("churn-test", pl.concat([labelled[-HIDDEN:], labelled[-1:].with_columns(a=pl.lit(0.5))])),
    ):
        source = Source(origin=Origin.FRAME)
        add_table(opened, opened.owner, name, part.drop("customer"), source=source, tell=lambda *_: None)
    yield opened
    opened.close()


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


def test_the_recorded_past_judges_without_the_rows_of_the_test_set(house: House, tmp_path: Path) -> None:
    """Without labels it says how to bring them; with them each window is one run, and test rows are in none of them."""
    with pytest.raises(Conflict, match="no recorded prediction of churn"):
        start(house, house.owner, searched(house), lambda *_, **__: None)
    rows = pl.read_parquet(tmp_path / "rows.parquet")
    mended = pl.Series(
        [place == ROWS - 4 for place in range(ROWS)]
    )  # its label came otherwise than the test set has it
    labels = rows.select("customer", label=((pl.col("a") > 0) ^ mended).cast(pl.Int64))
    with house.db.write() as tx:
        import_labels(tx, "churn", labels, on="key", key="customer", label="label", by=house.owner.id,
                      now_us=house.clock.now_us())  # fmt: skip
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
