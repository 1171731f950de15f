"""Flavors that MLflow opens itself: PyTorch (exported and scripted), TensorFlow, Keras, transformers, CatBoost. Logged on a real
server, fetched from there and served as they are; each answer is MLflow's own. test_mlflow.py has those that lockgate reads.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from tests.frameworks.conftest import MLFLOW, MlflowSide, environment, live
from tests.gateway.conftest import World

from lockgate.config import Home
from lockgate.registry.manifest import Framework
from lockgate.registry.store import Version

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
FLAVORS = ("pytorch", "scripted", "tensorflow", "keras", "transformers", "catboost")
LIBRARIES = (
    "torch==2.13.0",
    "transformers==5.23.0",
    "tensorflow-cpu==2.21.0",
    "keras==3.15.1",
    "catboost==1.2.10",
)
NUMBERS = ["car_value", "debt_to_income_ratio", "loan_length", "driver_tenure"]
PROGRAM = Path(__file__).parent / "mlflow_side" / "flavors.py"
Said = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def deep(side: MlflowSide) -> MlflowSide:
    """The same folder, and an environment that has every heavy library beside MLflow."""
    return MlflowSide(environment("mlflow-deep", MLFLOW, "mlflow,xgboost,lightgbm", *LIBRARIES), side.folder)


@pytest.fixture(scope="module")
def addresses(deep: MlflowSide, server: str) -> dict[str, str]:
    """Where MLflow says that its models lie."""
    done = deep.run("python", "-W", "ignore", PROGRAM, "log", server, "rows.csv", *FLAVORS)
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, str] = json.loads(done.stdout.splitlines()[-1])
    return said


@pytest.fixture(scope="module")
def mlflows(deep: MlflowSide, server: str, addresses: dict[str, str]) -> Said:
    """What MLflow answers to the first rows, and its files."""
    done = deep.run("python", "-W", "ignore", PROGRAM, "ask", server, "rows.csv", *addresses.values())
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    return {name: said[address] for name, address in addresses.items()}


@pytest.fixture(scope="module")
def ours(
    deep: MlflowSide, server: str, addresses: dict[str, str]
) -> Iterator[tuple[World, dict[str, Version]]]:
    """Submitted by their addresses, live, and answered by one open gateway."""
    home = Home(deep.folder / "flavors")
    home.root.mkdir()
    # the libraries are there already: uv would fetch gigabytes for the public builds of the pins
    (home.root / "config.yaml").write_text(f"environment: {{python: {deep.python}, memory_mb: 16384}}\n")
    for name, address in addresses.items():
        variables = {"LOCKGATE_HOME": str(home.root), "MLFLOW_TRACKING_URI": server}
        done = deep.run("lockgate", "submit", address, "--name", name, "--json", **variables)
        assert done.returncode == 0, (name, done.stderr[-3000:])
    with live(home, addresses) as served:
        yield served


def given(rows: pl.DataFrame, version: Version) -> list[dict[str, object]]:
    """The rows as this version takes them: one tensor, one text, or columns."""
    fields = version.manifest.signature.inputs
    if len(fields) == 1 and fields[0].shape:
        matrix = rows.select(NUMBERS).to_numpy().astype(np.float32)
        return [
            {"name": fields[0].name, "datatype": "FP32", "shape": list(matrix.shape), "data": matrix.tolist()}
        ]
    table = rows.with_columns(text=pl.format("{} with {}", "salary_range", "size_of_downpayment"))
    return [{"name": field.name, "datatype": field.datatype.value, "shape": [len(rows)], "data": table[field.name].to_list()}
            for field in fields]  # fmt: skip


@pytest.mark.parametrize("name", FLAVORS)
def test_a_flavor_is_served_as_mlflow_wrote_it(
    name: str, deep: MlflowSide, mlflows: Said, ours: tuple[World, dict[str, Version]]
) -> None:
    """Every file of MLflow's is in the package byte by byte, and the gateway's answer is what mlflow.pyfunc says."""
    world, versions = ours
    version, wanted = versions[name], mlflows[name]
    manifest = version.manifest
    assert manifest.framework is Framework.MLFLOW
    sealed = {
        path.removeprefix("model/"): file.sha256
        for path, file in manifest.files.items()
        if path.startswith("model/")
    }
    assert sealed == wanted["files"]
    assert (manifest.parameters["kind"], manifest.parameters["rows"]) == (name, "2000")

    rows = pl.read_csv(deep.folder / "rows.csv").head(100)
    body = {"inputs": given(rows, version)}
    answer = httpx.post(f"{world.url}/v2/models/{name}/infer", json=body, timeout=300)
    assert answer.status_code == 200, answer.text
    said = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer.json()["outputs"]}
    assert set(said) == set(wanted["columns"])
    for column, values in wanted["columns"].items():
        theirs = np.array(values)
        if theirs.dtype.kind == "f":
            np.testing.assert_allclose(said[column].reshape(theirs.shape), theirs, rtol=1e-6)
        else:
            assert said[column].ravel().tolist() == theirs.tolist()
        assert len(np.unique(theirs)) > 10 or column == "label"
