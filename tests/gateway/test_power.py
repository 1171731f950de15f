"""Durability `power` in a real worker: no answer before its sync, and no other request waits for one."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

GATED = """
import os, pathlib, time
real, here = os.fdatasync, pathlib.Path(__file__).parent
def gated(handle):
    (here / "asked").touch()
    while not (here / "gate").exists():
        time.sleep(0.005)
    real(handle)
os.fdatasync = gated
"""


@pytest.fixture
def gate(world: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A worker whose disk answers only while a file is there; it is there at first."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(GATED)
    (folder / "gate").touch()
    monkeypatch.setenv("PYTHONPATH", str(folder))
    (world.home.root / "config.yaml").write_text("gateway: {durability: power}\n")
    world.allow("churn")
    world.route(world.package())
    world.worker()
    return folder / "gate"


def test_an_answer_waits_for_its_sync_and_the_loop_does_not(world: Any, gate: Path) -> None:
    """With the disk held, predictions and refusals wait while health is answered; then all come, in one or two syncs."""
    with world.client() as client:
        assert client.post("/v2/models/churn/infer", json=world.infer([1, 2, 3])).status_code == 200
        gate.unlink()
        asked = gate.with_name("asked")
        asked.unlink()
        answers: list[int] = []

        def ask(body: dict[str, Any]) -> None:
            with world.client() as own:
                answers.append(own.post("/v2/models/churn/infer", json=body).status_code)

        wrong = {"inputs": [{"name": "x", "datatype": "FP64", "shape": [1], "data": ["no"]}]}
        threads = [
            threading.Thread(target=ask, args=(body,)) for body in [*[world.infer([1, 2, 3])] * 3, wrong]
        ]
        for thread in threads:
            thread.start()
        world.wait_for(asked.exists)
        world.wait_for(lambda: len(world.records()) == 5)  # all are in the kernel
        for _ in range(20):
            assert httpx.get(f"{world.url}/v2/health/live").status_code == 200
        assert answers == []
        gate.touch()
        for thread in threads:
            thread.join(20)
    assert sorted(answers) == [200, 200, 200, 400]


def test_a_worker_that_stops_syncs_first(world: Any, gate: Path) -> None:
    """SIGTERM waits for the disk: the segment is ended on it."""
    with world.client() as client:
        assert client.post("/v2/models/churn/infer", json=world.infer([1, 2, 3])).status_code == 200
    assert world.workers[0].stop() == 0
    assert [record.status for record in world.records()] == [200]
