"""What every framework promises, in one suite: a project's pipeline is trained, packaged, compiled where there is a way, checked
and served by the real gateway, and built again; for classes and for numbers, each in an environment of its framework.

Each answer is held against what the framework itself said of the same rows while it trained. A model in another language keeps
the same promises in tests/system/test_r_model.py.
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
import yaml
from tests.frameworks.conftest import CALL_S, ROOT, library_environment, live
from tests.frameworks.contract_pipelines import TARGETS
from tests.frameworks.contract_projects import CONTRACTS, Compiles, Contract, promises
from tests.gateway.conftest import World

from lockgate.config import Home
from lockgate.pipelines.place import cache_of
from lockgate.registry.manifest import Framework, Manifest
from lockgate.wiring.house import open_house
from lockgate.wiring.names import resolve

HEAVY = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
NUMPY, POLARS = f"numpy=={np.__version__}", f"polars=={pl.__version__}"
CLOSE = 1e-5
ANSWERS = ["prediction", "p0", "p1"]
KEPT = ("bytes", "predictions")


@pytest.fixture(scope="session")
def own_python() -> Path:
    """This environment, which has scikit-learn, XGBoost, LightGBM and the converters."""
    return Path(sys.executable)


@pytest.fixture(scope="session")
def catboost_python() -> Path:
    """CatBoost."""
    wanted = ("catboost==1.2.10", NUMPY, "pandas==2.3.3", "scipy", POLARS)
    return library_environment("catboost-1.2.10", *wanted)


@pytest.fixture(scope="session")
def torch_python() -> Path:
    """PyTorch, what its exporter needs, and transformers."""
    wanted = ("torch==2.13.0", "onnxscript==0.7.2", "onnx", "transformers==5.23.0", NUMPY, POLARS)
    return library_environment("torch-contract-2.13.0", *wanted)


@pytest.fixture(scope="session")
def keras_python() -> Path:
    """TensorFlow with Keras, and the converter."""
    wanted = ("tensorflow-cpu==2.21.0", "keras==3.15.1", "tf2onnx==1.17.0", "onnx", POLARS)
    return library_environment("keras-3.15.1", *wanted)


def rows_of(framework: Framework) -> pl.DataFrame:
    """400 rows: four numbers or a text, a class `y`, a number `v`."""
    chance = np.random.default_rng(0)
    x = chance.normal(size=(400, 4)).astype(np.float32).round(3).astype(float)
    v = x[:, 0] + x[:, 1] ** 2 + chance.normal(scale=0.3, size=400)
    y = (v > 0.5).astype(int)
    if framework is not Framework.TRANSFORMERS:
        return pl.DataFrame({**{name: x[:, place] for place, name in enumerate("abcd")}, "y": y, "v": v})
    words = {1: ["good", "fine", "lovely"], 0: ["bad", "dull", "awful"]}
    plain = ["the", "film", "was", "plot", "and", "very"]
    said = [
        [*chance.choice(words[label], 1 + chance.integers(2)), *chance.choice(plain, 2 + chance.integers(5))]
        for label in y
    ]
    texts = [" ".join(chance.permutation(one)) for one in said]
    return pl.DataFrame({"text": texts, "y": ["good" if label else "bad" for label in y], "v": v})


class Project:
    """A project of one model on a home of its own."""

    def __init__(self, folder: Path, name: str, contract: Contract, task: str, python: Path) -> None:
        self.folder, self.name, self.home = folder / "project", name, Home(folder / "home").prepare()
        (self.home.root / "config.yaml").write_text(f"environment: {{python: {python}, memory_mb: 8192}}\n")
        self.folder.mkdir()
        self.rows = rows_of(contract.framework)
        self.rows.write_csv(self.folder / "rows.csv")
        for file, text in contract.files[task].items():
            (self.folder / file).write_text(text)
        said = {
            "target": TARGETS[task],
            "task": task,
            "pipeline": "flow.py",
            "data": {"rows": "rows.csv"},
            "seed": 5,
        }
        (self.folder / "lockgate.yaml").write_text(yaml.safe_dump({"models": {name: said}}))

    def lockgate(self, *words: str, statuses: tuple[int, ...] = (0,)) -> Any:
        """A verb; what it prints as JSON."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCKGATE_")}
        done = subprocess.run(
            [Path(sys.executable).with_name("lockgate"), *words, "--json"], capture_output=True, text=True, timeout=CALL_S,
            cwd=self.folder, env={**kept, "LOCKGATE_HOME": str(self.home.root)}, check=False,
        )  # fmt: skip
        assert done.returncode in statuses, done.stderr[-3000:]
        return json.loads(done.stdout)

    def trained(self, *words: str) -> dict[str, np.ndarray]:
        """The pipeline's run; what the framework itself answered to the test rows."""
        run = self.lockgate("train", self.name, *words)["run"]
        key = next(step["key"] for step in run["steps"] if step["name"] == "own")
        kept = cache_of(self.home, self.name).find(key)
        assert kept is not None
        return {
            name: column.to_numpy() for name, column in pl.read_ipc(kept.folder / "value").to_dict().items()
        }

    def manifest(self, number: int = 1) -> Manifest:
        """Of a version."""
        house = open_house(self.home)
        with house.db.read() as tx:
            manifest = resolve(tx, self.name, str(number)).manifest
        house.close()
        return manifest

    def served(self) -> dict[str, np.ndarray]:
        """What a caller of the real gateway is answered to the test rows by version 1, as `prediction`, `p0`, `p1`."""
        with live(self.home, [self.name]) as (world, versions):
            return asked(world, self.name, versions[self.name].manifest, self.rows.tail(100))


