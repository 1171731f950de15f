"""Homes of lockgate for the bench: sealed packages, a plan with a canary at ten per cent, a key."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
from benchmarks.gateway.work import FEATURES, Model

from lockgate.access import Access, AccessShelf, Caller, key_hash
from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.registry.example import Example, encode_example
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import blob_name, seal
from lockgate.registry.signature import NUMPY_TYPES, DataType, Field, Signature
from lockgate.traffic import Arm, PlanShelf, Role, Route

KEY, MODEL = "benchmark", "bench"
CANARY_SHARE = 0.1
NAMES = [f"f{number}" for number in range(FEATURES)]
# what the graph calls its outputs, and what a runner calls those of a scikit-learn model
GRAPH_OUTPUTS = (
    Field(name="label", datatype=DataType.INT64),
    Field(name="probabilities", datatype=DataType.FP32, shape=(2,)),
)
PYTHON_OUTPUTS = (
    Field(name="prediction", datatype=DataType.INT64),
    Field(name="probability", datatype=DataType.FP64, shape=(2,)),
)


def home_with(
    folder: Path, live: Model, canary: Model, *, compiled: bool = True, python: Path | None = None
) -> Home:
    """A home whose plan serves one model and tries another on a tenth of the requests.

    Not `compiled`: both run as Python models in confined runners, under the interpreter `python`.
    """
    home = Home(folder).prepare()
    named = None if python is None else str(python)
    arms = (
        Arm(version=1, digest=_sealed(home, live, compiled=compiled), role=Role.LIVE, python=named),
        Arm(
            version=2,
            digest=_sealed(home, canary, compiled=compiled),
            role=Role.CANARY,
            weight=CANARY_SHARE,
            python=named,
        ),
    )
    PlanShelf(home.plan).publish_route(Route(model=MODEL, arms=arms, release=1, stage=1, salt="bench"))
    AccessShelf(home.access).publish(Access(callers={key_hash(KEY): Caller("bench", ("*",))}))
    return home


def canary_digest(home: Home) -> str:
    """The package that the plan tries."""
    arm = PlanShelf(home.plan).latest().routes[MODEL].arm(Role.CANARY)
    assert arm is not None
    return arm.digest


def _sealed(home: Home, model: Model, *, compiled: bool) -> str:
    staging = home.root / f"staging-{model.path.stem}"
    path = "compiled/model.onnx" if compiled else "model/model.joblib"
    (staging / path).parent.mkdir(parents=True)
    shutil.copyfile(model.graph if compiled else model.path, staging / path)
    rows, estimator = model.rows, model.estimator
    label, chance = outputs = GRAPH_OUTPUTS if compiled else PYTHON_OUTPUTS
    golden = {
        label.name: estimator.predict(rows).astype(np.int64),
        chance.name: estimator.predict_proba(rows).astype(NUMPY_TYPES[chance.datatype]),
    }
    inputs = {name: rows[:, place].copy() for place, name in enumerate(NAMES)}
    (staging / "example.json").write_bytes(encode_example(Example(inputs, golden)))
    signature = Signature(
        inputs=tuple(Field(name=name, datatype=DataType.FP32) for name in NAMES), outputs=outputs
    )
    manifest = Manifest(
        framework=Framework.ONNX if compiled else Framework.SKLEARN,
        task=Task.CLASSIFICATION,
        signature=signature,
        answer=Answer(prediction=label.name, probability=chance.name, classes=(0, 1), positive=1),
        model_path=path,
        compiled=Compiled(),
        python="3.11",
    )
    digest, _ = seal(staging, manifest)
    Blobs(str(home.blobs)).put_tree(blob_name(digest), staging)
    return digest
