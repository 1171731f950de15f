"""A version behind a gateway of its own: real worker, real HTTP, the same answers as in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.checks.asking import Broker
from lockgate.checks.evidence import Asked, Evidence, Split
from lockgate.checks.finding import Status
from lockgate.checks.parity.check import run
from lockgate.config import Home, ModelConfig
from lockgate.errors import Unavailable
from lockgate.registry.manifest import Answer, Compiled, Framework, Manifest, Task
from lockgate.registry.package import blob_name, seal
from lockgate.registry.signature import DataType, Field, Signature
from lockgate.registry.store import Version
from lockgate.wiring.asking_http import HttpModel
from lockgate.wiring.checking import SERVED, Models
from lockgate.wiring.house import House, open_house
from lockgate.wiring.served import ServedVersion

CODE = """
import numpy as np

def predict(columns):
    age = np.where(np.isnan(columns["age"]), 40.0, columns["age"])
    town = np.array([0.2 if name is None else 0.1 * len(name) for name in columns["town"]])
    probability = 1 / (1 + np.exp(-(age - 40) / 10 - town))
    return {"prediction": (probability > 0.6).astype("int64"), "probability": probability}
"""
SIGNATURE = Signature(
    inputs=(
        Field(name="age", datatype=DataType.FP64, nullable=True),
        Field(name="town", datatype=DataType.BYTES, nullable=True),
        Field(name="visits", datatype=DataType.INT64),
    ),
    outputs=(
        Field(name="prediction", datatype=DataType.INT64),
        Field(name="probability", datatype=DataType.FP64),
    ),
)


@pytest.fixture
def house(home: Home) -> Iterator[House]:
    """An open house."""
    opened = open_house(home)
    yield opened
    opened.close()


def version_of(house: House, folder: Path, data: dict[str, str] | None = None) -> Version:
    """A sealed Python function that takes missing numbers and text, in the store. `data`: digests of its tables."""
    (folder / "code").mkdir(parents=True)
    (folder / "code/own.py").write_text(CODE)
    manifest = Manifest(
        framework=Framework.PYTHON, task=Task.CLASSIFICATION, signature=SIGNATURE,
        answer=Answer(prediction="prediction", probability="probability", classes=(0, 1), positive=1),
        model_path="code/own.py", entry="own:predict", compiled=Compiled(reason="a Python function"),
        python=f"{sys.version_info.major}.{sys.version_info.minor}", requirements=(f"numpy=={np.__version__}",),
        data=data or {},
    )  # fmt: skip
    digest, sealed = seal(folder, manifest)
    house.blobs.put_tree(blob_name(digest), folder)
    return Version("people", 1, digest, "ada", 0, sealed, "", {})


def people() -> pl.DataFrame:
    """Rows with missing numbers, missing and foreign text, and the ends of what numbers can be."""
    draw = np.random.default_rng(0)
    age = draw.uniform(18, 90, 60).tolist()
    town = draw.choice(["Bonn", "Łódź", "", "New York", "日本"], 60).tolist()
    age[3], town[5], age[7], age[8] = None, None, 1e-300, 90.00000000000001
    visits = [0, 2**53 + 1, -(2**62), *range(57)]
    return pl.DataFrame(
        {"age": age, "town": town, "visits": visits, "y": (draw.random(60) < 0.5).astype(int)}
    )


def test_the_gateway_answers_as_the_model_does(house, tmp_path):
    """Missing values, text and extremes go through JSON and binary and come back the same; nothing is left behind."""
    version, settings = version_of(house, tmp_path / "package"), ModelConfig(target="y")
    frames = {Split.TEST: people()}
    with Models(house, settings, version, None) as models:
        broker: Broker = models.broker(settings, frames)
        evidence = Evidence(
            task=Task.CLASSIFICATION, inputs=("age", "town", "visits"), frames=frames, target="y", classes=("0", "1"),
            positive="1", beyond=SERVED, ask=broker.ask,
        )  # fmt: skip
        findings = {finding.subject: finding for finding in run(evidence)}
        served = broker.ask(people(), Asked.SERVED_JSON, 4_096)
    assert {name: finding.status for name, finding in findings.items()} == dict.fromkeys(
        ("one row at a time", "gateway, JSON", "gateway, binary"), Status.PASS
    )
    assert served.scores is not None
    assert served.scores[3] == pytest.approx(1 / (1 + np.exp(-0.1 * len(people()["town"][3]))))
    assert list(house.home.run.glob("served-*")) == []


def test_a_worker_that_cannot_serve_says_why(house, tmp_path):
    """A package that is not in the store is said before any worker starts; a model that nobody serves is unavailable."""
    version = version_of(house, tmp_path / "package")
    lost = Version("people", 1, "sha256:" + "0" * 64, "ada", 0, version.manifest, "", {})
    with pytest.raises(Unavailable, match="cannot be found"), ServedVersion(house, lost):
        pass
    with pytest.raises(Unavailable, match="does not answer"):
        HttpModel("http://127.0.0.1:9", "people", version.manifest, version.digest).predict(
            {"age": np.ones(1)}
        )
