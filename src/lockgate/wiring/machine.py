"""What this machine can do and what it cannot, tried rather than guessed."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path

import msgspec
import numpy as np

from lockgate.config import Home, load_server_config
from lockgate.db import open_database
from lockgate.errors import LockgateError
from lockgate.inference.workshop import Draft, open_draft
from lockgate.registry.manifest import Framework
from lockgate.registry.signature import DataType, Field
from lockgate.wiring.ports import free_port
from lockgate.wiring.status import LEAST_FREE_BYTES, running

_PROBE = "def predict(columns):\n    return {'prediction': columns['x']}\n"


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was tried. `detail` says what was found, or what to do."""

    name: str
    good: bool
    detail: str


def examine(home: Home) -> list[Probe]:
    """Try everything that a box needs. Changes nothing but the folders of the home."""
    return [
        _python(),
        _home(home),
        _disk(home),
        _database(home),
        *_ports(home),
        *_confinement(),
        _uv(),
    ]


def _python() -> Probe:
    version = ".".join(map(str, sys.version_info[:3]))
    return Probe(name="Python", good=sys.version_info >= (3, 11), detail=f"{version} at {sys.executable}")


def _home(home: Home) -> Probe:
    try:
        home.prepare()
        load_server_config(home)
    except LockgateError as error:
        return Probe(name="home folder", good=False, detail=error.sentence())
    return Probe(name="home folder", good=True, detail=str(home.root))


def _disk(home: Home) -> Probe:
    place = home.root if home.root.exists() else Path()
    free = shutil.disk_usage(place).free
    return Probe(name="disk", good=free >= LEAST_FREE_BYTES, detail=f"{free / 1e9:.1f} GB free")


def _database(home: Home) -> Probe:
    try:
        url = load_server_config(home).database or f"sqlite:///{home.database}"
        database = open_database(url)
        with database.read():
            pass
        database.close()
    except LockgateError as error:
        return Probe(name="database", good=False, detail=error.sentence())
    return Probe(
        name="database", good=True, detail="PostgreSQL" if url.startswith("postgresql") else "SQLite"
    )


def _ports(home: Home) -> list[Probe]:
    own = {process.name for process in running(home)}
    try:
        config = load_server_config(home)
    except LockgateError:
        return []  # said already, with its line
    wanted = (("console", config.console.host, config.console.port, "--port"),
              ("gateway-0", config.gateway.host, config.gateway.port, "--gateway-port"))  # fmt: skip
    tests = []
    for name, host, port, option in wanted:
        label = f"port {port}"
        if name in own:
            tests.append(Probe(name=label, good=True, detail="taken by this home's own processes"))
            continue
        try:
            free_port(host, port, option)
            tests.append(Probe(name=label, good=True, detail="free"))
        except LockgateError as error:
            tests.append(Probe(name=label, good=False, detail=error.sentence()))
    return tests


def _confinement() -> list[Probe]:
    """Run a line of model code as every model is run, and report what held it back."""
    with tempfile.TemporaryDirectory(prefix="lockgate-doctor-") as name:
        folder = Path(name)
        (folder / "code").mkdir(mode=0o755)
        (folder / "model").mkdir(mode=0o755)
        folder.chmod(0o755)
        (folder / "code" / "probe.py").write_text(_PROBE)
        field = Field(name="x", datatype=DataType.FP64)
        draft = Draft(folder, Framework.PYTHON, "model", entry="probe:predict", inputs=(field,))
        try:
            with open_draft(draft, python=Path(sys.executable), timeout_s=60.0) as bench:
                found = bench.describe({"x": np.zeros(1)})
        except LockgateError as error:
            return [Probe(name="model code", good=False, detail=error.sentence())]
    tests = [Probe(name="model code", good=True, detail=words) for words in found.confined]
    return tests + [Probe(name="model code", good=False, detail=words) for words in found.unconfined]


def _uv() -> Probe:
    beside = Path(sys.executable).parent / "uv"
    found = str(beside) if os.access(beside, os.X_OK) else shutil.which("uv")
    detail = (
        found or "not found: models that need other libraries than these get no environment; pip install uv"
    )
    return Probe(name="uv", good=found is not None, detail=detail)
