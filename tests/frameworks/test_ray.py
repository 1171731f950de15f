"""Checks on a real Ray cluster of several machines on this one: the same findings, a machine that is killed, the verb itself."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import joblib
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(3600)]
SIDE = Path(__file__).parent / "ray_side" / "on_cluster.py"
CALL_S = 1500.0


def told(python: Path, *words: object) -> dict[str, object]:
    """What `on_cluster.py` prints."""
    done = subprocess.run(
        [str(python), str(SIDE), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=CALL_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    said: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return said


def test_a_cluster_finds_what_this_machine_finds(ray_python: Path) -> None:
    """Five checks on two machines, of which two ask a model that only the owner has: the same findings to the byte."""
    said = told(ray_python, "same")
    assert said["same"]
    assert said["order"] == ["quality", "performance", "noise", "importance_shift", "label_errors"]
    assert said["asked"] == said["asked_here"]
    assert said["used"]
    steps = [tuple(step) for step in said["steps"]]
    assert all((name, state) in steps for name in said["order"] for state in ("waiting", "running", "done"))


def test_a_machine_that_dies_takes_no_check_along(ray_python: Path) -> None:
    """One of two machines is killed when a check runs: whatever ran there is done elsewhere; limits hold there too."""
    said = told(ray_python, "fail")
    assert said["killed"]
    # the owner's look or the kernel's refusal, whichever is first
    assert any(words in said["headlines"]["quality"] for words in ("memory", "its process ended"))
    assert "more than 0 seconds" in said["headlines"]["label_errors"]
    for name in ("performance", "noise", "importance_shift"):
        assert "could_not_run" not in said["statuses"][name], said


@pytest.fixture
def cluster(ray_python: Path, tmp_path: Path) -> Iterator[str]:
    """The address of a cluster that runs as long as the test."""
    note = tmp_path / "address"
    with (tmp_path / "cluster.log").open("wb") as log:
        process = subprocess.Popen(
            [ray_python, SIDE, "serve", note], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + CALL_S
        while not note.exists() or not note.read_text():
            assert process.poll() is None, (tmp_path / "cluster.log").read_text()[-3000:]
            assert time.monotonic() < deadline, "the cluster did not start"
            time.sleep(0.2)
        yield note.read_text()
    finally:
        process.communicate(timeout=CALL_S)


def test_lockgate_validates_on_a_cluster(cluster: str, ray_python: Path, tmp_path: Path) -> None:
    """`--compute` sends the checks there; the findings are those of this machine, and what is no address is refused."""
    frame = pl.DataFrame(
        {"a": [x / 100 for x in range(600)], "b": [(x * 37) % 11 for x in range(600)]}
    ).with_columns(y=((pl.col("a") + pl.col("b") / 3) > 4.6).cast(pl.Int64))
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=0)
    train, test = mixed[:400], mixed[400:]
    train.write_parquet(tmp_path / "train.parquet")
    test.write_parquet(tmp_path / "test.parquet")
    model = LogisticRegression().fit(train.select("a", "b").to_pandas(), train["y"].to_numpy())
    joblib.dump(model, tmp_path / "model.joblib")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("LOCKGATE_")}
    where = {**kept, "LOCKGATE_HOME": str(tmp_path / "home")}

    def lockgate(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([str(ray_python.with_name("lockgate")), *words], capture_output=True, text=True,
                              timeout=CALL_S, env=where, cwd=tmp_path, check=False)  # fmt: skip

    sealed = lockgate("submit", "model.joblib", "--name", "m", "--train", "train.parquet", "--test", "test.parquet",
                      "--target", "y")  # fmt: skip
    assert sealed.returncode == 0, sealed.stderr
    here = lockgate("validate", "m/1", "--suite", "quick", "--json")
    there = lockgate("validate", "m/1", "--suite", "quick", "--json", "--compute", cluster)
    assert there.returncode == here.returncode, there.stderr
    assert json.loads(there.stdout)["findings"] == json.loads(here.stdout)["findings"]
    nowhere = lockgate("validate", "m/1", "--suite", "quick", "--compute", "dask://x")
    assert (nowhere.returncode, "nowhere to compute" in nowhere.stderr) == (2, True)
