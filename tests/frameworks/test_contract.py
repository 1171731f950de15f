"""What every framework promises, in one suite: trained, packaged, compiled where possible, checked, served by the real gateway.

Each in an environment of its own, and each answer is held against what the framework itself says of the same rows. A model in
another language keeps the same promises in tests/system/test_r_model.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import polars as pl
import pytest
from tests.frameworks.conftest import CALL_S, ROOT, library_environment
from tests.frameworks.contract_programs import CONTRACTS, ROWS, Contract
from tests.gateway.conftest import World

from lockgate.access import Access
from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.registry.manifest import Framework, Manifest
from lockgate.submission.parts import Part
from lockgate.submission.receive import receive_model
from lockgate.submission.recognise import recognise
from lockgate.traffic import Arm, Role, Route
from lockgate.wiring.house import open_house
from lockgate.wiring.names import resolve

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
NUMPY = f"numpy=={np.__version__}"
CLOSE = 1e-5


@pytest.fixture(scope="session")
def own_python() -> Path:
    """This environment, which has scikit-learn, XGBoost, LightGBM and the converters."""
    return Path(sys.executable)


@pytest.fixture(scope="session")
def catboost_python() -> Path:
    """CatBoost."""
    return library_environment("catboost-1.2.10", "catboost==1.2.10", NUMPY, "pandas==2.3.3", "scipy")


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """PyTorch and what its exporter needs."""
    return library_environment("torch-contract-2.13.0", "torch==2.13.0", "onnxscript==0.7.2", "onnx", NUMPY)


@pytest.fixture(scope="session")
def keras_python() -> Path:
    """TensorFlow with Keras, and the converter."""
    return library_environment(
        "keras-3.15.1", "tensorflow-cpu==2.21.0", "keras==3.15.1", "tf2onnx==1.17.0", "onnx"
    )


@pytest.fixture(scope="session")
def transformers_python() -> Path:
    """transformers on PyTorch."""
    return library_environment("transformers-5.23.0", "torch==2.13.0", "transformers==5.23.0", NUMPY)


def lockgate(home: Home, folder: Path, *words: str, statuses: tuple[int, ...] = (0,)) -> Any:
    """A verb on a home of its own; what it prints as JSON."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCKGATE_")}
    done = subprocess.run(
        [Path(sys.executable).with_name("lockgate"), *words, "--json"], capture_output=True, text=True, timeout=CALL_S,
        cwd=folder, env={**kept, "LOCKGATE_HOME": str(home.root)}, check=False,
    )  # fmt: skip
    assert done.returncode in statuses, done.stderr[-3000:]
    return json.loads(done.stdout)


def served(home: Home, name: str, rows: dict[str, list[Any]]) -> dict[str, Any]:
    """What a caller of the real gateway is answered, by output."""
    house = open_house(home)
    with house.db.read() as tx:
        version = resolve(tx, name, "latest")
    house.close()
    kinds = {field.name: field.datatype.value for field in version.manifest.signature.inputs}
    world = World(home, Blobs(str(home.blobs)))
    try:
        arm = Arm(version=version.number, digest=version.digest, role=Role.LIVE)
        world.plan.publish_route(Route(model=name, arms=(arm,), salt="s", deadline_ms=120_000.0))
        world.access.publish(Access(open=True))
        world.worker()
        world.wait_for(lambda: httpx.get(f"{world.url}/v2/health/ready").status_code == 200, 600)
        count = len(next(iter(rows.values())))
        inputs = [
            {"name": column, "datatype": kinds[column], "shape": [count], "data": data}
            for column, data in rows.items()
        ]
        answer = httpx.post(f"{world.url}/v2/models/{name}/infer", json={"inputs": inputs}, timeout=300)
        assert answer.status_code == 200, answer.text
        return {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer.json()["outputs"]}
    finally:
        world.close()


