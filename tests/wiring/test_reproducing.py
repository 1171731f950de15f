"""Versions built again in an environment of their own: to the byte, the answers, the metrics; and what explains the rest."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
import pytest
import sqlalchemy as sa

from lockgate.config import Home
from lockgate.errors import Unavailable
from lockgate.governance.audit import rows as audit_rows
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.tables import runs
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_any, file_source
from lockgate.wiring.house import House, open_house
from lockgate.wiring.reproducing import Equal, Reproduction, reproduce
from lockgate.wiring.training import Trained, TrainOrder, train

FLOW = """
import time
from pathlib import Path
import numpy as np
from line import Line

def _table(name: str, rows) -> Path:
    path = Path(f"{name}.csv")
    np.savetxt(path, rows, delimiter=",", header="a,b,y", comments="", fmt="%.9g")
    return path

def train(raw: Path) -> Path:
    return _table("train", np.loadtxt(raw)[:60])

def test(raw: Path) -> Path:
    return _table("test", np.loadtxt(raw)[60:])

def model(train: Path, shrink: float = 1.0):
    rows = np.loadtxt(train, delimiter=",", skiprows=1)
    return Line(shrink).fit(rows[:, :2], rows[:, 2])

def metrics(model, test: Path) -> dict:
    rows = np.loadtxt(test, delimiter=",", skiprows=1)
    return {"right": float(((model.predict(rows[:, :2]) > 0) == (rows[:, 2] > 0)).mean())}
"""
LINE = """
import time
import numpy as np

class Line:
    \"\"\"A line through the rows, from a point that chance chose.\"\"\"

    def __init__(self, shrink):
        self.shrink = shrink

    def fit(self, x, y):
        self.weights = self.shrink * np.linalg.lstsq(x, y, rcond=None)[0] + np.random.normal(scale=0.01, size=2)
        return self

    def predict(self, x):
        return np.asarray(x, dtype=float) @ self.weights
"""


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A home with two versions of 100 rows as plain text, so that numpy alone reads them."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")))
    path = tmp_path_factory.mktemp("data") / "rows.data"
    for seed in (0, 1):
        x = np.random.default_rng(seed).normal(size=(100, 2))
        np.savetxt(path, np.column_stack([x, x @ [1.0, -2.0]]), fmt="%.6f")
        add_any(opened, opened.owner, "rows", path, source=file_source(path, refer=False), tell=quiet)
    yield opened
    opened.close()


def trained(house: House, model: str, line: str = LINE, flow: str = FLOW, **more: Any) -> Trained:
    """The pipeline carried out in this environment; its lock holds numpy alone."""
    code = store_code(house, Sources({"flow.py": flow.encode(), "line.py": line.encode()}))
    said: dict[str, Any] = {"model": model, "pipeline": "flow.py", "code": code, "data": {"raw": "rows@1"}, "seed": 5,
            "requirements": f"numpy=={np.__version__}", "settings": {"target": "y", "task": "regression"}}  # fmt: skip
    return train(house, house.owner, TrainOrder(**{**said, **more}), quiet)


def again(house: House, made: Trained, *, clean: bool = False) -> Reproduction:
    """Its version, built again."""
    assert made.version is not None
    return reproduce(house, house.owner, made.version, quiet, clean=clean)


def write_record(house: House, made: Trained, **changes: object) -> None:
    """Somebody writes into the record of a run."""
    body = msgspec.json.encode(msgspec.structs.replace(made.run.made, **changes)).decode()
    with house.db.write() as tx:
        tx.execute(sa.update(runs).where(runs.c.id == made.run.id).values(made=body))


@pytest.fixture(scope="module")
def flow(house: House) -> Trained:
    """One version."""
    return trained(house, "flow")


def test_built_again_to_the_byte_in_an_environment_of_its_own(house: House, flow: Trained) -> None:
    """Its lock is installed anew, for this one time; files, answers and metrics are the same, and the act is audited."""
    found = again(house, flow, clean=True)
    assert (found.equal, found.clean, found.differences) == (Equal.BYTES, True, ())
    assert (found.rows, found.largest_difference) == (40, 0.0)
    assert list((house.home.cache / "reproduced").iterdir()) == []
    assert not list((house.home.cache / "environments").glob("*/bin")), (
        "the environment was not made for this alone"
    )
    with house.db.read() as tx:
        assert audit_rows(tx, action="pipelines:version:reproduced")[0].subject == "flow/1"


def test_other_bytes_with_the_same_answers(house: House) -> None:
    """A stamp of the time is no answer, and is named. A seed that was set as a parameter wins, here too."""
    stamped = LINE.replace("self.shrink = shrink", "self.shrink, self.made = shrink, time.time()")
    seeded = FLOW.replace("shrink: float = 1.0", "seed: int").replace("Line(shrink)", "Line(1.0 + seed)")
    made = trained(house, "stamped", stamped, seeded, parameters={"seed": 7}, seed=None)
    assert (made.run.made.parameters["seed"], made.run.made.seed) == (7, 0)
    found = again(house, made)
    assert (found.equal, found.largest_difference) == (Equal.PREDICTIONS, 0.0)
    assert "step 'model' is the first that gives another result" in found.differences[0]
    assert "it depends on chance, threads or time" in found.differences[0]


def test_other_answers_with_the_same_metrics(house: House) -> None:
    """Weights that hang on the clock are others, whatever the metric says."""
    scaled = LINE.replace("return self\n", "self.weights *= 1 + time.time() % 1000\n        return self\n", 1)
    found = again(house, trained(house, "scaled", scaled))
    assert (found.equal, found.metrics["right"][0]) == (Equal.METRICS, found.metrics["right"][1])
    assert found.largest_difference > 0


def test_a_record_that_was_changed_is_named(house: House, flow: Trained) -> None:
    """Another seed on record makes another model, and the package knows which it was sealed with; so of the data."""
    write_record(
        house, flow, seed=6, data={"raw": msgspec.structs.replace(flow.run.made.data["raw"], number=2)}
    )
    found = again(house, flow)
    write_record(house, flow)
    assert found.equal in (Equal.METRICS, Equal.NOTHING)
    assert found.largest_difference > 0
    assert "step 'train' is the first that gives another result" in found.differences[0]
    assert "sealed with the seed 5, and the run on record says 6" in found.differences[0]
    assert "the data 'raw' are others: rows@2 held" in found.differences[0]


def test_an_environment_that_cannot_be_had_is_said(
    house: House, flow: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lock that nobody can install: which pin, and how to do without; nothing is left behind."""
    monkeypatch.setenv("UV_OFFLINE", "1")
    write_record(house, flow, lock=("numpy==0.0.1",))
    with pytest.raises(Unavailable, match=r"numpy.*lockgate reproduce flow/1 --here"):
        again(house, flow, clean=True)
    write_record(house, flow)
    assert list((house.home.cache / "reproduced").iterdir()) == []
