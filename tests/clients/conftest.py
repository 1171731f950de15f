"""Real clients speak to a real worker: over HTTP and, beside it, gRPC."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.conftest import World, quiet_port

from lockgate.blobs import Blobs
from lockgate.config import Home


def with_grpc(world: World, *settings: str) -> int:
    """Let the world's workers answer gRPC too; on which port."""
    port = quiet_port()
    lines = "".join(f"  {line}\n" for line in (f"grpc_port: {port}", *settings))
    (world.home.root / "config.yaml").write_text(f"gateway:\n{lines}")
    return port


@pytest.fixture
def world(home: Home, blobs: Blobs) -> Iterator[World]:
    """An empty world; its workers are killed at the end."""
    made = World(home, blobs)
    yield made
    made.close()


@pytest.fixture(scope="module")
def speaking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, int]]:
    """`churn` is live, and answers HTTP and gRPC; once for all tests of a module that change nothing."""
    home = Home(tmp_path_factory.mktemp("speaking") / "home").prepare()
    made = World(home, Blobs(str(home.blobs)))
    port = with_grpc(made)
    made.route(made.package())
    made.worker()
    yield made, port
    made.close()
