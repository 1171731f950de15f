"""Models that mlflow itself logged, from a real server and a real store: each version answers as mlflow does."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.frameworks.conftest import MlflowSide

from lockgate.config import Home
from lockgate.datasets.columns import columns_from
from lockgate.inference.isolated import IsolatedModel
from lockgate.registry.manifest import Framework, Manifest
from lockgate.wiring.house import open_house
from lockgate.wiring.names import resolve
from lockgate.wiring.packages import open_version

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
ADDRESSES = {  # every flavor, and every form of address
    "skops": "models:/skops@champion",
    "pickled": "models:/pickled/1",
    "bare": "runs:/{run}/model",
    "xgboost": "models:/xgboost@champion",
    "lightgbm": "{uri}",  # models:/m-ID
    "onnx": "models:/onnx/1",
    "code": "runs:/{run}/model",
    "optional": "models:/optional/1",
}
FRAMEWORKS = {
    "xgboost": Framework.XGBOOST, "lightgbm": Framework.LIGHTGBM, "onnx": Framework.ONNX,
    "code": Framework.MLFLOW, "optional": Framework.MLFLOW,
}  # fmt: skip
COMPILED = {"skops", "pickled"}  # those with an input example, and a graph form
HINTS = "mlflow.models.signature._TypeHints"
Logged = dict[str, dict[str, str]]
Answers = dict[str, list[object]]


@pytest.fixture(scope="module")
def logged(side: MlflowSide, server: str) -> Logged:
    """What mlflow says of the models that it logged on the server."""
    return side.told("log", server, "rows.csv", *ADDRESSES)  # type: ignore[return-value]


@pytest.fixture(scope="module")
def answers(side: MlflowSide, server: str, logged: Logged) -> Answers:
    """mlflow's own answers to every row, model by model."""
    addresses = {name: ADDRESSES[name].format(**logged[name]) for name in ADDRESSES}
    said = side.told("ask", server, "rows.csv", *addresses.values())
    return {name: said[address] for name, address in addresses.items()}  # type: ignore[misc]


def sealed(side: MlflowSide, model: str) -> tuple[Manifest, np.ndarray, bool]:
    """The newest version: its manifest, its predictions for rows.csv, and whether it runs in a process of its own.

    It is opened here, in an environment without mlflow, so what needs mlflow runs in an environment that uv builds.
    """
    house = open_house(Home(side.folder / "home"))
    try:
        with house.db.read() as tx:
            version = resolve(tx, model, "latest")
        rows = pl.read_csv(side.folder / "rows.csv").cast({"repaid": pl.String})  # the target is no input
        executor = open_version(house, version.digest)
        try:
            found = executor.predict(columns_from(rows, version.manifest.signature))
            return (
                version.manifest,
                found[version.manifest.answer.prediction],
                isinstance(executor, IsolatedModel),
            )
        finally:
            executor.close()
    finally:
        house.close()


def same(ours: np.ndarray, theirs: list[object]) -> None:
    """Every row alike: words and classes exactly, numbers to the last places."""
    assert len(set(theirs)) > 1
    if isinstance(theirs[0], float):
        np.testing.assert_allclose(ours.astype(float), theirs, rtol=1e-6)
    else:
        assert ours.tolist() == theirs


@pytest.mark.parametrize("name", ADDRESSES)
def test_a_version_answers_as_mlflow_does(
    side: MlflowSide, server: str, logged: Logged, answers: Answers, name: str
) -> None:
    """Submitted by its address on the server, the version answers 2,000 rows as mlflow.pyfunc.load_model does."""
    address = ADDRESSES[name].format(**logged[name])
    done = side.run("lockgate", "submit", address, "--name", name, "--json", MLFLOW_TRACKING_URI=server)
    assert done.returncode == 0, done.stderr
    manifest, found, isolated = sealed(side, name)
    same(found, answers[name])
    assert manifest.framework is FRAMEWORKS.get(name, Framework.SKLEARN)
    assert (manifest.parameters["kind"], manifest.parameters["rows"]) == (name, "2000")
    assert 0.5 < manifest.metrics["accuracy"] <= 1
    assert isolated is (name not in {*COMPILED, "onnx"})
    assert (manifest.compiled.parity is not None) is (name in COMPILED), manifest.compiled.reason
    assert any(line.startswith("mlflow==") for line in manifest.requirements) is (
        manifest.framework is Framework.MLFLOW
    )


