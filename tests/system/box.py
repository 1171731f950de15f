"""A real `lockgate up` on a home folder of its own, and `lockgate` as people run it: a process with words and a status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
from tests.forked import commands

from lockgate.config import Home

LOCKGATE = str(Path(sys.executable).with_name("lockgate"))
READY_S, STOP_S, VERB_S = 120.0, 120.0, 200.0
Done = subprocess.CompletedProcess[str]


def environment(home: Path, **more: str | None) -> dict[str, str]:
    """This process's environment with another home and nothing else of lockgate; None takes a variable away."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("LOCKGATE_")}
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    wanted = {**kept, "LOCKGATE_HOME": str(home), **more}
    return {name: value for name, value in wanted.items() if value is not None}


def run(*words: str, home: Path, folder: Path, timeout_s: float = VERB_S, **more: str | None) -> Done:
    """`lockgate WORDS...` in a folder, on a home, and what came of it."""
    return commands().run(words, env=environment(home, **more), cwd=folder, timeout_s=timeout_s)


def ok(done: Done) -> str:
    """Standard output of a verb that worked."""
    assert done.returncode == 0, f"{done.args}: {done.returncode}\n{done.stderr}{done.stdout}"
    return done.stdout


def refused(done: Done, status: int, *words: str) -> str:
    """What a refused verb said: this exit status, these words, a next step, no traceback."""
    assert done.returncode == status, f"{done.args}: {done.returncode}\n{done.stderr}{done.stdout}"
    assert done.stderr.startswith("lockgate: ") or "\nlockgate: " in done.stderr, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr, done.stderr
    return done.stderr


def wait_for(what: Callable[[], Any], limit_s: float = 90.0, said: Callable[[], object] = str) -> Any:
    """Poll until `what` gives something true; `said` explains when it never does."""
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"it did not happen in {limit_s:g} s: {said()}")


def stopped(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, and the exit status; what does not end is killed with everything that it started."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()  # its children end with it
        process.wait()
        raise


class Box:
    """A running lockgate: its addresses, the owner's key, and every way to it."""

    def __init__(self, folder: Path, *, workers: int = 1, config: str | None = None) -> None:
        self.folder, self.home = folder, Home(folder / "home")
        self._words = (LOCKGATE, "up", "--port", "0", "--gateway-port", "0", "--workers", str(workers))
        if config is not None:
            self.home.root.mkdir(parents=True)
            (self.home.root / "config.yaml").write_text(config)
        self.console = self.gateway = self.key = ""
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it (again) and wait until console and gateway answer."""
        with (self.folder / "up.log").open("wb") as log:
            self.process = subprocess.Popen(
                self._words, stdout=log, stderr=log, env=environment(self.home.root), cwd=self.folder
            )
        try:
            wait_for(self._is_up, READY_S, self.said)
        except AssertionError:
            self.stop()
            raise
        found = dict(
            line.split() for line in self.said().splitlines() if line.startswith(("console ", "gateway "))
        )
        self.console, self.gateway = found["console"], found["gateway"]
        if not self.key:
            self.key = self.said().split("\n\n  ")[1].split("\n")[0]

    def _is_up(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.said()
        return "console  http" in self.said() and "gateway  http" in self.said()

    def keep_ports(self) -> None:
        """Take the same ports when it is started again."""
        ports = {"--port": self.console, "--gateway-port": self.gateway}
        words = list(self._words)
        for option, address in ports.items():
            words[words.index(option) + 1] = address.rpartition(":")[2]
        self._words = tuple(words)

    def stop(self) -> int:
        """Stop it in good order, and the exit status."""
        assert self.process is not None
        return stopped(self.process)

    def said(self) -> str:
        """What `lockgate up` printed so far."""
        return (self.folder / "up.log").read_text()

    def near(self, *words: str, **more: str | None) -> Done:
        """`lockgate` on the home folder itself."""
        return run(*words, home=self.home.root, folder=self.folder, **more)

    def far(self, *words: str, key: str | None = None, folder: Path | None = None) -> Done:
        """`lockgate` from a laptop: over HTTP, with a key, in a folder without a home."""
        keyed = {"LOCKGATE_URL": self.console, "LOCKGATE_KEY": self.key if key is None else key}
        return run(*words, home=self.folder / "nowhere", folder=folder or self.folder, **keyed)

    def ask(self, path: str, **params: Any) -> Any:
        """One read of the JSON API."""
        return self.api("GET", path, params=params).raise_for_status().json()

    def api(self, method: str, path: str, *, key: str | None = None, **request: Any) -> httpx.Response:
        """One request to the JSON API."""
        headers = {"authorization": f"Bearer {self.key if key is None else key}"}
        return httpx.request(method, f"{self.console}/api{path}", headers=headers, timeout=60, **request)

    def client(self, key: str | None = None) -> httpx.Client:
        """An HTTP client of the gateway; "": without a key."""
        headers = {} if key == "" else {"authorization": f"Bearer {key or self.key}"}
        return httpx.Client(base_url=self.gateway, headers=headers, timeout=60)

    def release(self, model: str) -> dict[str, Any]:
        """The running or last release of a model."""
        found: dict[str, Any] = self.ask(f"/models/{model}/release")
        return found

    def wait_for_phase(self, model: str, *phases: str, limit_s: float = 120.0) -> dict[str, Any]:
        """The model's release when it is in one of these phases."""
        found: dict[str, Any] = {}

        def there() -> bool:
            found.update(self.release(model))
            return found["release"]["phase"] in phases

        wait_for(there, limit_s, lambda: (found["release"], found["status"], self.said()))
        return found

    def log(self, model: str, **asked: Any) -> list[dict[str, Any]]:
        """The prediction log of a model, a row per predicted row, oldest first."""
        body = self.api("GET", f"/models/{model}/log", params=asked).raise_for_status().text
        return [json.loads(line) for line in body.splitlines()]

    def pid(self, name: str) -> int | None:
        """The process that the supervisor calls by this name, when it runs."""
        try:
            return int((self.home.run / f"{name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def kill(self, name: str) -> bool:
        """Kill -9 one of its processes; False when it is just being started again."""
        number = self.pid(name)
        if number is None:
            return False
        try:
            os.kill(number, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def submit_words(model: str, name: str, data: Mapping[str, Path], **settings: str) -> tuple[str, ...]:
    """The words of `lockgate submit` for a model file with its tables and settings."""
    words = ["submit", model, "--name", name, "--target", "repaid"]
    for split, path in data.items():
        words += [f"--{split}", str(path)]
    for setting, value in settings.items():
        words += ["--set", f"{setting}={value}"]
    return tuple(words)
