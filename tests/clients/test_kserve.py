"""KServe's own clients, speaking to the gateway: over REST by v1 and v2, and over gRPC."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tests.gateway.conftest import KEY, World, logistic

ROWS = np.float32([[1, 2, 3], [4, 5, -6]])
PROBABILITY = logistic(ROWS).tolist()


@pytest.mark.timeout(900)  # the first run builds the clients' environment
def test_kserves_own_clients(speaking: tuple[World, int], clients_python: Path) -> None:
    """REST by v1 and v2, JSON and binary, gRPC with contents and raw: the same answer, and errors that say why."""
    world, port = speaking
    program = Path(__file__).parent / "kserve_side/ask.py"
    command = [str(clients_python), "-W", "ignore", str(program), world.url, f"127.0.0.1:{port}", KEY]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    for question in (
        "live",
        "ready",
        "model",
        "v1 live",
        "v1 model",
        "grpc live",
        "grpc ready",
        "grpc model",
    ):
        assert found[question] is True, question
    for form in ("json", "binary", "grpc contents", "grpc raw"):
        answer = found[form]
        assert (answer["id"], answer["model"]) == ("order-9", "churn")
        assert answer["outputs"]["prediction"] == [1, 0]
        assert answer["outputs"]["probability"] == pytest.approx(PROBABILITY, rel=1e-4)
    assert found["v1"] == {"predictions": [1, 0]}
    assert "no key was sent" in found["no key"]
    assert "explanations are not given" in found["explain"]
