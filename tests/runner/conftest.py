"""Other interpreters for the tests of the runner."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def run_python() -> Callable[..., str]:
    """Run a script in an interpreter and return what it printed."""

    def run(python: Path, script: str, *arguments: object) -> str:
        command = [str(python), "-c", script, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=110).stdout

    return run
