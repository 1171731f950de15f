"""The process of a search is killed: finished trials stay, and it goes on with the rest."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

PROJECT = """
models:
  flow:
    target: y
    pipeline: flow.py
    data: {train: train.parquet, test: test.parquet}
    tune:
      aims: [{metric: accuracy}]
      workers: 2
      space: {at: {type: float, low: -1.0, high: 1.0}}
"""
FLOW = """
import time
import polars as pl

class Cut:
    def __init__(self, at):
        self.at = at

    def predict(self, rows):
        return [value > self.at for value in rows["x"]]

def model(train: pl.DataFrame, at: float = 0.0):
    time.sleep(0.4)
    return Cut(at)

def metrics(model, test: pl.DataFrame) -> dict:
    return {"accuracy": float(((test["x"] > model.at) == (test["y"] == 1)).mean())}
"""
PATIENCE_S = 400.0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a pipeline whose trials take a moment."""
    x = np.random.default_rng(0).normal(size=120)
    frame = pl.DataFrame({"x": x, "y": (x > 0.3).astype(int)})
    frame[:90].write_parquet(tmp_path / "train.parquet")
    frame[90:].write_parquet(tmp_path / "test.parquet")
    (tmp_path / "lockgate.yaml").write_text(PROJECT)
    (tmp_path / "flow.py").write_text(FLOW)
    return tmp_path


def command(*words: str) -> list[str]:
    """A `lockgate` line."""
    return [sys.executable, "-m", "lockgate.cli.main", *words]


def environment(project: Path) -> dict[str, str]:
    """Its own home, nobody else's key."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCKGATE_")}
    return {**kept, "LOCKGATE_HOME": str(project / "home")}


def trials(project: Path) -> list[tuple[int, str, str]]:
    """What is on record: number, state, parameters."""
    path = project / "home" / "lockgate.db"
    if not path.exists():
        return []
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as db:
        try:
            rows = db.execute("SELECT number, state, body FROM trials ORDER BY number").fetchall()
        except sqlite3.OperationalError:
            return []
    return [(number, state, json.dumps(json.loads(body)["parameters"])) for number, state, body in rows]


def said(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What a `lockgate` line says."""
    return subprocess.run(command(*words), cwd=project, env=environment(project), capture_output=True, text=True,
                          timeout=PATIENCE_S, check=False)  # fmt: skip


@pytest.mark.timeout(1200)
def test_a_killed_search_loses_no_finished_trial(project: Path) -> None:
    """`kill -9` while trials run: they are tried again with the same values, the finished ones stay as they were. It is given
    more trials than it can finish before the kill, however late that comes."""
    searching = subprocess.Popen(
        command("tune", "flow", "--trials", "1000"), cwd=project, env=environment(project), stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + PATIENCE_S
    while sum(state == "done" for _, state, _ in trials(project)) < 1:
        assert searching.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline, trials(project)
        time.sleep(0.02)
    searching.send_signal(signal.SIGKILL)
    searching.wait()
    before = trials(project)
    cut_off = [parameters for _, state, parameters in before if state == "running"]
    shown = said(project, "tune", "show", "flow", "--json")
    assert json.loads(shown.stdout)["search"]["state"] == "lost"
    finished = [row for row in before if row[1] in ("done", "pruned")]
    in_all = str(len(finished) + 2)  # as many are under way at once
    went_on = said(project, "tune", "flow", "--resume", "--trials", in_all, "--json")
    assert went_on.returncode == 0, went_on.stderr
    after = trials(project)
    assert [row for row in after if row[0] in {number for number, _, _ in finished}] == finished
    assert sum(state == "done" for _, state, _ in after) == len(finished) + 2
    again = [parameters for number, _, parameters in after if number > len(before)]
    assert all(parameters in again for parameters in cut_off)
    found = json.loads(went_on.stdout)["search"]
    assert (found["id"], found["state"]) == (1, "done")
