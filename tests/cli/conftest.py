"""The command line as people run it: a real process, on a home folder or against a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lockgate(tmp_path: Path) -> Run:
    """Runs `lockgate WORDS...` in a folder of its own, on a home folder of its own, and returns what came of it."""

    def run(*words: str, key: str | None = None, url: str | None = None, folder: Path | None = None):
        environment = {k: v for k, v in os.environ.items() if not k.startswith("LOCKGATE_")}
        environment["LOCKGATE_HOME"] = str(tmp_path / "home")
        if key:
            environment["LOCKGATE_KEY"] = key
        if url:
            environment["LOCKGATE_URL"] = url
        return subprocess.run(
            [sys.executable, "-m", "lockgate.cli.main", *words],
            capture_output=True, text=True, timeout=110, env=environment, cwd=folder or tmp_path, check=False,
        )  # fmt: skip

    return run
