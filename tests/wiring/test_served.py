"""A version behind a gateway of its own: real worker, real HTTP, the same answers as in this process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.checks.asking import Broker
from lockgate.checks.evidence import Asked, Evidence, Split
from lockgate.checks.finding import Finding, Status
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


def asked_elsewhere(house: House, version: Version, wanted: str) -> Finding:
    """What parity finds of the version in another Python."""
    settings, frames = ModelConfig(target="y"), {Split.TEST: people()}
    with Models(house, settings, version, None) as models:
        models.prepare_python(wanted, lambda _: None)
        evidence = Evidence(
            task=Task.CLASSIFICATION, inputs=("age", "town", "visits"), frames=frames, target="y", classes=("0", "1"),
            positive="1", ask=models.broker(settings, frames).ask, settings={"parity": {"python": wanted}},
        )  # fmt: skip
        return next(finding for finding in run(evidence) if finding.subject == f"Python {wanted}")


def test_another_python_that_cannot_be_had_is_said(house, tmp_path):
    """A version without pins has no environment elsewhere: that part could not run, with what to do, and the rest is asked."""
    version = version_of(house, tmp_path / "package")
    unpinned = replace(version, manifest=msgspec.structs.replace(version.manifest, requirements=()))
    finding = asked_elsewhere(house, unpinned, "3.12")
    assert finding.status is Status.COULD_NOT_RUN
    assert "no requirements" in finding.headline
    assert "config.yaml" in finding.advice


@pytest.mark.frameworks
def test_another_python_answers_the_same(house, tmp_path):
    """The sealed pins installed for Python 3.12 answer as they do here."""
    finding = asked_elsewhere(house, version_of(house, tmp_path / "package"), "3.12")
    assert finding.status is Status.PASS, finding.headline
