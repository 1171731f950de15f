"""A sealed package is opened compiled or isolated, and never when a byte differs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import skl2onnx
from skl2onnx.common.data_types import FloatTensorType
from sklearn.linear_model import LogisticRegression

from lockgate.config import EnvironmentConfig, Home
from lockgate.errors import InvalidInput, PredictionFailed, SealBroken, Unavailable
from lockgate.inference.executor import Executor, ExecutorKind
from lockgate.inference.open import open_model, open_original
from lockgate.inference.workshop import Draft, open_draft
from lockgate.registry.manifest import Compiled, Framework, Parity
from lockgate.registry.signature import DataType, Field

Seal = Callable[..., tuple[Path, str]]
NAMES = ["a", "b", "c"]
FIELDS = tuple(Field(name=name, datatype=DataType.FP64) for name in NAMES)
CHANCE = np.random.default_rng(0)
X = CHANCE.normal(size=(200, 3))
FITTED = LogisticRegression().fit(X, X[:, 0] > 0.1 * X[:, 1])
FITTED.classes_ = np.array([0, 1])
PROVEN = Compiled(
    path="compiled/model.onnx", parity=Parity(rows=1, largest_difference=0.0, flips=0, tolerance=1e-5)
)


def graph() -> bytes:
    """The model's ONNX form."""
    made = skl2onnx.convert_sklearn(FITTED, initial_types=[("x", FloatTensorType([None, 3]))],
                                    options={id(FITTED): {"zipmap": False}}, target_opset=15)  # fmt: skip
    for output, name in zip(made.graph.output, ("prediction", "probability"), strict=True):
        for node in made.graph.node:
            node.output[:] = [name if old == output.name else old for old in node.output]
        output.name = name
    return bytes(made.SerializeToString())


def opened(sealed: tuple[Path, str], home: Home) -> Executor:
    """The package's executor."""
    return open_model(*sealed, home=home, environment=EnvironmentConfig(), python=Path(sys.executable))


def test_proven_graph_is_served_compiled(seal_estimator: Seal, home: Home) -> None:
    """With proven parity no process is started; both forms answer alike, from columns of the signature."""
    sealed = seal_estimator(FITTED, FIELDS, graph(), PROVEN)
    columns = {name: X[:, place] for place, name in enumerate(NAMES)}
    compiled = opened(sealed, home)
    original = open_original(*sealed, home=home, environment=EnvironmentConfig(), python=Path(sys.executable))
    try:
        assert compiled.kind is ExecutorKind.COMPILED
        assert compiled.status().pid is None
        left, right = compiled.predict(columns), original.predict(columns)
        assert left["prediction"].dtype == right["prediction"].dtype == np.int64
        assert left["probability"].dtype == np.float64
        np.testing.assert_allclose(left["probability"], right["probability"], atol=1e-6)
        np.testing.assert_allclose(right["probability"], FITTED.predict_proba(X), rtol=1e-12)
        with pytest.raises(InvalidInput, match="'b' is missing"):
            compiled.predict({"a": columns["a"], "c": columns["c"]})
    finally:
        original.close()
        compiled.close()


def test_onnx_file_is_described(tmp_path: Path) -> None:
    """An ONNX file tells its inputs and outputs; one whose probabilities are a list of maps is refused with the fix."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "model.onnx").write_bytes(graph())
    draft = Draft(tmp_path, Framework.ONNX, "model/model.onnx")
    with open_draft(draft, python=Path(sys.executable)) as bench:
        said = bench.describe({"x": X[:2].astype(np.float32)})
        assert [(one.name, one.datatype, one.shape) for one in said.inputs] == [("x", DataType.FP32, (3,))]
        assert [one.name for one in said.outputs] == ["prediction", "probability"]
    maps = skl2onnx.convert_sklearn(
        FITTED, initial_types=[("x", FloatTensorType([None, 3]))], target_opset=15
    )
    (tmp_path / "model" / "model.onnx").write_bytes(maps.SerializeToString())
    with (
        pytest.raises(PredictionFailed, match="zipmap=False"),
        open_draft(draft, python=Path(sys.executable)),
    ):
        pass


def test_unproven_graph_is_not_served(seal_estimator: Seal, home: Home) -> None:
    """A graph without proof is left alone: the original runs isolated."""
    model = opened(seal_estimator(FITTED, FIELDS, graph(), Compiled(path="compiled/model.onnx")), home)
    try:
        assert model.kind is ExecutorKind.ISOLATED
    finally:
        model.close()


def test_one_changed_byte_is_refused(seal_estimator: Seal, home: Home) -> None:
    """A flipped byte in any file is refused by name before anything is loaded."""
    folder, digest = seal_estimator(FITTED, FIELDS, graph(), PROVEN)
    for name in ("model/model.pkl", "compiled/model.onnx", "package.json"):
        copy = folder.with_name("copy")
        shutil.copytree(folder, copy)
        body = bytearray((copy / name).read_bytes())
        body[len(body) // 2] ^= 1
        (copy / name).write_bytes(body)
        with pytest.raises(SealBroken, match=name):
            opened((copy, digest), home)
        shutil.rmtree(copy)


def test_files_that_do_not_load(seal_estimator: Seal, home: Home) -> None:
    """A broken graph and a model without predict() are clear errors, not crashes."""
    with pytest.raises(Unavailable, match="ONNX graph cannot be loaded"):
        opened(seal_estimator(FITTED, FIELDS, b"not a graph", PROVEN), home)
    with pytest.raises(PredictionFailed, match="has no predict"):
        opened(seal_estimator({"weights": [1, 2]}, FIELDS), home)


def test_graph_that_does_not_fit(seal_estimator: Seal, home: Home) -> None:
    """A graph of another width is refused when it is opened, not with the first request."""
    more = (*FIELDS, Field(name="d", datatype=DataType.FP64))
    with pytest.raises(Unavailable, match="4 columns; allowed: 3 columns"):
        opened(seal_estimator(FITTED, more, graph(), PROVEN), home)
