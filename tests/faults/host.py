"""A gateway host of its own home: `lockgate gateway` as people run it, following a box."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
from tests.system.box import LOCKGATE, READY_S, Box, environment, ok, stopped, wait_for

from lockgate.config import Home


def host_key(box: Box, name: str = "edge") -> str:
    """The key of an application with the role host."""
    ok(box.near("person", "add", name, "--application"))
    ok(box.near("grant", name, "host"))
    return next(word for word in ok(box.near("key", "create", name)).split() if len(word) > 30)


class Host:
    """One host; `prefix` goes before its command (a network namespace, say)."""

    def __init__(
        self, folder: Path, url: str, key: str, *, workers: int = 1, prefix: tuple[str, ...] = (),
        config: str | None = None,
    ) -> None:  # fmt: skip
        self.folder, self.home, self.url, self.key = folder, Home(folder / "host"), url, key
        self.home.root.mkdir(parents=True)
        if config is not None:
            (self.home.root / "config.yaml").write_text(config)
        self._words = (
            *prefix,
            LOCKGATE,
            "gateway",
            "--control",
            url,
            "--port",
            "0",
            "--workers",
            str(workers),
        )
        self.gateway = self.name = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, listening: bool = True) -> None:
        """Start it, and wait until it said where it serves."""
        keyed = environment(self.home.root, LOCKGATE_KEY=self.key)
        with (self.folder / "host.log").open("wb") as log:
            self.process = subprocess.Popen(self._words, stdout=log, stderr=log, env=keyed, cwd=self.folder)
        wait_for(lambda: "host     " in self.said(), READY_S, self.said)
        found = dict(
            line.split()[:2] for line in self.said().splitlines() if line.startswith(("gateway ", "host "))
        )
        self.gateway, self.name = found["gateway"], found["host"]
        if listening:
            wait_for(self.answers, READY_S, self.words)

    def answers(self) -> bool:
        """Whether it is ready."""
        try:
            return httpx.get(f"{self.gateway}/v2/health/ready", timeout=20).status_code == 200
        except httpx.TransportError:
            return False

    def pid(self, name: str) -> int:
        """A process of it: `agent` or `gateway-0`."""
        full = name if name == "agent" else f"{self.name}.{name}"
        return int(wait_for((self.home.run / f"{full}.pid").read_text, 60))

    def members(self) -> list[dict[str, Any]]:
        """What its workers say of themselves."""
        return [json.loads(path.read_text()) for path in self.home.members.glob("*.json")]

    def words(self) -> str:
        """What its processes wrote."""
        return self.said() + "".join(path.read_text() for path in self.home.run.glob("*.log"))

    def said(self) -> str:
        """What the command printed."""
        return (self.folder / "host.log").read_text()

    def call(self, key: str, model: str, body: dict[str, Any]) -> httpx.Response:
        """One prediction."""
        headers = {"authorization": f"Bearer {key}"}
        return httpx.post(f"{self.gateway}/v2/models/{model}/infer", json=body, headers=headers, timeout=60)

    def stop(self) -> int:
        """Stop it in good order, and the exit status."""
        assert self.process is not None
        return stopped(self.process)


def arms_of(answers: list[httpx.Response]) -> set[str]:
    """Which arms answered; every answer must be a 200."""
    assert {answer.status_code for answer in answers} == {200}, [answer.text for answer in answers]
    return {answer.headers["x-lockgate-arm"] for answer in answers}


def freeze(pid: int) -> None:
    """Stop a process where it stands, as a machine that hangs would."""
    os.kill(pid, signal.SIGSTOP)


def thaw(pid: int) -> None:
    """Let it go on."""
    os.kill(pid, signal.SIGCONT)


def members_of(box: Box) -> dict[str, dict[str, Any]]:
    """What the control plane knows of every gateway worker, by name."""
    return {path.stem: json.loads(path.read_text()) for path in box.home.members.glob("*.json")}


def settled(what: Any, limit_s: float, said: Any = str, every_s: float = 0.05) -> float:
    """How long it took until `what` was true, in seconds; `said` explains when it never was."""
    start = time.monotonic()
    while not what():
        assert time.monotonic() - start < limit_s, f"it did not happen in time: {said()}"
        time.sleep(every_s)
    return time.monotonic() - start