def test_a_local_store_is_read_where_it_lies(side: MlflowSide) -> None:
    """An SQLite store: by alias, by run and by the folder itself, the model's files and answers are the same."""
    store = f"sqlite:///{side.folder}/local.db"
    said: Logged = side.told("log", store, "rows.csv", "bare")  # type: ignore[assignment]
    model_id = said["bare"]["uri"].removeprefix("models:/")
    folder = next((side.folder / "mlruns").glob(f"*/models/{model_id}/artifacts"))
    theirs = side.told("ask", store, "rows.csv", "models:/bare@champion")["models:/bare@champion"]
    files = []
    for number, address in enumerate(("models:/bare@champion", f"runs:/{said['bare']['run']}/model", folder)):
        done = side.run("lockgate", "submit", address, "--name", f"local{number}", MLFLOW_TRACKING_URI=store)
        assert done.returncode == 0, done.stderr
        manifest, found, _ = sealed(side, f"local{number}")
        same(found, theirs)  # type: ignore[arg-type]
        assert manifest.parameters.get("kind") == (None if address is folder else "bare")
        files.append(json.dumps(str(next(file for file in manifest.files if "model.skops" in str(file)))))
    assert len(set(files)) == 1


def test_a_pickled_python_model_needs_an_admins_word(side: MlflowSide) -> None:
    """MLflow writes a name of its own into each: refused with the name, and once an admin allows it, as mlflow answers."""
    store = f"sqlite:///{side.folder}/objects.db"
    side.told("log", store, "rows.csv", "object")
    address = "models:/object@champion"
    submit = ("lockgate", "submit", address, "--name", "object")
    refused = side.run(*submit, MLFLOW_TRACKING_URI=store)
    assert refused.returncode != 0
    assert HINTS in refused.stderr
    words = ("model", "allow-name", HINTS, "--model", "object", "--reason", "two attributes, no hooks")
    allowed = side.run("lockgate", *words)
    assert allowed.returncode == 0, allowed.stderr
    done = side.run(*submit, MLFLOW_TRACKING_URI=store)
    assert done.returncode == 0, done.stderr
    manifest, found, isolated = sealed(side, "object")
    same(found, side.told("ask", store, "rows.csv", address)[address])  # type: ignore[arg-type]
    assert (manifest.framework, manifest.trusted, isolated) == (Framework.MLFLOW, (HINTS,), True)


def test_what_mlflow_does_not_have_is_named(
    side: MlflowSide, server: str, logged: Logged, tmp_path: Path
) -> None:
    """A model that is not there, a run that is not there, a server that is away: each says so, nothing is entered."""
    for address, where, words in (
        ("models:/nobody@champion", server, "MLflow does not give out models:/nobody@champion"),
        ("models:/skops/99", server, "MLflow does not give out models:/skops/99"),
        ("runs:/0123456789abcdef/model", server, "MLflow does not give out"),
        ("models:/skops/1", "http://127.0.0.1:9", "MLflow does not give out models:/skops/1"),
    ):
        home = {"LOCKGATE_HOME": str(tmp_path / "home"), "MLFLOW_TRACKING_URI": where}
        done = side.run("lockgate", "submit", address, "--name", "none", **home)
        assert done.returncode not in (0, 1), done.stdout
        assert words in done.stderr
        assert "Traceback" not in done.stderr
        assert "MLFLOW_TRACKING_URI" in done.stderr
    listed = side.run("lockgate", "model", "list", "--json", LOCKGATE_HOME=str(tmp_path / "home"))
    assert json.loads(listed.stdout) == []
