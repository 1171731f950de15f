"""A KServe model server with a custom model, one worker, HTTP only.

python kserve_model.py MODEL PORT
"""

from __future__ import annotations

import sys
from typing import Any

import joblib
import numpy as np
from kserve import Model, ModelServer


class Scores(Model):
    """The model."""

    def __init__(self, path: str) -> None:
        super().__init__("bench")
        self._model = joblib.load(path)
        self.ready = True

    def predict(self, payload: dict[str, Any], *_: Any, **__: Any) -> dict[str, Any]:
        """Classes and probabilities of each row, in KServe's first protocol."""
        probabilities = self._model.predict_proba(np.array(payload["instances"], dtype=np.float32))
        labels = probabilities.argmax(axis=1).tolist()
        return {"predictions": labels, "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    server = ModelServer(http_port=int(sys.argv[2]), workers=1, enable_grpc=False, access_log_format=None)
    server.start([Scores(sys.argv[1])])
