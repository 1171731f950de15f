"""The small parts: breaker, port, cost, ids, metrics, listening."""

from __future__ import annotations

import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lockgate.clock import FakeClock
from lockgate.errors import Conflict, Unavailable
from lockgate.gateway.breaker import FAILURES_IN_ROW, Breaker
from lockgate.gateway.cost import Cost, measure
from lockgate.gateway.ids import id_maker
from lockgate.gateway.listening import connections, stop_listening_softly
from lockgate.gateway.port import claim_port, free_port

from .conftest import quiet_port


def test_the_breaker_counts_failures_in_a_row_of_each_release(clock: FakeClock) -> None:
    """A success starts the count anew; a release that tripped stays out until the plan names it no more."""
    breaker = Breaker(clock)
    for _ in range(FAILURES_IN_ROW - 1):
        assert not breaker.failed(7, "raised")
    breaker.succeeded(7)
    for _ in range(FAILURES_IN_ROW - 1):
        assert not breaker.failed(7, "raised")
        assert not breaker.failed(None, "no release, no breaker")
    assert not breaker.failed(8, "another release")
    assert breaker.failed(7, "raised")
    assert breaker.is_open(7)
    assert not breaker.is_open(8)
    assert [word.release for word in breaker.tripped] == [7]
    breaker.forget({7})
    assert breaker.is_open(7)
    breaker.forget({8})
    assert not breaker.is_open(7)


def test_a_port_is_claimed_once(tmp_path: Path) -> None:
    """ErrConflict while a claim is held, or while anybody listens, sharing the port or not."""
    port = quiet_port()
    with claim_port("127.0.0.1", port, "--port"), pytest.raises(Conflict, match="--port"):
        claim_port("127.0.0.1", port, "--port", wait_s=0)
    claim_port("127.0.0.1", port, "--port", wait_s=0).close()
    for share in (0, 1):
        with socket.socket() as other:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, share)
            other.bind(("127.0.0.1", port))
            other.listen()
            with pytest.raises(Conflict, match=f"port {port} is in use"):
                claim_port("127.0.0.1", port, "--port", wait_s=0)


def test_a_port_of_no_matter_which_number_is_nobodys_by_chance() -> None:
    """It lies below those that the kernel gives away, so nobody takes it before it is claimed; a taken one is not given."""
    lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ports = [free_port() for _ in range(20)]
    assert max(ports) < max(lowest, 32_000)
    assert len(set(ports)) > 1
    claim_port("127.0.0.1", ports[0], "--port", wait_s=0).close()
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1"):
        free_port("192.0.2.1")


def test_an_address_of_another_machine_is_refused() -> None:
    """ErrUnavailable names it."""
    with pytest.raises(Unavailable, match=r"192\.0\.2\.1"):
        claim_port("192.0.2.1", quiet_port(), "--host", wait_s=0)


def test_a_claim_ends_with_its_process() -> None:
    """Kill -9 of the holder lets go."""
    port = quiet_port()
    program = (
        "import sys, time; from lockgate.gateway.port import claim_port; "
        f"c = claim_port('127.0.0.1', {port}, '--port'); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        holder.kill()
        claim_port("127.0.0.1", port, "--port").close()


def test_cost_follows_what_batches_took() -> None:
    """A model that slows down is noticed within some batches, and a quick one stays quick."""
    cost = Cost(call_s=1e-5, row_s=1e-6)
    assert cost.expected_s(10) == pytest.approx(2e-5)
    for _ in range(50):
        cost.took(10, 2e-3)
    assert cost.expected_s(10) == pytest.approx(2e-3, rel=0.05)
    weights = np.ones((64, 64))
    assert 0 < measure(lambda rows: np.ones((rows, 64)) @ weights).expected_s(1) < 0.1


def test_ids_sort_by_time_and_never_meet() -> None:
    """UUIDv7 in hex, also within one millisecond and from several makers."""
    makers = [id_maker() for _ in range(4)]
    own = [makers[0]() for _ in range(10_000)]
    assert own == sorted(own)
    assert len({*own, *(make() for make in makers for _ in range(1_000))}) == 14_000
    assert {name[12] for name in own} == {"7"}
    assert {name[16] for name in own} <= set("89ab")


def test_a_deaf_socket_keeps_who_had_come_and_takes_nobody_new() -> None:
    """What was in the queue is served; a new attempt gets no answer, so that its kernel tries again elsewhere."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as early:
            assert stop_listening_softly(port) == 1
            with socket.socket() as late:
                late.settimeout(0.3)
                with pytest.raises(TimeoutError):
                    late.connect(("127.0.0.1", port))
            assert connections(port) == 0
            accepted, _ = listener.accept()
            with accepted:
                assert connections(port) == 1
                early.sendall(b"question")
                assert accepted.recv(100) == b"question"
    assert stop_listening_softly(port) == connections(port) == 0


def test_a_large_request_runs_apart_while_small_ones_are_answered(served: Any) -> None:
    """Two hundred thousand rows do not hold up the loop, and come back right."""
    rows = np.random.default_rng(0).normal(size=(200_000, 3)).astype(np.float32).round(2)
    body = {
        "inputs": [
            {"name": "x", "shape": list(rows.shape), "datatype": "FP32", "data": rows.ravel().tolist()}
        ]
    }
    found: list[Any] = []

    def large() -> None:
        with served.client() as client:
            found.append(client.post("/v2/models/churn/infer", json=body))

    thread = threading.Thread(target=large)
    thread.start()
    with served.client() as client:
        while thread.is_alive():
            assert client.post("/v2/models/churn/infer", json=served.infer([1, 2, 3])).status_code == 200
    thread.join()
    assert served.outputs(found[0])["probability"] == pytest.approx(served.logistic(rows), rel=1e-3)
