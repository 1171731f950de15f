"""Models in processes of their own behind a real gateway: several at once, and planted faults that cost callers nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from lockgate.traffic import Arm, Role, Route

WHO = """
import os, time
import numpy as np

def predict(columns):
    time.sleep(0.2)
    n = len(columns["a"])
    return {"prediction": np.zeros(n, np.int64), "probability": np.full(n, (os.getpid() % 900 + 50) / 1000, np.float32)}
"""
FAULTY = """
import ctypes, os, sys
import numpy as np

kept = []

def predict(columns):
    fault = float(columns["a"][0])
    if fault == 100:
        ctypes.string_at(0)
    elif fault == 101:
        while True:
            kept.append(np.ones(4_000_000))
    elif fault == 102:
        while True:
            sys.stdout.write("word " * 200)
    elif fault == 103:
        return {"prediction": np.zeros(30_000_000, np.int64), "probability": np.zeros(30_000_000, np.float32)}
    elif fault == 104:
        os._exit(0)
    n = len(columns["a"])
    return {"prediction": np.zeros(n, np.int64), "probability": np.full(n, 0.125, np.float32)}
"""
ROW_LIMIT = {"deadline_ms": 60_000.0, "canary_deadline_ms": 5_000.0}


def ask(world: Any, client: httpx.Client, a: float) -> float:
    """P(1) of one row."""
    answer = client.post("/v2/models/churn/infer", json=world.infer([a, 0.0, 0.0]))
    assert answer.status_code == 200, answer.text
    return float(world.outputs(answer)["probability"][0])


def test_replicas_share_the_callers(world: Any) -> None:
    """A version with two replicas answers callers that come together from two processes."""
    arm = Arm(version=1, digest=world.package(code=WHO), role=Role.LIVE, replicas=2)
    world.plan.publish_route(Route(model="churn", arms=(arm,), salt="s", **ROW_LIMIT))
    world.worker()
    with world.client() as client, ThreadPoolExecutor(4) as callers:

        def who() -> set[float]:
            return set(callers.map(lambda _: ask(world, client, 1.0), range(4)))

        assert world.wait_for(lambda: len(who()) == 2, 60.0)
        told = client.get("/metrics").text
    rows = [line for line in told.splitlines() if line.startswith("lockgate_runner_replicas{")]
    assert sum(float(row.split()[-1]) for row in rows) == 2
    assert all('model="churn"' in row and 'state="' in row for row in rows)


@pytest.mark.parametrize(
    ("fault", "reason", "deadline_ms"),
    [
        (100.0, "error", 30e3),
        (101.0, "error", 30e3),
        (102.0, "timeout", 4e3),
        (103.0, "error", 30e3),
        (104.0, "error", 30e3),
    ],
    ids=["segfault", "leak", "flood", "huge answer", "exit"],
)
def test_a_faulty_canary_costs_callers_nothing(
    world: Any, fault: float, reason: str, deadline_ms: float
) -> None:
    """The live version answers in its place, the record says why, and the canary's new process answers the next request."""
    limits = {**ROW_LIMIT, "canary_deadline_ms": deadline_ms}
    live = Arm(version=1, digest=world.package(), role=Role.LIVE)
    canary = Arm(version=2, digest=world.package(code=FAULTY), role=Role.CANARY, weight=1.0, memory_mb=800)
    world.plan.publish_route(Route(model="churn", arms=(live, canary), release=7, salt="s", **limits))
    world.worker()
    with world.client() as client:
        world.wait_for(lambda: ask(world, client, 1.0) == 0.125, 60.0)
        expected = float(world.logistic(np.array([[fault, 0.0, 0.0]]))[0])
        assert ask(world, client, fault) == pytest.approx(expected, abs=1e-6)
        assert world.wait_for(lambda: ask(world, client, 1.0) == 0.125, 60.0)
    failed = [record.failed for record in world.records() if record.failed is not None]
    assert failed[0].reason == reason
