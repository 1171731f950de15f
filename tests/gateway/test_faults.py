"""Kills, full disks, several workers: an answered prediction is in the log, or its answer said otherwise."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from benchmarks.callers import Callers

from lockgate.gateway.worker import worker_argv
from lockgate.predictions.record import Kind
from lockgate.supervisor import Child, Supervisor

INFER = "/v2/models/churn/infer"
CLIENTS = 6


class Load(Callers[httpx.Client]):
    """Callers of one worker after the other; each notes the ids that it had an answer to."""

    def __init__(self, world: Any) -> None:
        super().__init__(world.client, threads=CLIENTS, pause_s=0.0, calls=20)
        self._world = world
        self.answered: list[str] = []
        self.bad: list[str] = []

    def call(self, line: httpx.Client, name: str, rng: random.Random) -> None:
        """Ask, and keep the id that came back."""
        response = line.post(INFER, json={"id": name, **self._world.infer([1, 2, 3])})
        if response.status_code == 200:
            self.answered.append(json.loads(response.content)["id"])
        else:
            self.bad.append(response.text)


def kill_under_load(world: Any, kills: int, workers: int) -> Load:
    """Supervised workers, callers, and kill -9 of a random worker again and again."""
    children = [
        Child(
            name=f"gateway-{n}",
            argv=worker_argv(world.home.root, f"gateway-{n}", host="127.0.0.1", port=world.port),
        )
        for n in range(workers)
    ]
    supervisor = Supervisor(children, world.home.run, tell=lambda event: None)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        world.wait_for(lambda: reachable(world))
        with Load(world) as load:
            for _ in range(kills):
                before = len(load.answered)
                world.wait_for(lambda before=before: len(load.answered) > before + 20, 60)
                time.sleep(random.uniform(0, 0.3))
                victims = list(world.home.run.glob("gateway-*.pid"))
                if victims:
                    os.kill(int(random.choice(victims).read_text()), 9)
            before = len(load.answered)
            world.wait_for(lambda: len(load.answered) > before + 20, 60)
    finally:
        supervisor.stop()
        thread.join(40)
    assert not thread.is_alive()
    return load


def reachable(world: Any) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", world.port)) == 0


def check_nothing_is_missing(world: Any, load: Load) -> None:
    """Every answered id is in the log, once."""
    logged = [record.inference_id for record in world.records() if record.status == 200]
    assert set(load.answered) <= set(logged)
    assert len(logged) == len(set(logged))
    assert load.bad == []
    assert len(load.answered) > 100


def test_kill_nine_loses_no_answered_prediction(world: Any) -> None:
    """Five kills of two workers under load."""
    world.route(world.package())
    check_nothing_is_missing(world, kill_under_load(world, kills=5, workers=2))


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_hundred_kills_lose_no_answered_prediction(world: Any) -> None:
    """The long form."""
    world.route(world.package())
    check_nothing_is_missing(world, kill_under_load(world, kills=100, workers=2))


@pytest.fixture
def small_disk(world: Any) -> Iterator[Path]:
    """A tiny file system for the log; skipped where mounting is not allowed."""
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(world.home.log)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield world.home.log
    subprocess.run(["umount", "-l", str(world.home.log)], check=True)


def test_a_full_disk_is_said_in_the_answer_and_put_on_record_later(world: Any, small_disk: Path) -> None:
    """`serve`: answers go on, marked; when there is room again the gap itself is recorded."""
    world.route(world.package())
    worker = world.worker()
    filler = small_disk / "filler"
    with world.client() as client:
        assert "x-lockgate-log" not in client.post(INFER, json=world.infer([1, 2, 3])).headers
        filler.write_bytes(b"x" * 180_000)
        answers = [client.post(INFER, json=world.infer([1, 2, 3])) for _ in range(600)]
        assert {answer.status_code for answer in answers} == {200}
        gaps = sum("x-lockgate-log" in answer.headers for answer in answers)
        assert 0 < gaps < 600
        marked = {a.headers["x-lockgate-request-id"] for a in answers if "x-lockgate-log" in a.headers}
        world.wait_for(lambda: worker.member.log_gap == gaps)
        filler.unlink()
        world.wait_for(lambda: any(record.kind is Kind.GAP for record in world.records()))
        assert "x-lockgate-log" not in client.post(INFER, json=world.infer([1, 2, 3])).headers
    records = world.records()
    assert sum(record.rows for record in records if record.kind is Kind.GAP) == gaps
    logged = {record.id for record in records if record.kind is Kind.ANSWER}
    assert logged.isdisjoint(marked)
    assert len(logged) == 602 - gaps


@pytest.mark.parametrize("by", ["server", "model"])
def test_a_full_disk_refuses_when_asked_to(world: Any, small_disk: Path, by: str) -> None:
    """`strict`, of the server or of one model: no answer without a record."""
    if by == "server":
        (world.home.root / "config.yaml").write_text("gateway: {log: strict}\n")
    world.route(world.package(), strict=by == "model")
    world.worker()
    with world.client() as client:
        (small_disk / "filler").write_bytes(b"x" * 200_000)
        answers = [client.post(INFER, json=world.infer([1, 2, 3])) for _ in range(400)]
    assert {answer.status_code for answer in answers} == {200, 503}
    assert "could not be put on record" in answers[-1].json()["error"]
    # the record of a gap may find room: it is small
    logged = [record for record in world.records() if record.kind is Kind.ANSWER]
    assert len(logged) == sum(answer.status_code == 200 for answer in answers)


def test_two_workers_share_the_port_and_the_log_knows_both(world: Any) -> None:
    """Each writes segments of its own; nothing is doubled."""
    world.route(world.package())
    world.worker("gateway-0", "--port-claimed")
    world.worker("gateway-1", "--port-claimed")
    with Load(world) as load:
        world.wait_for(lambda: len(load.answered) > 300)
    check_nothing_is_missing(world, load)
    assert {path.parent.name for path in world.home.log.glob("*/*.seg")} == {"gateway-0", "gateway-1"}
