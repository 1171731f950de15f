"""One Ray Serve deployment around a scikit-learn model, one replica.

python ray_serve.py MODEL PORT
"""

from __future__ import annotations

import signal
import sys
from typing import Any

import joblib
import numpy as np
import ray
from ray import serve
from starlette.requests import Request


@serve.deployment(num_replicas=1, max_ongoing_requests=100)
class Scores:
    """The deployment."""

    def __init__(self, path: str) -> None:
        self._model = joblib.load(path)

    async def __call__(self, request: Request) -> dict[str, Any]:
        """Classes and probabilities of each row."""
        rows = (await request.json())["rows"]
        probabilities = self._model.predict_proba(np.array(rows, dtype=np.float32))
        return {"labels": probabilities.argmax(axis=1).tolist(), "probabilities": probabilities.tolist()}


if __name__ == "__main__":
    ray.init(num_cpus=4, include_dashboard=False, configure_logging=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(sys.argv[2])})
    serve.run(Scores.bind(sys.argv[1]), name="bench", route_prefix="/predict")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()
