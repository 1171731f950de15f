"""A lockgate of the demo's own: `lockgate up` as a child process, and its verbs, exactly as a person would use them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

LOCKGATE = (str(Path(sys.executable).with_name("lockgate")),)
START_S, STOP_S = 60.0, 30.0


class VerbFailedError(Exception):
    """A verb ended with another exit status than 0; the message is what it printed."""

    def __init__(self, status: int, output: str, error: str) -> None:
        super().__init__(f"exit {status}\n{output}\n{error}")
        self.status, self.output, self.error = status, output, error


@dataclass
class Box:
    """One home folder with everything running on it."""

    folder: Path
    console: str = ""
    gateway: str = ""
    process: subprocess.Popen[str] | None = None
    key: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def prepare(self, project: str) -> None:
        """An empty folder with a `lockgate.yaml`."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        (self.folder / "lockgate.yaml").write_text(project)
        hidden = ("LOCKGATE_URL", "LOCKGATE_KEY", "LOCKGATE_HOME")
        self.environment = {name: value for name, value in os.environ.items() if name not in hidden}

    def up(self, *, workers: int) -> None:
        """`lockgate up` on free ports; returns when console and gateway answer."""
        log = (self.folder / "up.log").open("w")
        command = [*LOCKGATE, "up", "--port", "0", "--gateway-port", "0", "--workers", str(workers)]
        self.process = subprocess.Popen(
            command, cwd=self.folder, env=self.environment, stdout=log, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            said = dict(
                line.split(maxsplit=1) for line in self.said() if line.startswith(("console ", "gateway "))
            )
            if len(said) == 2:
                self.console, self.gateway = said["console"].strip(), said["gateway"].strip()
                return
            time.sleep(0.1)
        raise SystemExit("lockgate did not start:\n" + "\n".join(self.said()))

    def said(self) -> list[str]:
        """What `lockgate up` printed so far."""
        return (self.folder / "up.log").read_text().splitlines()

    def down(self) -> None:
        """Ctrl-C, and wait."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(STOP_S)

    def verb(self, *words: str, key: str | None = None, folder: Path | None = None) -> str:
        """Run one verb and return what it printed. Raises VerbFailedError."""
        environment = {**self.environment, **({"LOCKGATE_KEY": key} if key else {})}
        done = subprocess.run(
            [*LOCKGATE, *words],
            cwd=folder or self.folder,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise VerbFailedError(done.returncode, done.stdout, done.stderr)
        return done.stdout

    def ask(self, *words: str, key: str | None = None) -> Any:
        """Run one verb with `--json` and return the value."""
        return json.loads(self.verb(*words, "--json", key=key))

    def rows(self, *words: str) -> list[dict[str, Any]]:
        """Run one verb whose `--json` prints a row a line."""
        return [json.loads(line) for line in self.verb(*words, "--json").splitlines()]

    def release(self, model: str, key: str) -> dict[str, Any]:
        """Where the newest release of a model stands, from the JSON API: cheap enough to ask often."""
        url = f"{self.console}/api/models/{model}/release"
        answer = httpx.get(url, headers={"Authorization": f"Bearer {key}"}, timeout=15)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def answers(self, model: str, key: str) -> bool:
        """Whether the gateway serves a model now."""
        url = f"{self.gateway}/v2/models/{model}/ready"
        return httpx.get(url, headers={"Authorization": f"Bearer {key}"}).status_code == 200
