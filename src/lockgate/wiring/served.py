"""A sealed version behind a gateway worker of its own, for the time of a validation: what callers would really get.

The worker is the gateway's own program over a home of its own below `run/`: its plan names this one version, its key is
made up for the occasion, its log goes with it. Packages and environments are those of the house.
"""

from __future__ import annotations

import math
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType

import httpx
import msgspec
import numpy as np

from lockgate.access import Access, AccessShelf, Caller, key_hash
from lockgate.config import Home, ServerConfig
from lockgate.errors import PredictionFailed, Unavailable
from lockgate.registry.package import blob_name
from lockgate.registry.store import Version
from lockgate.traffic import Arm, PlanShelf, Role, Route
from lockgate.wiring.house import House

START_S = 120.0
_STEP_S = 0.05
_LAST_WORDS = 400


class ServedVersion:
    """One worker that serves one version on a loopback port. Use it as a context; `url` and `key` are for callers."""

    def __init__(self, house: House, version: Version, python: str | None = None) -> None:
        self.model, self.key, self.manifest = version.model, secrets.token_urlsafe(32), version.manifest
        self._house, self._version, self._python = house, version, python
        house.home.run.mkdir(parents=True, exist_ok=True)
        self._home = Home(Path(tempfile.mkdtemp(prefix="served-", dir=house.home.run)))
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    def __enter__(self) -> ServedVersion:
        try:
            self._furnish()
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the worker and take its home away. Closing twice does no harm."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        shutil.rmtree(self._home.root, ignore_errors=True)

    def _furnish(self) -> None:
        """The home: settings, the house's packages and environments, a key, a plan of one version."""
        house, home = self._house, self._home
        home.cache.symlink_to(house.home.cache, target_is_directory=True)
        blobs = house.config.blobs or str(house.home.blobs)
        settings = ServerConfig(blobs=blobs, environment=house.config.environment)
        (home.root / "config.yaml").write_bytes(msgspec.json.encode(settings))
        home.prepare()
        access, plan = AccessShelf(home.access), PlanShelf(home.plan)
        try:
            access.publish(
                Access(callers={key_hash(self.key): Caller("validation", (self.model,), (self.model,))})
            )
            arm = Arm(
                version=self._version.number, digest=self._version.digest, role=Role.LIVE, python=self._python
            )
            plan.publish_route(Route(model=self.model, arms=(arm,), salt="validation", deadline_ms=60_000.0))
        finally:
            access.close()
            plan.close()
        if not house.blobs.exists(blob_name(self._version.digest)):
            raise Unavailable(
                "the package of this version cannot be found in the store", got=self._version.digest
            )

    def _start(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        argv = [sys.executable, "-m", "lockgate.gateway.worker", "--home", str(self._home.root), "--name", "gateway-0",
                "--host", "127.0.0.1", "--port", str(port), "--drain-pause-s", "0"]  # fmt: skip
        with self._words.open("wb") as words:
            self._process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=words)
        self.url = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + START_S
        while not self._ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                said = self._words.read_text(errors="replace").strip()[-_LAST_WORDS:]
                raise Unavailable(
                    "the gateway did not begin to serve this version", got=said or "it said nothing"
                )
            time.sleep(_STEP_S)

    def _ready(self) -> bool:
        try:
            path = f"{self.url}/v2/models/{self.model}/ready"
            return httpx.get(path, headers=headers_of(self.key), timeout=5).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    @property
    def pid(self) -> int:
        """The worker's process. Raises Unavailable where none runs."""
        if self._process is None:
            raise Unavailable("the gateway of this version was not started", fix="use it as a context")
        return self._process.pid

    @property
    def _words(self) -> Path:
        return self._home.run / "gateway-0.err"


def headers_of(key: str | None) -> dict[str, str]:
    """What a caller sends to be let in."""
    return {} if key is None else {"authorization": f"Bearer {key}"}


def refuse_answer(answer: httpx.Response) -> None:
    """Raise PredictionFailed for an answer that is an error, with its words."""
    if answer.status_code != httpx.codes.OK:
        raise PredictionFailed(
            "the served model refused rows", got=f"{answer.status_code}: {answer.text[:300]}"
        )


def plain(array: np.ndarray) -> list[object]:
    """An array as a flat list for JSON: missing values are null.

    >>> plain(np.array([1.5, np.nan]))
    [1.5, None]
    """
    values = array.reshape(-1).tolist()
    return [None if isinstance(value, float) and math.isnan(value) else value for value in values]
