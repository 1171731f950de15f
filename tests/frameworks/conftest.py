"""An environment of its own with lockgate and mlflow, a real MLflow server, and models that MLflow logged there."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import polars as pl
import pytest
from tests.gateway.conftest import World

from lockgate.access import Access
from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.registry.store import Version
from lockgate.traffic import Arm, Role, Route
from lockgate.wiring.house import open_house
from lockgate.wiring.names import resolve

ROOT = Path(__file__).parents[2]
collect_ignore = ["mlflow_side", "ray_side", "treelite_side"]  # programs for the other environment
CACHE = ROOT / ".cache"  # git ignores it; make clean takes it away
SIDE = Path(__file__).parent / "mlflow_side"
MLFLOW = "mlflow==3.17.2"
RAY = "ray[client]==2.60.0"
LEFT_FREE = ("pyarrow",)  # mlflow wants an older one than lockgate's pins hold
READY_S, CALL_S = 1200.0, 1800.0  # for what hangs: on a crowded machine the server alone took two minutes


@dataclass(frozen=True)
class MlflowSide:
    """Programs of the environment that has mlflow, and a folder to work in."""

    python: Path
    folder: Path

    def run(self, *words: object, **more: str) -> subprocess.CompletedProcess[str]:
        """A program of that environment (its name first), with nothing of the caller's lockgate or MLflow."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("LOCKGATE_", "MLFLOW_"))}
        command = [str(self.python.with_name(str(words[0]))), *map(str, words[1:])]
        environment = {**kept, "LOCKGATE_HOME": str(self.folder / "home"), **more}
        return subprocess.run(
            command, capture_output=True, text=True, timeout=CALL_S, cwd=self.folder, env=environment, check=False
        )  # fmt: skip

    def told(self, *words: object) -> dict[str, object]:
        """What `log_and_ask.py` prints."""
        done = self.run("python", SIDE / "log_and_ask.py", *words)
        assert done.returncode == 0, done.stderr[-3000:]
        said: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
        return said


@pytest.fixture(scope="session")
def mlflow_python() -> Path:
    """The interpreter of an environment with lockgate[mlflow] as people install it, built once and kept."""
    return environment("mlflow", MLFLOW, "mlflow,xgboost,lightgbm")


@pytest.fixture(scope="session")
def ray_python() -> Path:
    """The interpreter of an environment with lockgate[ray,tune], built once and kept."""
    return environment("ray", RAY, "ray,tune")


def environment(name: str, wanted: str, extras: str, *more: str) -> Path:
    """The interpreter of an environment with lockgate and its extras under the pins, one more package, and `more` of them."""
    pins = [
        line.rstrip(" \\")
        for line in (ROOT / "requirements/dev.txt").read_text().splitlines()
        if "==" in line and not line.startswith((" ", "#"))
    ]
    held = "\n".join(pin for pin in pins if pin.partition("==")[0] not in LEFT_FREE)
    digest = hashlib.sha256("\n".join((wanted, *more, held, str(ROOT))).encode()).hexdigest()[:16]
    python = CACHE / f"{name}-{digest}" / "bin" / "python"
    if not (python.parent / "lockgate").exists():
        CACHE.mkdir(exist_ok=True)
        constraints = CACHE / "constraints.txt"
        constraints.write_text(held)
        shutil.rmtree(python.parents[1], ignore_errors=True)
        uv("venv", "--python", sys.executable, python.parents[1])
        uv(
            "pip",
            "install",
            "--python",
            python,
            *links(),
            "-c",
            constraints,
            "-e",
            f"{ROOT}[{extras}]",
            wanted,
            *more,
        )
    return python


def links() -> list[str]:
    """pip's own places of wheels, which uv does not ask for."""
    asked = [sys.executable, "-m", "pip", "config", "get", "global.find-links"]
    places = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    return [word for place in places for word in ("--find-links", place)]


def library_environment(name: str, *wanted: str) -> Path:
    """The interpreter of an environment with these packages alone, built once and kept. pip's own place of wheels counts, too."""
    folder = CACHE / name
    digest = hashlib.sha256("\n".join(wanted).encode()).hexdigest()[:16]
    if not (folder / digest).exists():
        shutil.rmtree(folder, ignore_errors=True)
        CACHE.mkdir(exist_ok=True)
        uv("venv", "--python", sys.executable, folder)
        uv("pip", "install", "--python", folder / "bin" / "python", *links(), *wanted)
        (folder / digest).touch()
    return folder / "bin" / "python"


def uv(*words: object) -> None:
    """Run uv, or fail with what it said."""
    command = [sys.executable, "-m", "uv", "--no-config", "--quiet", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="session")
def side(mlflow_python: Path, tmp_path_factory: pytest.TempPathFactory) -> MlflowSide:
    """The environment, and a folder with a lockgate home and rows.csv: 2,000 real rows of car loans."""
    folder = tmp_path_factory.mktemp("mlflow")
    found = importlib.util.find_spec("nannyml")
    assert found is not None, "make setup installs the data"
    assert found.submodule_search_locations
    path = Path(found.submodule_search_locations[0]) / "datasets/data/synthetic_car_loan_reference.csv"
    rows = pl.read_csv(path, n_rows=2_000).drop("id", "timestamp", "y_pred", "y_pred_proba")
    rows.write_csv(folder / "rows.csv")
    return MlflowSide(mlflow_python, folder)


@pytest.fixture(scope="session")
def server(side: MlflowSide) -> Iterator[str]:
    """The address of a real MLflow server on this machine, which gives out models over HTTP."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    store = side.folder / "server"
    store.mkdir()
    command = [side.python.with_name("mlflow"), "server", "--host", "127.0.0.1", "--port", port, "--workers", 1,
               "--backend-store-uri", f"sqlite:///{store}/mlflow.db", "--artifacts-destination", store / "files"]  # fmt: skip
    environment = {**os.environ, "PATH": f"{side.python.parent}:{os.environ['PATH']}",
                   "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # seven processes that nobody asks for anything  # fmt: skip
    with (store / "log").open("wb") as log:
        process = subprocess.Popen(
            list(map(str, command)),
            stdout=log,
            stderr=log,
            cwd=store,
            env=environment,
            start_new_session=True,
        )
    try:
        wait_until_healthy(f"http://127.0.0.1:{port}", process, store / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until_healthy(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when the server answers; fail with its log when it ended."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{address}/health", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    raise AssertionError(f"MLflow's server did not start: {log.read_text()[-3000:]}")


@contextmanager
def live(home: Home, names: Iterable[str]) -> Iterator[tuple[World, dict[str, Version]]]:
    """One open gateway that answers with version 1 of each of these models, for the length of a block; and the versions."""
    house = open_house(home)
    with house.db.read() as tx:
        versions = {name: resolve(tx, name, "1") for name in names}
    house.close()
    world = World(home, Blobs(str(home.blobs)))
    try:
        for name, version in versions.items():
            arm = Arm(version=1, digest=version.digest, role=Role.LIVE)
            world.plan.publish_route(Route(model=name, arms=(arm,), salt="s", deadline_ms=120_000.0))
        world.access.publish(Access(open=True))
        world.worker()
        world.wait_for(lambda: httpx.get(f"{world.url}/v2/health/ready").status_code == 200, READY_S)
        yield world, versions
    finally:
        world.close()
