"""What callers notice of a canary in trouble: errors, and the 99th percentile beside live's alone, on a whole box.

For each of seven troubles: callers of live alone for a while; then a release, and when its version has a tenth of the callers
all of them ask for trouble. Measured from the first such request on, so that finding out and rolling back is part of it.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from benchmarks.callers import Callers
from benchmarks.gateway.figures import Figure
from benchmarks.release.troubled import KILLED, TROUBLES, Models, make_models, request, words

LOCKGATE = str(Path(sys.executable).with_name("lockgate"))
THREADS, PAUSE_S, WINDOW_S, LIMIT_S = 8, 0.04, 25.0, 300.0
SLOWER = 1.2  # of live's own 99th percentile
SETTINGS = {
    "shadow_requests": 20, "shadow_min_s": 0, "canary": ["10%"], "stage_min_s": 600, "stage_requests": 1_000_000,
    "p99_limit_ms": 100, "deadline_ms": 2_000,
}  # fmt: skip


class NotInTime(Exception):
    """Something did not happen."""


@dataclass
class Box:
    """A running lockgate. `model`: the one that is asked, with two versions, the first of them live."""

    folder: Path
    console: str
    gateway: str
    key: str
    models: Models
    model: str = ""

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One call of the JSON API."""
        asked = urllib.request.Request(f"{self.console}/api{path}", method=method, headers=self.headers)
        asked.data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    @property
    def headers(self) -> dict[str, str]:
        """What every request carries."""
        return {"authorization": f"Bearer {self.key}", "content-type": "application/json"}

    def phase(self) -> str:
        """Where the newest release is."""
        return str(self.api("GET", f"/models/{self.model}/release")["release"]["phase"])

    def wait_for(self, *phases: str) -> str:
        """The phase, when it is one of these."""
        return until(lambda: (found := self.phase()) in phases and found)

    def lockgate(self, *said: str) -> None:
        """One command, as from a laptop."""
        env = {**os.environ, "LOCKGATE_URL": self.console, "LOCKGATE_KEY": self.key}
        subprocess.run([LOCKGATE, *said], env=env, cwd=self.folder, check=True, capture_output=True)


@dataclass
class Seen:
    """What callers saw since they were last asked."""

    seconds: list[float] = field(default_factory=list)
    errors: int = 0
    canary: int = 0

    @property
    def p99_ms(self) -> float:
        """The 99th percentile."""
        return float(np.quantile(self.seconds, 0.99)) * 1e3


class Asking(Callers[http.client.HTTPConnection]):
    """Applications that call all the time; `seen` begins anew whenever it is replaced."""

    def __init__(self, box: Box) -> None:
        where = box.gateway.partition("://")[2]
        breaks = (OSError, http.client.HTTPException)
        super().__init__(
            lambda: closing(http.client.HTTPConnection(where, timeout=60)),
            threads=THREADS, pause_s=PAUSE_S, breaks=breaks,
        )  # fmt: skip
        self._box = box
        self.trouble: str | None = None
        self.seen = Seen()

    def call(self, line: http.client.HTTPConnection, name: str, rng: random.Random) -> None:
        """Ask; a connection that breaks is an error, too."""
        body = json.dumps(request(rng, f"k{name}", self.trouble))
        seen, began, model = self.seen, time.perf_counter(), self._box.model
        answered = False
        try:
            line.request("POST", f"/v2/models/{model}/infer", body, self._box.headers)
            answer = line.getresponse()
            answer.read()
            answered = answer.status == 200
            seen.canary += answer.headers.get("x-lockgate-version") == f"{model}/2"
        finally:
            seen.errors += not answered
            seen.seconds.append(time.perf_counter() - began)


