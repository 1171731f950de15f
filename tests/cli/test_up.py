"""`lockgate up` with gRPC: it says where, `lockgate status` does too, and there a worker answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from tests.cli.conftest import Box
from tests.gateway.conftest import quiet_port, wait_for

pytestmark = pytest.mark.timeout(300)  # a whole box starts


@pytest.fixture
def speaking(tmp_path: Path) -> Iterator[tuple[Box, str]]:
    """A box whose gateway answers gRPC, and where."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    port = quiet_port()
    (home / "config.yaml").write_text(f"gateway: {{grpc_port: {port}}}\n")
    running = Box(home, tmp_path)
    yield running, f"127.0.0.1:{port}"
    running.process.terminate()
    assert running.process.wait(120) == 0


def test_the_grpc_address_is_told_and_answers(speaking: tuple[Box, str]) -> None:
    """By `up` beside the gateway's, and by `status`; a probe hears that it serves, for no model misses."""
    box, address = speaking
    wait_for(lambda: f"gRPC     {address}" in box.said())
    assert address in box.far("status").stdout
    with grpc.insecure_channel(address) as channel:
        found = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=60)
    assert found.status == health_pb2.HealthCheckResponse.SERVING
