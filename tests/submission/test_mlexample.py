"""Models that MLflow saved as skops, with their input example: real rows when nobody submits others."""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import skops.io
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression
from tests.submission.conftest import Desk

from lockgate.config import EnvironmentConfig
from lockgate.datasets.columns import columns_from
from lockgate.errors import InvalidInput, Unsafe
from lockgate.inference.isolated import IsolatedModel
from lockgate.inference.open import open_original
from lockgate.registry.manifest import Framework
from lockgate.registry.package import blob_name
from lockgate.submission.mlexample import example_of
from lockgate.submission.parts import Part, Parts

NUMBERS = ["car_value", "loan_length", "driver_tenure"]
FLAVORS = {
    "sklearn": "  sklearn:\n    code: null\n    pickled_model: model.skops\n    serialization_format: skops\n",
    "lightgbm": "  lightgbm:\n    data: model.skops\n    model_class: lightgbm.sklearn.LGBMClassifier\n"
    "    serialization_format: skops\n",
}


def folder_of(path: Path, flavor: str, model: object, example: pl.DataFrame) -> Path:
    """A model folder as MLflow 3.17 writes it."""
    path.mkdir()
    skops.io.dump(model, path / "model.skops")
    columns = json.dumps([{"type": "double", "name": name, "required": True} for name in example.columns])
    (path / "MLmodel").write_text(
        f"flavors:\n{FLAVORS[flavor]}mlflow_version: 3.17.2\nsaved_input_example_info:\n"
        "  artifact_path: input_example.json\n  pandas_orient: split\n  type: dataframe\n"
        f"signature:\n  inputs: '{columns}'\n  params: null\n"
    )
    rows = {"columns": example.columns, "data": [list(row) for row in example.rows()]}
    (path / "input_example.json").write_text(json.dumps(rows))
    pins = [f"{name}=={metadata.version(name)}" for name in ("numpy", "scikit-learn", "skops", "lightgbm")]
    (path / "requirements.txt").write_text("\n".join(["mlflow==3.17.2", *pins]))
    return path


@pytest.mark.parametrize(
    ("flavor", "made", "framework"),
    [
        ("sklearn", LogisticRegression(), Framework.SKLEARN),
        ("lightgbm", LGBMClassifier(n_estimators=5, verbose=-1, n_jobs=1), Framework.LIGHTGBM),
    ],
)
def test_the_example_proves_the_compiled_form(
    desk: Desk, car_loan: pl.DataFrame, tmp_path: Path, flavor: str, made: object, framework: Framework
) -> None:
    """Without data the example's rows type, prove and become golden answers; the skops file answers in the runner."""
    inputs = car_loan.select(NUMBERS).cast(pl.Float64)
    model = made.fit(inputs.to_pandas(), car_loan["repaid"].to_numpy())  # type: ignore[attr-defined]
    done = desk.submit(Parts(Part.of(folder_of(tmp_path / "model", flavor, model, inputs.head(20)))))
    manifest = done.version.manifest
    assert (manifest.framework, manifest.model_path) == (framework, "model/model.skops")
    assert manifest.compiled.parity is not None, manifest.compiled.reason
    assert (manifest.compiled.parity.flips, manifest.data) == (0, {})
    folder = desk.rooms.blobs.fetch_tree(blob_name(done.version.digest), desk.rooms.home.cache)
    executor = open_original(
        folder, done.version.digest, home=desk.rooms.home, environment=EnvironmentConfig()
    )
    try:
        assert isinstance(executor, IsolatedModel)
        answers = executor.predict(columns_from(inputs, manifest.signature))
    finally:
        executor.close()
    np.testing.assert_array_equal(answers["prediction"], model.predict(inputs.to_pandas()))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [(3, "holds 3 rows; 10 are the fewest"), (0, "no data were submitted")],
)
def test_a_sketch_of_an_example_proves_nothing(
    desk: Desk, car_loan: pl.DataFrame, tmp_path: Path, rows: int, reason: str
) -> None:
    """A row or two show what goes in, not that two forms agree: it stays a Python model and says why."""
    inputs = car_loan.select(NUMBERS).cast(pl.Float64)
    model = LogisticRegression().fit(inputs.to_pandas(), car_loan["repaid"].to_numpy())
    folder = folder_of(tmp_path / "model", "sklearn", model, inputs.head(rows))
    compiled = desk.submit(Parts(Part.of(folder))).version.manifest.compiled
    assert compiled.parity is None
    assert reason in str(compiled.reason)


def test_an_example_that_does_not_fit_is_named(desk: Desk, car_loan: pl.DataFrame, tmp_path: Path) -> None:
    """An example with other columns than the signature is passed over, and the reason is on record."""
    inputs = car_loan.select(NUMBERS).cast(pl.Float64)
    model = LogisticRegression().fit(inputs.to_pandas(), car_loan["repaid"].to_numpy())
    folder = folder_of(tmp_path / "model", "sklearn", model, inputs.head(20))
    (folder / "input_example.json").write_text('{"columns": ["other"], "data": [[1.0]]}')
    compiled = desk.submit(Parts(Part.of(folder))).version.manifest.compiled
    assert "lacks columns" in str(compiled.reason)


def test_kinds_of_examples(tmp_path: Path) -> None:
    """Frames and matrices become tables; other kinds are none; damaged files and paths that lead out are refused."""
    path = tmp_path / "input_example.json"

    def read(text: str) -> pl.DataFrame | None:
        path.write_text(text)
        return example_of(tmp_path, path.name)

    frame = read('{"columns": ["a", "b"], "data": [[1, null], [NaN, "x"]]}')
    assert frame is not None
    assert (frame.columns, frame.height, frame["b"].to_list()) == (["a", "b"], 2, [None, "x"])
    matrix = read('{"inputs": [[1.0, 2.0], [3.0, 4.0]]}')
    assert matrix is not None
    assert matrix.columns == ["0", "1"]
    for other in ('{"inputs": {"a": [1]}}', '{"inputs": [[[1.0]]]}', "[1]", '{"data": []}',
                  '{"columns": ["a"], "data": [[1, 2]]}', '{"columns": ["a", "a"], "data": [[1, 2]]}'):  # fmt: skip
        assert read(other) is None, other
    assert example_of(tmp_path, None) is None
    assert example_of(tmp_path, "gone.json") is None
    with pytest.raises(InvalidInput, match="not JSON"):
        read("{")
    with pytest.raises(Unsafe):
        example_of(tmp_path, "../secrets.json")
