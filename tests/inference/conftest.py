"""Real models in real sealed packages for the tests of inference and of the runner."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pytest

from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import seal
from lockgate.registry.signature import DataType, Field, Signature

Sealed = tuple[Path, str]


def numbers(names: list[str], *, nullable: bool = False) -> tuple[Field, ...]:
    """Fields of numbers."""
    return tuple(Field(name=name, datatype=DataType.FP64, nullable=nullable) for name in names)


@pytest.fixture
def seal_code(tmp_path: Path) -> Callable[..., Sealed]:
    """Seal a Python callable: source of `model.py`, entry, inputs."""

    def make(
        source: str, inputs: tuple[Field, ...] = numbers(["x"]), output: DataType = DataType.FP64
    ) -> Sealed:
        folder = tmp_path / "callable"
        (folder / "code").mkdir(parents=True)
        (folder / "code" / "model.py").write_text(textwrap.dedent(source))
        manifest = Manifest(
            framework=Framework.PYTHON, task=Task.OTHER, model_path="code", entry="model:predict",
            signature=Signature(inputs=inputs, outputs=(Field(name="prediction", datatype=output),)),
            answer=Answer(prediction="prediction"), compiled=Compiled(reason="code"), python="3.11",
            requirements=(f"numpy=={np.__version__}",),
        )  # fmt: skip
        return folder, seal(folder, manifest)[0]

    return make


@pytest.fixture
def seal_estimator(tmp_path: Path) -> Callable[..., Sealed]:
    """Seal a fitted binary classifier; with `graph` as its compiled form."""

    def make(
        fitted: Any, inputs: tuple[Field, ...], graph: bytes | None = None, compiled: Compiled | None = None
    ) -> Sealed:
        folder = tmp_path / f"estimator{len(list(tmp_path.iterdir()))}"
        (folder / "model").mkdir(parents=True)
        joblib.dump(fitted, folder / "model" / "model.pkl")
        if graph is not None:
            (folder / "compiled").mkdir()
            (folder / "compiled" / "model.onnx").write_bytes(graph)
        outputs = (
            Field(name="prediction", datatype=DataType.INT64),
            Field(name="probability", datatype=DataType.FP64, shape=(2,)),
        )
        manifest = Manifest(
            framework=Framework.SKLEARN, task=Task.CLASSIFICATION, model_path="model/model.pkl",
            signature=Signature(inputs=inputs, outputs=outputs),
            answer=Answer(prediction="prediction", probability="probability", classes=(0, 1), positive=1),
            compiled=compiled or Compiled(reason="not tried"), python="3.11", requirements=(f"numpy=={np.__version__}",),
        )  # fmt: skip
        return folder, seal(folder, manifest)[0]

    return make
