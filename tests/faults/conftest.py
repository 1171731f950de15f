"""The gateway's small world and the whole box, for the tests that break things."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.conftest import World, quiet_port, shared, world
from tests.system.conftest import loans, start_box

from lockgate.blobs import Blobs
from lockgate.config import Home

__all__ = ["loans", "shared", "start_box", "world"]


@pytest.fixture(scope="module")
def grpc_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A worker that also answers gRPC, at `grpc_port`."""
    home = Home(tmp_path_factory.mktemp("grpc") / "home").prepare()
    made = World(home, Blobs(str(home.blobs)))
    port = quiet_port()
    (home.root / "config.yaml").write_text(f"gateway: {{grpc_port: {port}}}\n")
    made.grpc_port = port  # type: ignore[attr-defined]
    made.route(made.package())
    made.worker()
    yield made
    made.close()
