"""Fetches a model by MLflow's addresses: `runs:/RUN/path`, `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/m-ID`.

From a server (http) or a local store (a folder of runs, or SQLite) through the optional library mlflow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput, MissingExtra, NotFound, Unavailable
from lockgate.registry.mlmodel import MLMODEL_NAME, read_mlmodel

_URI = re.compile(r"runs:/[^/]+/.+|models:/[^/@]+(?:/[^/@]+|@[^/@]+)?")
GIT_TAG = "mlflow.source.git.commit"


@dataclass(frozen=True)
class Fetched:
    """A model's folder on this machine, and what its run knows: parameters, metrics, commit."""

    folder: Path
    parameters: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    commit: str | None = None


def is_uri(text: str) -> bool:
    """Whether this is one of MLflow's addresses and not a path.

    >>> is_uri("models:/churn@champion"), is_uri("runs:/0a1b/model"), is_uri("model.pkl")
    (True, True, False)
    """
    return bool(_URI.fullmatch(text))


def fetch(uri: str, into: Path, tracking_uri: str | None = None) -> Fetched:
    """Download the model's folder below `into`. `tracking_uri`: a server or a store; None: MLflow's own setting.

    Raises MissingExtra without mlflow, InvalidInput for another form, NotFound, Unavailable with MLflow's words.
    """
    if not is_uri(uri):
        raise InvalidInput(
            "not an address of MLflow",
            got=uri,
            allowed="runs:/RUN/PATH, models:/NAME/VERSION, models:/NAME@ALIAS",
        )
    mlflow = _mlflow()
    try:
        if tracking_uri:
            mlflow.set_tracking_uri(tracking_uri)
        folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(into)))
    except mlflow.exceptions.MlflowException as error:
        missing = "NOT_EXIST" in str(getattr(error, "error_code", "")) or "not found" in str(error).lower()
        kind = NotFound if missing else Unavailable
        raise kind(f"MLflow does not give out {uri}", got=str(error).splitlines()[0][:300]) from error
    except (OSError, ValueError) as error:
        raise Unavailable(f"MLflow does not give out {uri}", got=str(error)[:300]) from error
    if not (folder / MLMODEL_NAME).is_file():
        raise NotFound(f"there is no model at {uri}", fix="name the path under which the model was logged")
    run_id = read_mlmodel(folder).run_id
    return _with_run(mlflow, folder, run_id) if run_id else Fetched(folder)


def _with_run(mlflow: Any, folder: Path, run_id: str) -> Fetched:
    try:
        data = mlflow.MlflowClient().get_run(run_id).data
    except mlflow.exceptions.MlflowException:
        return Fetched(folder)  # the run was deleted; the model stands for itself
    metrics = {name: float(value) for name, value in data.metrics.items() if value == value}  # noqa: PLR0124  NaN
    return Fetched(folder, dict(data.params), metrics, data.tags.get(GIT_TAG))


def _mlflow() -> Any:
    try:
        import mlflow  # noqa: PLC0415  optional, and it takes seconds
    except ImportError as error:
        raise MissingExtra(
            "runs:/ and models:/ addresses are read through the library mlflow, which is not installed",
            fix="pip install 'lockgate[mlflow]', or download the model folder and submit that",
        ) from error
    return mlflow
