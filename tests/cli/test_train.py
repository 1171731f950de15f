"""Data sets and pipelines by the command line, as people run it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from pathlib import Path

import deltalake
import polars as pl
import pytest
from tests.cli.conftest import Run

import lockgate as api

pytestmark = pytest.mark.timeout(900)  # a verb takes seconds, on a busy machine many
ROWS = pl.DataFrame(
    {"id": range(40), "income": [float(number % 7) for number in range(40)], "plan": ["basic", "plus"] * 20}
)
PIPELINE = """
import polars as pl

def rows(raw: pl.DataFrame, least: float = 0.0) -> pl.DataFrame:
    return raw.filter(pl.col("income") >= least)

def model(rows):
    return len

def metrics(rows):
    return {"rows": rows.height}
"""
YAML = """
models:
  flow:
    pipeline: flow.py
    data: {raw: rows.csv}
"""


def ok(done: subprocess.CompletedProcess[str]) -> str:
    """Standard output of a verb that worked."""
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in a git repository, with a table, a database and a Delta table of the same rows."""
    (tmp_path / "lockgate.yaml").write_text(YAML)
    (tmp_path / "flow.py").write_text(PIPELINE)
    ROWS.write_csv(tmp_path / "rows.csv")
    ROWS.write_parquet(tmp_path / "rows.parquet")
    deltalake.write_deltalake(str(tmp_path / "lake"), ROWS)
    with sqlite3.connect(tmp_path / "bank.db") as bank:
        bank.execute("create table loans (id integer, income real, plan text)")
        bank.executemany("insert into loans values (?, ?, ?)", ROWS.rows())
    for words in (["init", "-q"], ["add", "flow.py", "lockgate.yaml"], ["commit", "-q", "-m", "first"]):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)
    return tmp_path


def test_the_same_rows_are_one_version_wherever_they_come_from(lockgate: Run, project: Path) -> None:
    """CSV, Parquet, a query, a Delta table, a reference: one content, one version; a second content is compared and split."""
    assert "loans@1 is recorded: 40 rows, 3 columns" in ok(lockgate("data", "add", "loans", "rows.csv"))
    for words in (
        ["rows.parquet"],
        ["lake"],
        ["--sql", "select * from loans", "--database", f"sqlite:///{project}/bank.db"],
    ):
        assert "loans@1 holds the same rows already" in ok(lockgate("data", "add", "loans", *words))
    assert "expect" not in ok(lockgate("data", "expect", "loans", "--like", "loans@1"))
    ROWS.with_columns(pl.col("income") + 100).write_csv(project / "rows.csv")
    done = lockgate("data", "add", "loans", "rows.csv")
    assert done.returncode == 1
    assert "breaks its contract: income: up to 106" in done.stdout
    assert "-> frame.filter((pl.col('income') <=" in done.stdout
    said = ok(lockgate("data", "diff", "loans@1", "loans@2", "--key", "id"))
    assert "40 in both, 40 with other values, 0 gone, 0 new" in said
    parts = json.loads(ok(lockgate("data", "split", "loans@1", "--group", "id", "--json")))
    assert sum(part["data"]["rows"] for part in parts.values()) == 40
    assert "split into loans-" in ok(lockgate("data", "lineage", "loans@1"))
    ok(lockgate("data", "describe", "loans", "owner=risk", "access=ask Anna"))
    assert "ask Anna" in ok(lockgate("data", "show", "loans"))
    refused = lockgate(
        "data", "add", "loans", "--sql", "select * from nowhere", "--database", f"sqlite:///{project}/bank.db"
    )
    assert refused.returncode == 2
    assert "no such table: nowhere" in refused.stderr


def test_a_project_is_trained_listed_and_compared(lockgate: Run, project: Path) -> None:
    """Steps run and are kept; runs stand side by side; a dirty tree is marked, or refused where it is asked to be clean."""
    first = json.loads(ok(lockgate("train", "flow", "--no-submit", "--json")))["run"]
    assert first["metrics"] == {"rows": 40.0}
    assert first["made"]["data"]["raw"]["name"] == "flow-raw"
    assert len(first["made"]["code_commit"]) == 40
    said = ok(lockgate("train", "flow", "--no-submit", "--set", "least=3"))
    assert "run 2 is on record; nothing was submitted" in said
    differs = json.loads(ok(lockgate("runs", "compare", "1", "2", "--json")))
    assert {"what": "parameter least", "first": "0.0", "second": "3"} in differs
    assert "library polars" not in {row["what"] for row in differs}
    (project / "flow.py").write_text(PIPELINE.replace("return len", "return abs"))
    third = json.loads(ok(lockgate("train", "flow", "--no-submit", "--json")))["run"]
    assert third["made"]["code_commit"].endswith("-dirty")
    assert {step["name"]: step["state"] for step in third["steps"]} == {
        "rows": "kept",
        "model": "ran",
        "metrics": "kept",
    }
    refused = lockgate("train", "flow", "--no-submit", "--clean")
    assert refused.returncode == 5
    assert "differ from its commit" in refused.stderr
    assert "flow.py" in refused.stderr


def test_a_frame_is_a_version_from_python(tmp_path: Path) -> None:
    """polars and pandas frames of the same rows are the same version."""
    first = api.add_data("loans", ROWS, home=tmp_path / "home")
    again = api.add_data("loans", ROWS.to_pandas(), home=tmp_path / "home")
    assert (first["new"], again["new"], again["data"]["number"]) == (True, False, 1)