@pytest.mark.parametrize("name", CONTRACTS)
def test_every_framework_keeps_it(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """From the framework's own file to answers over HTTP that are the framework's own; compiled forms are proven."""
    contract: Contract = CONTRACTS[name]
    python: Path = request.getfixturevalue(contract.python)
    folder = tmp_path / "work"
    folder.mkdir()
    done = subprocess.run(
        [python, "-W", "ignore", "-c", ROWS + contract.program, folder],
        capture_output=True,
        text=True,
        timeout=CALL_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    wanted = json.loads((folder / "answers.json").read_text())
    home = Home(tmp_path / "home").prepare()
    (home.root / "config.yaml").write_text(f"environment: {{python: {python}, memory_mb: 8192}}\n")

    lockgate(home, folder, "submit", *contract.given, "--name", name, "--train", "train.csv", "--test", "test.csv",
             "--target", "y", "--set", "task=classification")  # fmt: skip
    manifest = newest(home, name)
    assert manifest.framework is contract.framework
    assert manifest.requirements
    assert bool(manifest.compiled.path) == (contract.compiles and contract.framework is not Framework.ONNX), (
        manifest.compiled.reason
    )

    found = lockgate(home, folder, "validate", f"{name}/1", "--suite", "quick", statuses=(0, 1))
    performance = [one for one in found["findings"] if one["check"] == "performance"]
    assert performance
    assert all(one["status"] != "could not run" for one in performance), performance

    rows = pl.read_csv(folder / "test.csv").drop("y").to_dict(as_series=False)
    said = served(home, name, rows)
    prediction = said[manifest.answer.prediction].ravel()
    assert [str(one) for one in prediction.tolist()] == [str(one) for one in wanted["prediction"]]
    if "probability" in wanted:
        assert manifest.answer.probability is not None
        np.testing.assert_allclose(said[manifest.answer.probability], wanted["probability"], atol=CLOSE)


PACK = {
    "keras": """
import sys, keras
model = keras.saving.load_model(sys.argv[1] + "/model.keras")
""",
    "transformers": """
import sys, transformers as t
path = sys.argv[1] + "/model"
net, tokenizer = t.AutoModelForSequenceClassification.from_pretrained(path), t.AutoTokenizer.from_pretrained(path)
model = t.pipeline("text-classification", model=net, tokenizer=tokenizer)
from lockgate.errors import InvalidInput
from lockgate.packing.parcel import pack
try:
    pack(net)
except InvalidInput as error:
    assert "its tokenizer is not with it" in error.sentence()
else:
    raise SystemExit("taken without a tokenizer")
""",
}
SAVE = """
from pathlib import Path
from lockgate.packing.parcel import pack
parcel = pack(model)
Path(sys.argv[1], "packed-" + parcel.name).write_bytes(parcel.body)
"""


@pytest.mark.parametrize(
    ("name", "file"), [("keras", "packed-model.keras"), ("transformers", "packed-model.zip")]
)
def test_objects_are_packed_as_their_own_files(
    name: str, file: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """What `lockgate.submit(model)` sends is the library's own file of data, which is taken as if it had been handed in."""
    contract = CONTRACTS[name]
    python: Path = request.getfixturevalue(contract.python)
    for text in (ROWS + contract.program, PACK[name] + SAVE):
        done = subprocess.run(
            [python, "-W", "ignore", "-c", text, tmp_path], capture_output=True, text=True, timeout=CALL_S, check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
    given = receive_model(Part.of(tmp_path / file), tmp_path / "given")
    assert recognise(given).framework is contract.framework


def newest(home: Home, name: str) -> Manifest:
    """The manifest of the newest version."""
    house = open_house(home)
    with house.db.read() as tx:
        manifest = resolve(tx, name, "latest").manifest
    house.close()
    return manifest


def test_every_framework_is_among_them() -> None:
    """A framework that is added must keep the contract, too; a command's is kept in another file."""
    assert {contract.framework for contract in CONTRACTS.values()} == set(Framework) - {Framework.COMMAND}
