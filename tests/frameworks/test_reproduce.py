"""Versions built again from what is on record: LightGBM and PyTorch give equal answers, and equal bytes where they promise it."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.frameworks.conftest import library_environment
from tests.inference.wheels import local_wheel

from lockgate.config import Home
from lockgate.datasets.versions import Origin, Source
from lockgate.errors import Unavailable
from lockgate.inference.environment_cache import remove
from lockgate.pipelines.run import RunState
from lockgate.pipelines.sources import Sources
from lockgate.pipelines.store import runs_of
from lockgate.wiring.codestore import store_code
from lockgate.wiring.datasets import add_table
from lockgate.wiring.house import House, open_house
from lockgate.wiring.reproducing import Equal, reproduce
from lockgate.wiring.training import Trained, TrainOrder, train

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
TABLES = """
import polars as pl

def train(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.head(150)

def test(raw: pl.DataFrame) -> pl.DataFrame:
    return raw.tail(50)
"""
LIGHTGBM = """
from lightgbm import LGBMClassifier

def model(train: pl.DataFrame, seed: int):
    fitted = LGBMClassifier(n_estimators=20, num_leaves=7, n_jobs=1, random_state=seed, deterministic=True,
                            force_row_wise=True, subsample=0.8, subsample_freq=1, verbose=-1)
    return fitted.fit(train.select("a", "b").to_numpy(), train["y"].to_numpy())

def metrics(model, test: pl.DataFrame) -> dict:
    return {"accuracy": float((model.predict(test.select("a", "b").to_numpy()) == test["y"].to_numpy()).mean())}
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

def model(train: pl.DataFrame, seed: int):
    rows = torch.tensor(train.select("a", "b").to_numpy(), dtype=torch.float32)
    labels = torch.tensor(train["y"].to_numpy())
    net = Net()
    steps = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(40):
        steps.zero_grad()
        torch.nn.functional.nll_loss(torch.log(net(rows)), labels).backward()
        steps.step()
    return net.eval()

def metrics(model, test: pl.DataFrame) -> dict:
    rows = torch.tensor(test.select("a", "b").to_numpy(), dtype=torch.float32)
    with torch.inference_mode():
        return {"accuracy": float((model(rows).argmax(dim=1).numpy() == test["y"].to_numpy()).mean())}
"""


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """PyTorch and what reads tables."""
    return library_environment(
        "torch-tables-2.13.0",
        "torch==2.13.0",
        f"numpy=={np.__version__}",
        f"polars=={pl.__version__}",
        "pyarrow",
    )


@pytest.fixture
def house(home: Home) -> Iterator[House]:
    """A house with a table of 200 rows."""
    opened = open_house(home)
    chance = np.random.default_rng(0)
    a, b = chance.normal(size=200), chance.normal(size=200)
    frame = pl.DataFrame({"a": a, "b": b, "y": (a + b**2 > 0.5).astype(int)})
    add_table(opened, opened.owner, "rows", frame, source=Source(origin=Origin.FRAME), tell=quiet)
    yield opened
    opened.close()


def quiet(*_said: object, **_more: object) -> None:
    """Nobody listens to the progress."""


def trained(
    house: House, text: str, settings: dict[str, object], *, net: str = "", requirements: str | None = None
) -> Trained:
    """A pipeline carried out."""
    files = {"flow.py": TABLES + text, "net.py": net}
    code = store_code(house, Sources({name: body.encode() for name, body in files.items()}))
    wanted = {"target": "y", "task": "classification", **settings}
    order = TrainOrder(model="flow", pipeline="flow.py", code=code, data={"raw": "rows@1"}, seed=5, settings=wanted,
                       requirements=requirements)  # fmt: skip
    return train(house, house.owner, order, quiet)


def test_lightgbm_is_built_again_to_the_byte_in_a_new_environment(house: House) -> None:
    """Code, lock, data and seed give the same file, in an environment that uv makes anew from the pins."""
    made = trained(house, LIGHTGBM, {})
    assert made.version is not None
    assert any(pin.startswith("scikit-learn==") for pin in made.run.made.lock)
    found = reproduce(house, house.owner, made.version, quiet, clean=True)
    assert found.clean
    assert (found.equal, found.rows, found.largest_difference) == (Equal.BYTES, 50, 0.0), found.differences


def test_torch_is_built_again_with_the_same_answers(house: House, torch_python: Path) -> None:
    """Seeded by the run, weights and answers are the same, dropout and all."""
    made = trained(house, TORCH, {"python": str(torch_python)}, net=NET)
    assert made.version is not None
    found = reproduce(house, house.owner, made.version, quiet, clean=False)
    assert found.equal in (Equal.BYTES, Equal.PREDICTIONS), found.differences
    assert (found.rows, found.largest_difference) == (50, 0.0)


def test_a_lock_with_a_local_build_is_built_again_where_its_wheels_lie(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a machine that finds the wheel, to the byte; on one that does not, the pin is named, and what to do."""
    local_wheel(tmp_path, "lg_local", "1.0+cpu")
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    beneath = ("numpy", "scipy", "joblib", "cloudpickle", "threadpoolctl", "narwhals")
    libraries = ("lightgbm", "scikit-learn", *beneath, "polars", "polars-runtime-32", "pyarrow")
    pins = [f"{name}=={metadata.version(name)}" for name in libraries]
    made = trained(
        house, "import lg_local\n" + LIGHTGBM, {}, requirements="\n".join([*pins, "lg-local==1.0+cpu"])
    )
    assert made.version is not None
    assert "lg-local==1.0+cpu" in made.run.made.lock
    assert remove(house.home, unused_days=0)
    monkeypatch.delenv("UV_FIND_LINKS")
    with pytest.raises(Unavailable, match=r"lg-local==1\.0\+cpu is a local build.*reproduce flow/1 --here"):
        reproduce(house, house.owner, made.version, quiet)
    monkeypatch.setenv("UV_FIND_LINKS", str(tmp_path))
    found = reproduce(house, house.owner, made.version, quiet)
    assert (found.clean, found.equal) == (True, Equal.BYTES), found.differences


def test_an_environment_that_cannot_be_solved_is_said(house: House) -> None:
    """Pins that nobody publishes, and pins that do not go together: uv's words, a failed run on record, and no version."""
    for pins, said in (("lightgbm==0.0.1", "lightgbm"), ("scikit-learn==1.7.0\nnumpy==1.0.1", "numpy")):
        with pytest.raises(
            Unavailable, match=rf"{said}.*hand in pins that go together|{said}.*name an interpreter"
        ):
            trained(house, LIGHTGBM, {}, requirements=pins)
    with house.db.read() as tx:
        assert [run.state for run in runs_of(tx, "flow")] == [RunState.FAILED] * 2
