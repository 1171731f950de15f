"""What the parts of the bench share: models, homes, environments, and the servers over them."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from benchmarks.gateway import environments
from benchmarks.gateway.catalogue import Peer, Rows, infer_request
from benchmarks.gateway.figures import Measure, Turns
from benchmarks.gateway.homes import KEY, MODEL, home_with
from benchmarks.gateway.load import LOAD_CORES, Asked, NoLoad, turn
from benchmarks.gateway.subjects import SERVER_CORES, Subject, running
from benchmarks.gateway.work import Model, question, train

from lockgate.config import Home
from lockgate.gateway.port import free_port

JSON = {"content-type": "application/json"}
UNLOGGED = Path(__file__).with_name("unlogged.py")
PEERS = Path(__file__).with_name("peers")
INFER = f"/v2/models/{MODEL}/infer"
WARM_S = 1


@dataclass
class Stage:
    """One run: where it lies, how long, and what was measured so far."""

    folder: Path
    rounds: int
    seconds: int
    measure: Measure
    serving: Path
    found: Turns = field(default_factory=dict)
    models: dict[tuple[str, int], Model] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=itertools.count)
    begun_s: float = field(default_factory=time.monotonic)

    def say(self, words: str) -> None:
        """How far it is."""
        print(f"{words} ... ({time.monotonic() - self.begun_s:.0f} s)", file=sys.stderr, flush=True)

    def model(self, name: str, seed: int = 0) -> Model:
        """A trained model, made once."""
        if (name, seed) not in self.models:
            self.models[name, seed] = train(name, self.folder, seed)
        return self.models[name, seed]

    def home(self, name: str, *, compiled: bool = True, python: Path | None = None) -> Home:
        """A new home that serves the model with a canary at ten per cent."""
        folder = self.folder / f"home-{next(self.numbers)}"
        return home_with(folder, self.model(name), self.model(name, 1), compiled=compiled, python=python)

    @contextmanager
    def gateway(
        self,
        name: str,
        home: Home,
        *,
        logged: bool = True,
        port: int = 0,
        cores: frozenset[int] = SERVER_CORES,
    ) -> Iterator[Subject]:
        """A gateway worker over a home, from the environment of a gateway's image; or one that writes no log."""
        port = port or free_port()
        start = ["-m", "lockgate.gateway.worker"] if logged else [str(UNLOGGED)]
        worker = f"gateway-{next(self.numbers)}"
        argv = [str(self.serving), *start, "--home", str(home.root), "--port", str(port), "--name", worker]
        words = self.folder / f"{worker}.words"
        with running(name, argv, port, json_rows(1), words, cores=cores) as subject:
            yield subject

    @contextmanager
    def peer(self, peer: Peer, model: Model) -> Iterator[Subject]:
        """A peer's server over the same model. Raises CannotBuild and NoStart."""
        python, port = environments.peer_python(peer), free_port()
        served = model.graph if peer.graph else model.path
        argv = [str(python), str(PEERS / f"{peer.program}.py"), str(served), str(port), *peer.more]
        bin_first = {"PATH": f"{python.parent}:{os.environ['PATH']}", "RAY_USAGE_STATS_ENABLED": "0"}
        words = self.folder / f"{peer.program}-{port}.words"
        with running(peer.name, argv, port, asked_of(peer, 1), words, more=bin_first) as subject:
            yield subject

    @contextmanager
    def shadow(self, home: Home) -> Iterator[None]:
        """The shadow scorer beside the gateway, on the load's core, at low priority."""
        argv = [
            "taskset",
            "-c",
            LOAD_CORES,
            sys.executable,
            "-m",
            "benchmarks.gateway.shadow_beside",
            str(home.root),
        ]
        with (self.folder / "shadow.words").open("wb") as words:
            process = subprocess.Popen(argv, stdout=words, stderr=words, cwd=environments.HOUSE)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:  # in the middle of something: nothing of it is kept
                process.kill()
                process.wait()

    def rounds_of(
        self,
        pairs: list[tuple[Subject, Asked]],
        connections: int,
        *,
        rounds: int = 0,
        cores: str = LOAD_CORES,
    ) -> None:
        """Every server in turn, again and again, so that the machine's moods meet all of them alike."""
        self.say(f"  {connections} connections: {', '.join(subject.name for subject, _ in pairs)}")
        for subject, asked in pairs:
            with contextlib.suppress(NoLoad):  # not counted, and the slowest may need longer than that
                turn(subject, asked, connections, self.folder, seconds=WARM_S, cores=cores)
        for _ in range(rounds or self.rounds):
            for subject, asked in pairs:
                made = turn(subject, asked, connections, self.folder, seconds=self.seconds, cores=cores)
                self.found.setdefault((subject.name, connections), []).append(made)


def json_rows(rows: int) -> Asked:
    """A JSON request to a gateway."""
    body = msgspec.json.encode(infer_request("predict")(question(rows)))
    return Asked(INFER, body, {**JSON, "authorization": f"Bearer {KEY}"})


def binary_rows(rows: int) -> Asked:
    """The same request with its numbers as raw bytes, answered in raw bytes."""
    numbers = np.array(question(rows), dtype="<f4")
    tensor = {
        "name": "predict",
        "shape": list(numbers.shape),
        "datatype": "FP32",
        "parameters": {"binary_data_size": numbers.nbytes},
    }
    head = msgspec.json.encode({"inputs": [tensor], "parameters": {"binary_data_output": True}})
    headers = {
        "content-type": "application/octet-stream",
        "authorization": f"Bearer {KEY}",
        "inference-header-content-length": str(len(head)),
    }
    return Asked(INFER, head + numbers.tobytes(), headers)


def asked_of(peer: Peer, rows: int, ask: Callable[[Rows], Any] | None = None) -> Asked:
    """The request to a peer; in another form than its first, when `ask` makes one."""
    return Asked(peer.path, msgspec.json.encode((ask or peer.ask)(question(rows))), JSON)
