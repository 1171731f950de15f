"""The command line as people run it: a real process, on a home folder or against a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import joblib
import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tests.forked import commands

Run = Callable[..., subprocess.CompletedProcess[str]]
READY_S = 120.0


def environment(home: Path, **more: str) -> dict[str, str]:
    """This process's environment with another home and nothing else of lockgate; bytecode is kept, for speed."""
    kept = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("LOCKGATE_") and k != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "LOCKGATE_HOME": str(home), **more}


def runner(home: Path, folder: Path) -> Run:
    """Runs `lockgate WORDS...` in a folder on a home folder, and returns what came of it."""

    def run(*words: str, key: str | None = None, url: str | None = None) -> subprocess.CompletedProcess[str]:
        more = {name: value for name, value in (("LOCKGATE_KEY", key), ("LOCKGATE_URL", url)) if value}
        return commands().run(words, env=environment(home, **more), cwd=folder, timeout_s=200)

    return run


@pytest.fixture
def lockgate(tmp_path: Path) -> Run:
    """`lockgate` on a home of its own."""
    return runner(tmp_path / "home", tmp_path)


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a fitted model, a worse one, and their tables."""
    folder = tmp_path_factory.mktemp("work")
    rng = np.random.default_rng(0)

    def table(rows: int) -> pl.DataFrame:
        x = rng.normal(size=(rows, 3))
        churned = (x @ [1.0, 0.5, -1.0] + rng.normal(size=rows) * 0.8 > 0).astype(int)
        return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2], "churned": churned})

    train, test = table(2000), table(1000)
    train.write_parquet(folder / "train.parquet")
    test.write_csv(folder / "test.csv")
    for name, strength in (("model", 1.0), ("other", 0.01)):
        model = make_pipeline(StandardScaler(), LogisticRegression(C=strength))
        model.fit(train.select("a", "b", "c").to_pandas(), train["churned"].to_numpy())
        joblib.dump(model, folder / f"{name}.joblib")
    return folder


class Box:
    """A running `lockgate up`: its addresses, its folder, and `lockgate` against it over HTTP."""

    def __init__(self, home: Path, folder: Path) -> None:
        self.home, self.folder = home, folder
        self.near = runner(home, folder)
        words = [sys.executable, "-m", "lockgate.cli.main", "up", "--port", "0", "--gateway-port", "0"]
        with (folder / "up.log").open("wb") as log:
            self.process = subprocess.Popen(
                words, stdout=log, stderr=subprocess.STDOUT, env=environment(home), cwd=folder
            )
        self.console, self.gateway = self._addresses()
        self.key = self.said().split("\n\n  ")[1].split("\n")[0]

    def said(self) -> str:
        """What `lockgate up` printed so far."""
        return (self.folder / "up.log").read_text()

    def far(self, *words: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
        """`lockgate` from a laptop: over HTTP, in a folder without a home."""
        return self.near(*words, key=key or self.key, url=self.console)

    def wait_for(self, model: str, phase: str) -> dict:
        """The model's release when it is in a phase."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            found = json.loads(self.far("release", "status", model, "--json").stdout)
            if found["release"]["phase"] == phase:
                return found
            time.sleep(0.2)
        raise AssertionError(f"{model} did not reach {phase}: {found['release']} {self.said()}")

    def _addresses(self) -> tuple[str, str]:
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process.poll() is None:
            note = self.home / "run" / "addresses.json"
            if note.exists() and "console  http" in self.said() and "gateway  http" in self.said():
                found = json.loads(note.read_text())
                httpx.get(f"{found['console']}/api/health").raise_for_status()
                return found["console"], found["gateway"]
            time.sleep(0.1)
        raise AssertionError(self.said())


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A box for all tests of a file; it stops cleanly at the end."""
    folder = tmp_path_factory.mktemp("box")
    running = Box(folder / "home", folder)
    yield running
    running.process.terminate()
    assert running.process.wait(120) == 0
    assert "killed" not in running.said()
