"""Real clients speak to a real worker: over HTTP and, beside it, gRPC."""

from __future__ import annotations

import fcntl
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.conftest import World, quiet_port

from lockgate.blobs import Blobs
from lockgate.config import Home

collect_ignore = ["kserve_side", "mlflow_side"]  # programs for the other environment
CACHE = Path(__file__).parents[2] / ".cache"  # git ignores it; make clean takes it away
PINS = Path(__file__).parents[2] / "requirements/clients.txt"


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


@pytest.fixture(scope="session")
def clients_python() -> Path:
    """The interpreter of an environment with other servers' own clients, built from hashed pins by who comes first, and kept."""
    digest = hashlib.sha256(PINS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = CACHE / f"clients-{digest}"
    python = folder / "bin" / "python"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "clients.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".whole").exists():
            uv("venv", "--clear", "--python", sys.executable, folder)
            uv("pip", "sync", "--python", python, "--require-hashes", PINS)
            (folder / ".whole").touch()
    return python


def uv(*words: object) -> None:
    """Run uv, or fail with what it said."""
    command = [sys.executable, "-m", "uv", "--no-config", "--quiet", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr
