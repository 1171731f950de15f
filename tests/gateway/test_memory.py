"""A worker's memory: thousands of requests hold no more than the first ones did."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from http.client import HTTPConnection

import httpx
import pytest
from tests.gateway.conftest import HEADERS, World, wait_for

# The worker as it is, with a thread that says how many blocks of memory Python holds when a line comes in.
SAYING = """
import gc, sys, threading

def say():
    for _ in sys.stdin:
        gc.collect()
        print(sys.getallocatedblocks(), flush=True)

threading.Thread(target=say, daemon=True).start()
from lockgate.gateway.worker import main
sys.exit(main(sys.argv[1:]))
"""
LOOKS = 5


class SayingWorker:
    """One worker and one caller."""

    def __init__(self, world: World) -> None:
        self.world, self.sent = world, 0
        words = ["--home", str(world.home.root), "--port", str(world.port)]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SAYING, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        wait_for(self._is_ready, 120)
        self.connection = HTTPConnection("127.0.0.1", world.port, timeout=60)

    def _is_ready(self) -> bool:
        assert self.process.poll() is None
        try:
            return httpx.get(f"{self.world.url}/v2/health/ready", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def ask(self, count: int) -> None:
        """So many requests, each with a key and an id of its own; one in five is refused."""
        for _ in range(count):
            self.sent += 1
            body = self.world.infer([1.0, 2.0, 3.0], key=f"k{self.sent}")
            wrong = self.sent % 5 == 0
            path = "/v2/models/nobody/infer" if wrong else "/v2/models/churn/infer"
            text = json.dumps({**body, "id": f"r{self.sent}"})
            self.connection.request("POST", path, text, {**HEADERS, "content-type": "application/json"})
            answer = self.connection.getresponse()
            answer.read()
            assert answer.status == (404 if wrong else 200)

    def blocks(self) -> int:
        """Blocks of memory that Python holds there: the lowest of several looks, some requests apart."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        found = []
        for _ in range(LOOKS):
            self.ask(10)
            print(file=self.process.stdin, flush=True)
            found.append(int(self.process.stdout.readline()))
        return min(found)

    def close(self) -> None:
        """End it."""
        self.connection.close()
        self.process.kill()
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()


@pytest.fixture
def worker(world: World) -> Iterator[SayingWorker]:
    """A worker whose caches are filled."""
    world.route(world.package())
    made = SayingWorker(world)
    made.ask(500)
    yield made
    made.close()


@pytest.mark.parametrize(
    "count", [2_000, pytest.param(200_000, marks=[pytest.mark.faults, pytest.mark.timeout(3600)])]
)
def test_requests_leave_nothing_behind(worker: SayingWorker, count: int) -> None:
    """A block that stayed of every tenth request would be seen."""
    before = worker.blocks()
    worker.ask(count)
    after = worker.blocks()
    print(f"{worker.sent} requests: {before} blocks, then {after}")
    assert after - before < count / 10
