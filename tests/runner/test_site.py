"""Code that an environment's packages run at every start of its interpreter runs behind the walls, like the model."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lockgate.inference.runner_order import Order
from lockgate.inference.runner_process import RunnerProcess
from lockgate.runner import columns, wire

STARTS = """
import os, sys
def tried(path):
    try:
        return "LEAK " + open(path).read()
    except OSError as error:
        return f"refused {error.strerror}"
sys.at_start = [tried(SECRET), ",".join(sorted(os.environ))]
"""
MODEL = """
import sys
import numpy as np
def predict(columns):
    return np.array([" | ".join(sys.at_start)] * len(columns["x"]), dtype=object)
"""


def test_a_pth_file_runs_behind_the_walls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A .pth file that reads a secret is refused it, and still brings the packages that it names."""
    environment, package = tmp_path / "environment", tmp_path / "package"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    (tmp_path / "secret").write_text("the signing key")
    place = next(environment.glob("lib/python3*/site-packages"))
    (place / "lg_starts.py").write_text(f"SECRET = {str(tmp_path / 'secret')!r}\n{STARTS}")
    ours = Path(np.__file__).parents[1]
    (place / "lg.pth").write_text(f"import lg_starts\n{ours}\n")
    (package / "code").mkdir(parents=True)
    (package / "code" / "at_start.py").write_text(MODEL)
    monkeypatch.setenv("LG_KEY", "lk-secret")
    runner = RunnerProcess(Order(python=environment / "bin/python", folder=package, framework="python",
                                 model_path="code", entry="at_start:predict", read=(str(ours),)))  # fmt: skip
    try:
        body = columns.encode({"x": np.zeros(1)})
        (said,) = columns.decode(runner.ask(wire.Kind.PREDICT, body, 30.0))["prediction"]
    finally:
        runner.kill()
    assert said.startswith("refused"), said
    assert "LG_KEY" not in said
