"""A whole lockgate for a benchmark: `lockgate up` with two workers in a folder of its own, its API and its commands."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LOCKGATE = str(Path(sys.executable).with_name("lockgate"))
LIMIT_S, LOOK_S = 300.0, 0.5  # whoever looks more often is a part of what is measured


class NotInTime(Exception):
    """Something did not happen."""


@dataclass(frozen=True)
class Box:
    """A running lockgate."""

    folder: Path
    console: str
    gateway: str
    key: str

    def api(self, method: str, path: str, body: object = None) -> Any:
        """One call of the JSON API."""
        headers = {"authorization": f"Bearer {self.key}", "content-type": "application/json"}
        asked = urllib.request.Request(f"{self.console}/api{path}", method=method, headers=headers)
        asked.data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.load(answer)

    def release(self, model: str) -> dict[str, Any]:
        """The newest release of a model."""
        found: dict[str, Any] = self.api("GET", f"/models/{model}/releases?limit=1")[0]
        return found

    def wait_for(self, model: str, *phases: str) -> dict[str, Any]:
        """The newest release, when it is in one of these phases."""
        found: dict[str, Any] = until(lambda: (one := self.release(model))["phase"] in phases and one)
        return found

    def lockgate(self, *said: str) -> None:
        """One command, as from a laptop."""
        env = {**os.environ, "LOCKGATE_URL": self.console, "LOCKGATE_KEY": self.key}
        subprocess.run([LOCKGATE, *said], env=env, cwd=self.folder, check=True, capture_output=True)

    def runners(self) -> list[int]:
        """The processes of Python models behind the gateway."""
        found = []
        for path in (self.folder / "home" / "run").glob("gateway-*.pid"):
            for task in Path(f"/proc/{path.read_text().strip()}/task").glob("*/children"):
                found += [int(pid) for pid in task.read_text().split()]
        return found


def until(what: Callable[[], Any]) -> Any:
    """What is waited for. Raises NotInTime."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        if found := what():
            return found
        time.sleep(LOOK_S)
    raise NotInTime(f"not within {LIMIT_S:g} s")


@contextmanager
def running() -> Iterator[Box]:
    """A box with two workers, in a folder of its own, until the block ends."""
    with tempfile.TemporaryDirectory(prefix="lockgate-canaries-") as name:
        folder = Path(name)
        env = {**os.environ, "LOCKGATE_HOME": str(folder / "home")}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        with (folder / "up.log").open("wb") as log:
            argv = [LOCKGATE, "up", "--port", "0", "--gateway-port", "0", "--workers", "2"]
            process = subprocess.Popen(argv, stdout=log, stderr=log, env=env, cwd=folder)
        try:
            words = ("console  http", "gateway  http", "\n\n  ")
            until(lambda: all(word in (folder / "up.log").read_text() for word in words))
            said = (folder / "up.log").read_text()
            lines = (line.split() for line in said.splitlines() if line.startswith(("console ", "gateway ")))
            found = dict(lines)
            key = said.split("\n\n  ")[1].split("\n")[0]
            yield Box(folder, found["console"], found["gateway"], key)
        finally:
            process.terminate()
            process.wait(120)
