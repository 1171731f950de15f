"""The sealed package's manifest, `package.json`: the one description of a version that everything refers to.

The package digest is `sha256:` + SHA-256 of the manifest's canonical bytes (keys sorted, no white space); the manifest
holds the SHA-256 of every other file, so any changed byte breaks the seal.
"""

from __future__ import annotations

from enum import StrEnum
from hashlib import sha256

import msgspec

from lockgate.registry.signature import Signature

MANIFEST_NAME = "package.json"
FORMAT = 1


class Task(StrEnum):
    """What the model's answers are."""

    CLASSIFICATION = "classification"
    REGRESSION = "regression"
    OTHER = "other"


class Framework(StrEnum):
    """Who can load the model's own file."""

    SKLEARN = "sklearn"
    XGBOOST = "xgboost"
    LIGHTGBM = "lightgbm"
    CATBOOST = "catboost"
    TORCH = "torch"
    KERAS = "keras"
    TRANSFORMERS = "transformers"
    ONNX = "onnx"
    PYTHON = "python"  # a callable with its module
    MLFLOW = "mlflow"  # an MLmodel folder whose flavor lockgate does not read itself
    COMMAND = "command"  # a program in any language, with its lockgate-runner.yaml


class SealedFile(msgspec.Struct, frozen=True):
    """One file of the package."""

    sha256: str
    bytes: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Which outputs mean what. Classes are in the order of the probability columns."""

    prediction: str
    probability: str | None = None
    classes: tuple[str | int | float | bool, ...] | None = None
    positive: str | int | float | bool | None = None  # the class whose probability is "the score", if binary


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """Proof that the compiled model answers as the original: over `rows`, the largest difference, rows that flip."""

    rows: int
    largest_difference: float
    flips: int
    tolerance: float
    covered: tuple[str, ...] = ()  # "missing: income", "unknown category: plan", ...


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """The compiled form, if parity was proven; else `reason` says why not."""

    path: str | None = None  # "compiled/model.onnx"
    parity: Parity | None = None
    reason: str | None = None


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that is sealed."""

    format: int = FORMAT
    framework: Framework
    framework_version: str | None = None
    task: Task
    signature: Signature
    answer: Answer
    model_path: str  # "model/model.pkl", "model/model.onnx", "model" for a folder
    entry: str | None = None  # "module:function" for a Python callable
    compiled: Compiled
    python: str  # "3.11" : the version that made the model
    requirements: tuple[str, ...] = ()  # exact pins; the file requirements.txt holds the same
    trusted: tuple[str, ...] = ()  # global names that an admin allowed beyond the built-in list
    data: dict[str, str] = {}  # "train" | "validation" | "test" -> "sha256:..." of the data set
    code_commit: str | None = None
    parameters: dict[str, str] = {}
    metrics: dict[str, float] = {}
    files: dict[str, SealedFile] = {}


def canonical(manifest: Manifest) -> bytes:
    """The bytes that are hashed: JSON with sorted keys and no white space."""
    return msgspec.json.encode(manifest, order="deterministic")


def digest_of(manifest: Manifest) -> str:
    """`sha256:...` of the manifest, the name of the sealed package."""
    return "sha256:" + sha256(canonical(manifest)).hexdigest()
