"""MLflow's own client of scoring servers, speaking to the gateway."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.conftest import INPUTS, World

from lockgate.access import Access
from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.registry.signature import DataType, Field

LIMIT = Field(name="threshold", datatype=DataType.FP64, required=False, nullable=True)
# the same model as the graph's, with a param
CODE = """
import numpy as np

def predict(columns):
    limit = np.nan_to_num(columns["threshold"], nan=0.5)
    probability = 1 / (1 + np.exp(-(0.5 * columns["a"] - 0.25 * columns["b"] + columns["c"])))
    return {"prediction": (probability > limit).astype("int64"), "probability": probability.astype("float32")}
"""


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[World]:
    """`churn` with a param, at a gateway that is open to all: MLflow's client sends no key."""
    home = Home(tmp_path / "home").prepare()
    world = World(home, Blobs(str(home.blobs)))
    world.access.publish(Access(open=True))
    world.route(world.package(code=CODE, inputs=(*INPUTS, LIMIT)))
    world.worker()
    yield world
    world.close()


@pytest.mark.timeout(900)  # the first run builds the clients' environment
def test_mlflows_own_client(opened: World, clients_python: Path) -> None:
    """Ping, version, frames in any order of columns, params; refusals come with our sentence."""
    program = Path(__file__).parent / "mlflow_side/ask.py"
    command = [
        str(clients_python),
        "-W",
        "ignore",
        str(program),
        str(opened.port),
        "churn",
        '{"threshold": 0.99}',
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["frame"] == found["frame of answers"] == [1, 0]
    assert found["with params"] == [0, 0]
    assert "takes no parameter 'heat'" in found["unknown param"]
    assert "'b'" in found["a gap"]
    assert "'b' is missing" in found["no column"]
