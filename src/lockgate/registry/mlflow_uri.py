"""Fetches a model by MLflow's addresses: `runs:/RUN/path`, `models:/NAME/VERSION`, `models:/NAME@ALIAS`, `models:/m-ID`.

From a server (http) or a local store (a folder of runs, or SQLite) through the optional library mlflow.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lockgate.errors import InvalidInput, MissingExtra, NotFound, Unavailable
from lockgate.registry.mlflow_download import FAILED, MISSING_EXTRA, MOST_LETTERS
from lockgate.registry.mlmodel import MLMODEL_NAME

_URI = re.compile(r"runs:/[^/]+/.+|models:/[^/@]+(?:/[^/@]+|@[^/@]+)?")
TIMEOUT_S = 1800.0
RETRIES = "2"  # MLflow's own seven take minutes to say that a server is away
MISSING = ("not_exist", "not found", "no such", "no versions", "does not exist")


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


def is_remote(tracking_uri: str) -> bool:
    """Whether a tracking address is a server's, which other machines can reach, and not a store on this machine.

    >>> is_remote("https://mlflow.example"), is_remote("sqlite:///mlflow.db"), is_remote("./mlruns")
    (True, False, False)
    """
    return tracking_uri.lower().startswith(("http://", "https://"))


def fetch(uri: str, into: Path, tracking_uri: str | None = None) -> Fetched:
    """Download the model's folder below `into`, in a process of its own. `tracking_uri`: a server or a store; None:
    MLflow's own setting.

    Raises MissingExtra without mlflow, InvalidInput for another form, NotFound, Unavailable with MLflow's words.
    """
    if not is_uri(uri):
        raise InvalidInput(
            "not an address of MLflow",
            got=uri,
            allowed="runs:/RUN/PATH, models:/NAME/VERSION, models:/NAME@ALIAS",
        )
    said = _download(uri, into, tracking_uri)
    folder = Path(said["folder"])
    if not (folder / MLMODEL_NAME).is_file():
        raise NotFound(f"there is no model at {uri}", fix="name the path under which the model was logged")
    return Fetched(folder, said.get("parameters", {}), said.get("metrics", {}), said.get("commit"))


def _download(uri: str, into: Path, tracking_uri: str | None) -> dict[str, Any]:
    environment = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": RETRIES, **os.environ}
    if tracking_uri:
        environment["MLFLOW_TRACKING_URI"] = tracking_uri
        environment.pop("MLFLOW_REGISTRY_URI", None)
    command = [sys.executable, "-m", "lockgate.registry.mlflow_download", uri, str(into)]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"MLflow did not give out {uri} within {TIMEOUT_S:g} s") from error
    if done.returncode == MISSING_EXTRA:
        raise MissingExtra(
            "runs:/ and models:/ addresses are read through the library mlflow, which is not installed",
            fix="pip install 'lockgate[mlflow]', or download the model folder and submit that",
        )
    lines = done.stdout.splitlines()
    if done.returncode not in (0, FAILED) or not lines:
        got = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1][:MOST_LETTERS]
        raise Unavailable(f"MLflow does not give out {uri}", got=got)
    said: dict[str, Any] = json.loads(lines[-1])
    if "error" in said:
        missing = any(word in f"{said['code']} {said['error']}".lower() for word in MISSING)
        raise (NotFound if missing else Unavailable)(
            f"MLflow does not give out {uri}", got=said["error"],
            fix="see the address, and that MLFLOW_TRACKING_URI names the server or store that holds it",
        )  # fmt: skip
    return said
