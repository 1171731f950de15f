"""Versions of scikit-learn, LightGBM and PyTorch built again in an environment that is installed anew from their lock, with equal
answers; and for each a planted difference of every kind, which is named: data, seed, code, a library's version.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from tests.frameworks.conftest import links, uv
from tests.inference.wheels import local_wheel

from lockgate.config import Home
from lockgate.datasets.versions import Origin, Source
from lockgate.errors import Unavailable
from lockgate.inference.environment_build import resolved
from lockgate.pipelines.run import DataUsed, RunState
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import runs_of
from lockgate.pipelines.tables import runs
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table, resolve_data
from lockgate.wiring.house import House, open_house
from lockgate.wiring.reproducing import Equal, Reproduction, reproduce
from lockgate.wiring.training import Trained, TrainOrder, train

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
# lg_local is a library of one line, whose next version makes models learn faster
TABLES = """
import lg_local
import polars as pl

def train(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.head(150)

def test(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.tail(50)

def metrics(model, test: pl.DataFrame) -> dict:
    return {"accuracy": float((_answers(model, test) == test["y"].to_numpy()).mean())}

FASTER = float(lg_local.VERSION.partition("+")[0])
"""
TREES = """
def _answers(model, test):
    return model.predict(test.select("a", "b").to_numpy())
"""
SKLEARN = """
from sklearn.ensemble import GradientBoostingClassifier

def model(train: pl.DataFrame, seed: int):
    fitted = GradientBoostingClassifier(n_estimators=20, subsample=0.7, learning_rate=0.1 * FASTER, random_state=seed)
    return fitted.fit(train.select("a", "b").to_numpy(), train["y"].to_numpy())
"""
LIGHTGBM = """
from lightgbm import LGBMClassifier

def model(train: pl.DataFrame, seed: int):
    fitted = LGBMClassifier(n_estimators=20, num_leaves=7, n_jobs=1, random_state=seed, deterministic=True, force_row_wise=True,
                            subsample=0.8, subsample_freq=1, learning_rate=0.1 * FASTER, verbose=-1)
    return fitted.fit(train.select("a", "b").to_numpy(), train["y"].to_numpy())
"""
NET = """
import torch

class Net(torch.nn.Module):
    classes = [0, 1]

    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Dropout(0.1), torch.nn.Linear(16, 2),
                                          torch.nn.Softmax(dim=1))

    def forward(self, rows):
        return self.layers(rows)
"""
TORCH = """
import torch
from net import Net

def model(train: pl.DataFrame):
    rows = torch.tensor(train.select("a", "b").to_numpy(), dtype=torch.float32)
    labels = torch.tensor(train["y"].to_numpy())
    net = Net()
    steps = torch.optim.Adam(net.parameters(), 0.05 * FASTER)
    for _ in range(20):
        steps.zero_grad()
        torch.nn.functional.nll_loss(torch.log(net(rows)), labels).backward()
        steps.step()
    return net.eval()

def _answers(model, test):
    with torch.inference_mode():
        return model(torch.tensor(test.select("a", "b").to_numpy(), dtype=torch.float32)).argmax(dim=1).numpy()
"""
PIPELINES = {"sklearn": TREES + SKLEARN, "lightgbm": TREES + LIGHTGBM, "torch": TORCH}
LIBRARIES = {"sklearn": ("scikit-learn",), "lightgbm": ("lightgbm", "scikit-learn"), "torch": ("torch",)}
TABLE_LIBRARIES = ("numpy", "polars", "pyarrow")
BYTES = {"sklearn": (Equal.BYTES,), "lightgbm": (Equal.BYTES,), "torch": (Equal.BYTES, Equal.PREDICTIONS)}


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with two versions of a table of 200 rows."""
    opened = open_house(Home(tmp_path_factory.mktemp("home")))
    for seed in (0, 1):
        chance = np.random.default_rng(seed)
        a, b = chance.normal(size=200), chance.normal(size=200)
        frame = pl.DataFrame({"a": a, "b": b, "y": (a + b**2 > 0.5).astype(int)})
        add_table(opened, opened.owner, "rows", frame, source=Source(origin=Origin.FRAME), tell=quiet)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that uv looks into: two versions of lg_local, and what lies where pip looks."""
    folder = tmp_path_factory.mktemp("wheels")
    for version in ("1.0", "1.5"):
        local_wheel(folder, "lg_local", version)
    for place in links()[1::2]:
        for wheel in Path(place).glob("*.whl"):
            (folder / wheel.name).symlink_to(wheel)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_FIND_LINKS", str(folder))
        yield folder


@dataclass(frozen=True)
class Version:
    """A version that was trained, and the interpreter of its model, which an admin named."""

    house: House
    made: Trained
    python: Path

    def again(self, *, clean: bool = False) -> Reproduction:
        """Built again."""
        assert self.made.version is not None
        return reproduce(self.house, self.house.owner, self.made.version, quiet, clean=clean)

    def write_record(self, **changes: object) -> None:
        """Somebody writes into the record of its run."""
        body = msgspec.json.encode(msgspec.structs.replace(self.made.run.made, **changes)).decode()
        with self.house.db.write() as tx:
            tx.execute(sa.update(runs).where(runs.c.id == self.made.run.id).values(made=body))


def stored(house: House, text: str) -> str:
    """A pipeline's code in the store; its digest."""
    return store_code(house, Sources({"flow.py": (TABLES + text).encode(), "net.py": NET.encode()}))


def pinned(*names: str) -> list[str]:
    """Exact pins of what this environment has, and of what is installed nowhere here."""
    return ["torch==2.13.0" if name == "torch" else f"{name}=={metadata.version(name)}" for name in names]


@pytest.fixture(scope="module", params=list(PIPELINES))
def version(
    request: pytest.FixtureRequest, house: House, wheels: Path, tmp_path_factory: pytest.TempPathFactory
) -> Version:
    """One version of each framework, with its whole lock on record."""
    name = request.param
    lock = resolved((*pinned(*LIBRARIES[name], *TABLE_LIBRARIES), "lg-local==1.0"), "3.11")
    folder = tmp_path_factory.mktemp(f"environment-{name}")
    uv("venv", "--python", sys.executable, folder)
    uv("pip", "install", "--python", folder / "bin" / "python", "--no-deps", *lock)
    python = folder / "bin" / "python"
    settings: dict[str, Any] = {"target": "y", "task": "classification", "python": str(python)}
    order = TrainOrder(model=name, pipeline="flow.py", code=stored(house, PIPELINES[name]), data={"raw": "rows@1"}, seed=5,
                       settings=settings, requirements="\n".join(lock))  # fmt: skip
    return Version(house, train(house, house.owner, order, quiet), python)


def test_a_version_is_built_again_in_a_new_environment(version: Version) -> None:
    """Its lock is installed into a clean place: the answers to every test row are the same, and the bytes where they can be."""
    found = version.again(clean=True)
    assert found.clean
    assert found.equal in BYTES[version.made.run.model], found.differences
    assert (found.rows, found.largest_difference) == (50, 0.0)


def test_a_planted_difference_is_named(version: Version) -> None:
    """Another seed, other data, other code, another library: each makes another model, and each is said."""
    made, house = version.made.run.made, version.house
    with house.db.read() as tx:
        second = resolve_data(tx, "rows@2")
    other = DataUsed(name="rows", number=2, digest=second.digest, rows=second.rows)
    longer = (
        PIPELINES[made.model].replace("n_estimators=20", "n_estimators=25").replace("range(20)", "range(25)")
    )
    seeded = {"seed": 6} if "seed" in made.parameters else {}
    planted: list[tuple[dict[str, object], str, str]] = [
        ({"seed": 6, "parameters": {**made.parameters, **seeded}}, "model",
         "sealed with the seed 5, and the run on record says 6"),
        ({"data": {"raw": other}}, "train", f"sealed with the data 'raw' (rows@2) {made.data['raw'].digest[:20]}..., and the run"
         f" on record says {second.digest[:20]}..."),
        ({"code": stored(house, longer)}, "model", f"sealed with the code {made.code[:20]}..., and the run on record says"),
    ]  # fmt: skip
    for changes, step, reason in planted:
        version.write_record(**changes)
        found = version.again()
        version.write_record()
        assert found.equal in (Equal.METRICS, Equal.NOTHING), (reason, found)
        assert found.largest_difference > 0 or "differ" in found.differences[1]
        assert f"step '{step}' is the first that gives another result" in found.differences[0]
        assert reason in found.differences[0]

    uv("pip", "install", "--python", version.python, "lg-local==1.5")
    found = version.again()
    assert found.equal in (Equal.METRICS, Equal.NOTHING), found
    assert "the environment differs from its lock (lg_local was 1.0 and is 1.5)" in found.differences[0]


def test_a_lock_with_a_local_build_is_built_again_where_its_wheels_lie(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that finds the wheel, to the byte; on one that does not, the pin is named, and what to do."""
    local_wheel(tmp_path, "lg_local", "1.0+cpu")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    lock = (*resolved((*pinned(*LIBRARIES["lightgbm"], *TABLE_LIBRARIES),), "3.11"), "lg-local==1.0+cpu")
    order = TrainOrder(model="local", pipeline="flow.py", code=stored(house, PIPELINES["lightgbm"]), data={"raw": "rows@1"},
                       settings={"target": "y", "task": "classification"}, requirements="\n".join(lock))  # fmt: skip
    made = Version(house, train(house, house.owner, order, quiet), Path())
    assert "lg-local==1.0+cpu" in made.made.run.made.lock
    monkeypatch.delenv("UV_FIND_LINKS")
    with pytest.raises(Unavailable, match=r"lg-local==1\.0\+cpu is a local build.*reproduce local/1 --here"):
        made.again(clean=True)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    found = made.again(clean=True)
    assert (found.clean, found.equal) == (True, Equal.BYTES), found.differences


def test_an_environment_that_cannot_be_solved_is_said(house: House) -> None:
    """Pins that nobody publishes, and pins that do not go together: uv's words, a failed run on record, and no version."""
    for pins, said in (("lightgbm==0.0.1", "lightgbm"), ("scikit-learn==1.7.0\nnumpy==1.0.1", "numpy")):
        order = TrainOrder(model="unsolved", pipeline="flow.py", code=stored(house, PIPELINES["lightgbm"]),
                           data={"raw": "rows@1"}, settings={"target": "y"}, requirements=pins)  # fmt: skip
        with pytest.raises(
            Unavailable, match=rf"{said}.*hand in pins that go together|{said}.*name an interpreter"
        ):
            train(house, house.owner, order, quiet)
    with house.db.read() as tx:
        assert [run.state for run in runs_of(tx, "unsolved")] == [RunState.FAILED] * 2