def until(what: Callable[[], Any]) -> Any:
    """What is waited for. Raises NotInTime."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(0.05)
    raise NotInTime(f"not within {LIMIT_S:g} s")


@contextmanager
def running() -> Iterator[Box]:
    """A box with two workers, in a folder of its own, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="lockgate-canaries-") as name:
        folder = Path(name)
        env = {**os.environ, "LOCKGATE_HOME": str(folder / "home")}
        with (folder / "up.log").open("wb") as log:
            argv = [LOCKGATE, "up", "--port", "0", "--gateway-port", "0", "--workers", "2"]
            process = subprocess.Popen(argv, stdout=log, stderr=log, env=env, cwd=folder)
        try:
            log_file = folder / "up.log"
            until(
                lambda: all(
                    word in log_file.read_text() for word in ("console  http", "gateway  http", "\n\n  ")
                )
            )
            said = log_file.read_text()
            lines = (line.split() for line in said.splitlines() if line.startswith(("console ", "gateway ")))
            found = dict(line for line in lines)
            box = Box(
                folder,
                found["console"],
                found["gateway"],
                said.split("\n\n  ")[1].split("\n")[0],
                make_models(folder),
            )
            yield box
        finally:
            process.terminate()
            process.wait(120)


def prepare(box: Box, model: str) -> None:
    """A model of its own for each trouble, so that no shadow scores what was asked of the one before."""
    box.model = model
    box.lockgate(*words(box.models, box.models.live, model))
    box.lockgate("validate", f"{model}/1")
    box.lockgate("release", f"{model}/1", "--set", "watch_s=0")
    box.wait_for("done")
    box.lockgate(*words(box.models, box.models.troubled, model), "--set", "memory_mb=1200")
    box.lockgate("validate", f"{model}/2")


def meet(box: Box, trouble: str) -> tuple[Seen, Seen, str]:
    """One release: what callers saw of live alone, what from the first trouble on, and how it ended."""
    with Asking(box) as callers:
        alone = callers.seen
        time.sleep(WINDOW_S)
        callers.seen = Seen()
        asked = {"version": "2", "reason": trouble, "settings": SETTINGS}
        box.api("POST", f"/models/{box.model}/releases", asked)
        box.wait_for("canary")
        until(lambda: callers.seen.canary > 5)
        callers.seen, callers.trouble = (troubled := Seen()), trouble
        ended = _ended(box, trouble)
    return alone, troubled, ended


def _ended(box: Box, trouble: str) -> str:
    """How the release ended and when; callers go on for a whole window."""
    began, over = time.monotonic(), threading.Event()
    killer = threading.Thread(target=_kill, args=(box, over))
    if trouble == KILLED:
        killer.start()
    try:
        phase = box.wait_for("rolled_back", "held")
        took_s = time.monotonic() - began
    finally:
        over.set()
        if trouble == KILLED:
            killer.join()
    time.sleep(max(WINDOW_S - took_s, 0.0))
    return f"{phase} after {took_s:.1f} s"


def _kill(box: Box, over: threading.Event) -> None:
    """Kill the processes of Python models behind the gateway, five times a second."""
    while not over.wait(0.2):
        for path in (box.folder / "home" / "run").glob("gateway-*.pid"):
            with suppress(psutil.NoSuchProcess, ProcessLookupError, ValueError):
                for child in psutil.Process(int(path.read_text())).children(recursive=True):
                    os.kill(child.pid, signal.SIGKILL)


def figures() -> list[Figure]:
    """Seven releases on one box; prints a row for each."""
    found = []
    print("trouble                     requests  errors  live alone  from the first trouble on", flush=True)
    with running() as box:
        for number, trouble in enumerate(TROUBLES):
            prepare(box, f"troubled-{number}")
            alone, troubled, ended = meet(box, trouble)
            ratio = troubled.p99_ms / alone.p99_ms
            print(
                f"{trouble:26}  {len(troubled.seconds):8,}  {troubled.errors:6}  p99 {alone.p99_ms:4.1f} ms  "
                f"p99 {troubled.p99_ms:4.1f} ms (x{ratio:.2f}); {ended}", flush=True,
            )  # fmt: skip
            found += [
                Figure(
                    f"canary {trouble}: errors seen by callers",
                    float(alone.errors + troubled.errors),
                    0.0,
                    "",
                    at_least=False,
                ),
                Figure(f"canary {trouble}: p99 beside live's alone", ratio, SLOWER, "x", at_least=False),
            ]
    return found
