"""Replacing workers under load, and one model's flood beside another model's few requests."""

from __future__ import annotations

import http.client
import json
import threading
from typing import Any

import httpx

from lockgate.clock import SystemClock
from lockgate.gateway.worker import worker_argv
from lockgate.membership import Member, members
from lockgate.supervisor import Child, Event, Supervisor

from .conftest import HEADERS

INFER = "/v2/models/churn/infer"


class Load:
    """Callers who obey `connection: close`: some keep their connection, some make a new one for each request."""

    def __init__(self, world: Any, keeping: int, fresh: int) -> None:
        self._world, self._done = world, threading.Event()
        self._body = json.dumps(world.infer([1, 2, 3]))
        self.answers, self.failures = 0, [""][:0]
        self._threads = [threading.Thread(target=self._keep) for _ in range(keeping)]
        self._threads += [threading.Thread(target=self._renew) for _ in range(fresh)]
        for thread in self._threads:
            thread.start()

    def _ask(self, connection: http.client.HTTPConnection) -> bool:
        """One request; whether the connection may be used again."""
        try:
            connection.request("POST", INFER, self._body, HEADERS)
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                self.failures.append(f"status {response.status}")
            self.answers += 1
            return response.getheader("connection", "") != "close"
        except OSError as error:
            self.failures.append(repr(error))
            return False

    def _keep(self) -> None:
        while not self._done.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._world.port, timeout=30)
            while not self._done.is_set() and self._ask(connection):
                pass
            connection.close()

    def _renew(self) -> None:
        while not self._done.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._world.port, timeout=30)
            self._ask(connection)
            connection.close()

    def stop(self) -> None:
        """End it, and wait for every caller."""
        self._done.set()
        for thread in self._threads:
            thread.join(60)


def supervised(world: Any, told: list[Event]) -> Supervisor:
    """Two workers under a supervisor that can replace them."""

    def child(name: str) -> Child:
        argv = worker_argv(world.home.root, name, host="127.0.0.1", port=world.port)
        return Child(name, argv, ready=lambda pid: any(one.pid == pid and one.ready for one in alive(world)))

    names = [f"gateway-{number}" for number in range(2)]
    return Supervisor([child(name) for name in names], world.home.run, tell=told.append)


def alive(world: Any) -> list[Member]:
    """The workers with a current report."""
    return members(world.home.members, SystemClock().now_us())


def test_every_worker_is_replaced_and_no_caller_notices(world: Any) -> None:
    """Two workers, twelve callers, each worker replaced in turn: no failed request, every answer on record."""
    world.route(world.package())
    told: list[Event] = []
    supervisor = supervised(world, told)
    thread = threading.Thread(target=supervisor.run)
    thread.start()
    try:
        world.wait_for(lambda: sum(one.ready for one in alive(world)) == 2, 60)
        first = {one.pid for one in alive(world)}
        load = Load(world, keeping=6, fresh=6)
        try:
            world.wait_for(lambda: load.answers > 150, 60)
            supervisor.renew()
            world.wait_for(lambda: len({one.pid for one in alive(world) if one.ready} - first) == 2, 90)
            reached = load.answers + 150
            world.wait_for(lambda: load.answers > reached, 60)
        finally:
            load.stop()
    finally:
        supervisor.stop()
        thread.join(60)
    assert load.failures == []
    assert load.answers > 300
    assert len(world.records()) == load.answers
    assert {event.what for event in told} == {"started", "stopped"}


SLOW = """
import time

def predict(columns):
    time.sleep(0.2)
    n = len(columns["a"])
    return {"prediction": [0] * n, "probability": [0.5] * n}
"""


class Flood:
    """Many callers of one model, as fast as they are answered, whatever the answer."""

    def __init__(self, world: Any, model: str, callers: int, rows: int = 1) -> None:
        self._done = threading.Event()
        self._body = json.dumps(world.infer(*[[1, 2, 3]] * rows))
        self._path, self._port = f"/v2/models/{model}/infer", world.port
        self.statuses: list[int] = []
        self._threads = [threading.Thread(target=self._run) for _ in range(callers)]
        for thread in self._threads:
            thread.start()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        while not self._done.is_set():
            connection.request("POST", self._path, self._body, HEADERS)
            response = connection.getresponse()
            response.read()
            self.statuses.append(response.status)
        connection.close()

    def stop(self) -> None:
        """End it."""
        self._done.set()
        for thread in self._threads:
            thread.join(60)


def test_a_flooded_model_leaves_another_its_turns(world: Any) -> None:
    """Of two compiled models one is flooded: between two answers of the other, only so many of the flood's go out."""
    world.route(world.package())
    world.route_of("flooded", world.package(bias=1.0))
    world.worker()
    callers = 24
    flood, between = Flood(world, "flooded", callers, rows=20), []
    try:
        world.wait_for(lambda: len(flood.statuses) > 100, 60)
        with world.client() as client:
            for _ in range(60):
                before = len(flood.statuses)
                assert client.post(INFER, json=world.infer([1, 2, 3])).status_code == 200
                between.append(len(flood.statuses) - before)
    finally:
        flood.stop()
    # each of the flood's callers waits once, so a fair loop answers each of them a few times at the most meanwhile
    assert sorted(between)[len(between) // 2] <= 4 * callers, between
    assert set(flood.statuses) == {200}


def test_a_slow_model_with_a_full_queue_is_refused_alone(world: Any) -> None:
    """A Python model of 0.2 s with a queue of 4: its callers hear when to come back, the other model answers on."""
    (world.home.root / "config.yaml").write_text("gateway: {queue: 4}\n")
    world.route(world.package())
    world.route_of("slow", world.package(code=SLOW))
    world.worker()
    world.wait_for(lambda: _answers(world, "slow"), 60)
    flood = Flood(world, "slow", 40)
    try:
        world.wait_for(lambda: 429 in flood.statuses, 60)
        with world.client() as client:
            assert all(client.post(INFER, json=world.infer([1, 2, 3])).status_code == 200 for _ in range(100))
            refused = world.wait_for(lambda: _refused(client, world), 60)
    finally:
        flood.stop()
    assert refused.headers["x-lockgate-limit"] == "queue"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert set(flood.statuses) == {200, 429}


def _answers(world: Any, model: str) -> bool:
    with world.client() as client:
        return bool(client.post(f"/v2/models/{model}/infer", json=world.infer([1, 2, 3])).status_code == 200)


def _refused(client: httpx.Client, world: Any) -> httpx.Response | None:
    response = client.post("/v2/models/slow/infer", json=world.infer([1, 2, 3]))
    return response if response.status_code == 429 else None