def asked(world: World, name: str, manifest: Manifest, rows: pl.DataFrame) -> dict[str, np.ndarray]:
    """The gateway's answer over HTTP."""
    inputs = [
        {"name": field.name, "datatype": field.datatype.value, "shape": [len(rows)], "data": rows[field.name].to_list()}
        for field in manifest.signature.inputs
    ]  # fmt: skip
    answer = httpx.post(f"{world.url}/v2/models/{name}/infer", json={"inputs": inputs}, timeout=300)
    assert answer.status_code == 200, answer.text
    said = {one["name"]: np.array(one["data"]).reshape(one["shape"]) for one in answer.json()["outputs"]}
    found = {"prediction": said[manifest.answer.prediction].ravel()}
    if manifest.answer.probability is not None:
        probability = said[manifest.answer.probability]
        found |= {f"p{place}": probability[:, place] for place in range(probability.shape[1])}
    return found


def alike(ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray]) -> None:
    """Classes exactly, numbers within CLOSE."""
    for name, wanted in theirs.items():
        if wanted.dtype.kind == "f":
            np.testing.assert_allclose(ours[name].astype(float), wanted, rtol=CLOSE, atol=CLOSE, err_msg=name)
        else:
            assert ours[name].astype(str).tolist() == wanted.astype(str).tolist()


CASES = [pytest.param(name, task, marks=HEAVY, id=f"{name}-{task}") for name in CONTRACTS for task in TARGETS]


@pytest.mark.parametrize(("name", "task"), CASES)
def test_every_framework_keeps_it(
    name: str, task: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """From raw rows to answers over HTTP that are the framework's own; built again with the same answers, another seed aside."""
    contract: Contract = CONTRACTS[name]
    project = Project(tmp_path, name, contract, task, request.getfixturevalue(contract.python))
    own = project.trained()
    manifest = project.manifest()
    assert (manifest.framework, str(manifest.task)) == (contract.framework, task)
    assert manifest.requirements
    assert bool(manifest.compiled.path) == (contract.compiles is Compiles.YES), manifest.compiled.reason

    found = project.lockgate("validate", f"{name}/1", "--suite", "quick", statuses=(0, 1))
    performance = [one for one in found["findings"] if one["check"] == "performance"]
    assert performance
    assert all(one["status"] != "could not run" for one in performance), performance

    said = project.served()
    wanted = ANSWERS if task == "classification" and contract.probabilities else ANSWERS[:1]
    assert list(said) == list(own) == wanted
    alike(said, own)

    again = project.lockgate("reproduce", f"{name}/1", "--here")
    assert (again["equal"] in KEPT, again["rows"], again["largest_difference"]) == (True, 100, 0.0), again
    other = project.trained("--seed", "6")
    assert any(not np.array_equal(other[column], own[column]) for column in own), "the seed changes nothing"


ALONE = """
import sys
import transformers as t
from lockgate.errors import InvalidInput
from lockgate.packing.parcel import pack
net = t.DistilBertForSequenceClassification(t.DistilBertConfig(vocab_size=9, dim=8, n_layers=1, n_heads=1, hidden_dim=8))
try:
    pack(net)
except InvalidInput as error:
    assert "its tokenizer is not with it" in error.sentence()
else:
    raise SystemExit("taken without a tokenizer")
"""


@pytest.mark.frameworks
@pytest.mark.timeout(3600)
def test_a_text_model_without_its_tokenizer_is_refused(torch_python: Path) -> None:
    """Nobody could ask it: what to hand in instead is said."""
    done = subprocess.run(
        [torch_python, "-W", "ignore", "-c", ALONE], capture_output=True, text=True, timeout=CALL_S, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


def test_every_framework_is_among_them() -> None:
    """A framework that is added must keep the contract, for every task; a command's is kept in another file."""
    assert {contract.framework for contract in CONTRACTS.values()} == set(Framework) - {Framework.COMMAND}
    assert all(set(contract.files) == set(TARGETS) for contract in CONTRACTS.values())


def test_the_table_of_the_docs_is_what_is_tested() -> None:
    """What docs/frameworks.md says that each can is what the suite above asks of it."""
    assert "\n".join(promises()) in (ROOT / "docs/frameworks.md").read_text()
