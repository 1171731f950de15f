"""The servers that are measured: one model, trained here, served by lockgate and by a peer written by hand."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from lockgate.access import Access, AccessShelf, Caller, key_hash
from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.gateway.port import free_port
from lockgate.registry.example import Example, encode_example
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import blob_name, seal
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.traffic import Arm, PlanShelf, Role, Route

KEY = "benchmark"
FEATURES = 30
START_S = 60.0
SERVER_CORE = 0


@dataclass(frozen=True)
class Subject:
    """One running server and the request that it is asked."""

    name: str
    url: str
    body: str
    headers: dict[str, str]
    start_s: float
    pid: int

    def cpu_s(self) -> float:
        """Processor time that the server has used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def train(folder: Path) -> object:
    """A scaler and a logistic regression over thirty numbers; also saved as `model.joblib`."""
    source = np.random.default_rng(0)
    rows = source.normal(size=(5_000, FEATURES)).astype(np.float32)
    labels = (rows @ source.normal(size=FEATURES) + source.normal(size=len(rows)) > 0).astype(int)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
    joblib.dump(model, folder / "model.joblib")
    return model


def sealed_home(folder: Path, model: object) -> Home:
    """A home whose plan serves the model, compiled, as `bench/1`."""
    home = Home(folder).prepare()
    staging = folder / "staging"
    (staging / "compiled").mkdir(parents=True)
    rows = np.random.default_rng(1).normal(size=(8, FEATURES)).astype(np.float32)
    graph = to_onnx(model, rows, options={"zipmap": False}, target_opset={"": 21, "ai.onnx.ml": 3})
    (staging / "compiled/model.onnx").write_bytes(graph.SerializeToString())
    names = [f"f{number}" for number in range(FEATURES)]
    golden = {"label": model.predict(rows).astype(np.int64), "probabilities": model.predict_proba(rows)}
    golden["probabilities"] = golden["probabilities"].astype(np.float32)
    example = Example({name: rows[:, place].copy() for place, name in enumerate(names)}, golden)
    (staging / "example.json").write_bytes(encode_example(example))
    outputs = (
        Field(name="label", datatype=DataType.INT64),
        Field(name="probabilities", datatype=DataType.FP32, shape=(2,)),
    )
    signature = Signature(
        inputs=tuple(Field(name=name, datatype=DataType.FP32) for name in names), outputs=outputs
    )
    manifest = Manifest(
        framework=Framework.ONNX, task=Task.CLASSIFICATION, signature=signature,
        answer=Answer(prediction="label", probability="probabilities", classes=(0, 1), positive=1),
        model_path="compiled/model.onnx", compiled=Compiled(), python="3.11", requirements=())  # fmt: skip
    digest, _ = seal(staging, manifest)
    Blobs(str(home.blobs)).put_tree(blob_name(digest), staging)
    PlanShelf(home.plan).publish_route(
        Route(model="bench", arms=(Arm(version=1, digest=digest, role=Role.LIVE),))
    )
    AccessShelf(home.access).publish(Access(callers={key_hash(KEY): Caller("bench", ("*",))}))
    return home


@contextmanager
def running(name: str, argv: list[str], path: str, port: int, body: object) -> Iterator[Subject]:
    """A server pinned to one core, from start to its first answer, until the block ends."""
    begun = time.monotonic()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, *argv], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        preexec_fn=lambda: os.sched_setaffinity(0, {SERVER_CORE}))  # fmt: skip  # noqa: PLW1509
    try:
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() - begun > START_S:
                raise RuntimeError(f"{name} did not start")
            time.sleep(0.01)
        headers = {"content-type": "application/json", "authorization": f"Bearer {KEY}"}
        started_s = time.monotonic() - begun
        yield Subject(
            name, f"http://127.0.0.1:{port}{path}", json.dumps(body), headers, started_s, process.pid
        )
    finally:
        process.terminate()
        process.wait(30)


def gateway(name: str, folder: Path, model: object, module: str) -> Iterator[Subject]:
    """A gateway worker over a home of its own."""
    home, port = sealed_home(folder / name, model), free_port()
    row = np.random.default_rng(2).normal(size=FEATURES).round(4).tolist()
    body = {"inputs": [{"name": "predict", "shape": [1, FEATURES], "datatype": "FP32", "data": row}]}
    argv = ["-m", module, "--home", str(home.root), "--port", str(port)]
    return running(name, argv, "/v2/models/bench/infer", port, body)  # type: ignore[return-value]


def peer(folder: Path) -> Iterator[Subject]:
    """The hand-written peer."""
    port = free_port()
    row = np.random.default_rng(2).normal(size=FEATURES).round(4).tolist()
    module = importlib.util.find_spec("benchmarks.gateway.peer")
    assert module is not None
    assert module.origin is not None
    argv = [module.origin, str(folder / "model.joblib"), str(port)]
    return running("FastAPI by hand", argv, "/predict", port, {"data": row})  # type: ignore[return-value]
