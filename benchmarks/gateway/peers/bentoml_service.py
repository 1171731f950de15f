"""A BentoML service around a scikit-learn model, one worker, batching off as by default.

python bentoml_service.py MODEL PORT
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Scores:
    """The service."""

    def __init__(self) -> None:
        self._model = joblib.load(os.environ["BENCH_MODEL"])

    @bentoml.api
    def predict(self, rows: list[list[float]]) -> dict[str, list]:
        """Classes and probabilities of each row."""
        probabilities = self._model.predict_proba(np.array(rows, dtype=np.float32))
        return {"labels": probabilities.argmax(axis=1).tolist(), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    here = Path(__file__)
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", f"{here.stem}:Scores"]
    os.environ.update(
        {"BENCH_MODEL": sys.argv[1], "BENTOML_DO_NOT_TRACK": "true", "PYTHONPATH": str(here.parent)}
    )
    os.execv(
        command[0],
        [*command, "--host", "127.0.0.1", "--port", sys.argv[2], "--working-dir", str(here.parent)],
    )
