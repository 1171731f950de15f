"""A LitServe server around a scikit-learn model, one worker, its defaults.

python litserve_server.py MODEL PORT
"""

from __future__ import annotations

import sys
from typing import Any

import joblib
import litserve
import numpy as np


class Scores(litserve.LitAPI):
    """The four steps of LitServe."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def setup(self, device: str) -> None:  # noqa: ARG002
        """Load the model in the worker."""
        self.model = joblib.load(self._path)

    def decode_request(self, request, **_: Any) -> np.ndarray:  # type: ignore[no-untyped-def]
        """Rows of thirty numbers. (LitServe would read a type of `request` as FastAPI does.)"""
        return np.array(request["rows"], dtype=np.float32)

    def predict(self, x: np.ndarray, **_: Any) -> np.ndarray:
        """Probabilities of each class."""
        return self.model.predict_proba(x)

    def encode_response(self, output: np.ndarray, **_: Any) -> dict[str, Any]:
        """Classes and probabilities of each row."""
        return {"labels": output.argmax(axis=1).tolist(), "probabilities": output.tolist()}


if __name__ == "__main__":
    server = litserve.LitServer(Scores(sys.argv[1]), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning")
