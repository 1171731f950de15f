"""What `lockgate data add` says of a table: what is worth a look, what stops a build, what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from tests.cli.conftest import Run


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A clean table, one with a column that says nothing, and files that are no tables."""
    rng = np.random.default_rng(0)
    clean = pl.DataFrame({"age": rng.normal(40, 9, 300), "plan": rng.choice(["a", "b"], 300)})
    clean.write_csv(tmp_path / "clean.csv")
    clean.with_columns(pl.lit(7).alias("same")).write_csv(tmp_path / "spoilt.csv")
    (tmp_path / "empty.csv").write_text("\n")
    (tmp_path / "torn.parquet").write_bytes(b"PAR1 and no more")
    return tmp_path


@pytest.mark.usefixtures("tables")
def test_what_is_worth_a_look_is_said_and_may_stop_a_build(lockgate: Run) -> None:
    """A constant column is named with the step that takes it out; a clean table says nothing, and passes the strictest build."""
    clean = lockgate("data", "add", "clean", "clean.csv", "--strict")
    assert (clean.returncode, clean.stdout.count("\n")) == (0, 1)
    spoilt = lockgate("data", "add", "spoilt", "spoilt.csv")
    assert spoilt.returncode == 0
    assert "frame.drop(['same'])" in spoilt.stdout
    again = lockgate("data", "add", "spoilt", "spoilt.csv", "--strict", "--json")
    assert again.returncode == 1
    assert [one["status"] for one in json.loads(again.stdout)["findings"]] == ["warn"]


@pytest.mark.usefixtures("tables")
def test_a_bad_file_is_named_as_its_owner_knows_it(lockgate: Run) -> None:
    """Not by where the server put it; and nothing is recorded."""
    for name, word in (("empty.csv", "empty.csv: the file is empty"), ("torn.parquet", "torn.parquet: this")):
        refused = lockgate("data", "add", "x", name)
        assert refused.returncode == 2
        assert f"lockgate: {word}" in refused.stderr
    assert json.loads(lockgate("data", "list", "--json").stdout) == []
