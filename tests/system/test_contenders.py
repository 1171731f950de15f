"""The best of a search go to shadow together, beside a live version that callers use: each gets its own verdict."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from tests.system.box import Box, Done, ok, run, wait_for
from tests.system.callers import Callers
from tests.system.conftest import Start
from tests.system.loans import FEATURES, NUMBERS, WORDS, Loans, make_loans

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
LONG_S = 1200.0
PROJECT = """
models:
  loan:
    target: repaid
    pipeline: loan.py
    data: {train: train.parquet, test: test.csv}
    tune:
      aims: [{metric: accuracy}]
      space: {strength: {type: categorical, choices: [1.0, 0.05, 0.01]}}
      sampler: grid
"""
FLOW = f"""
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS, WORDS = {NUMBERS!r}, {WORDS!r}

def inputs(rows):
    return rows[NUMBERS].join(rows[WORDS].astype(str))

def model(train: pd.DataFrame, strength: float = 0.1):
    columns = make_column_transformer((StandardScaler(), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), WORDS))
    return make_pipeline(columns, LogisticRegression(C=strength, max_iter=500)).fit(inputs(train), train["repaid"])

def metrics(model, test: pd.DataFrame) -> dict:
    return {{"accuracy": float((model.predict(inputs(test)) == test["repaid"]).mean())}}
"""


@pytest.fixture
def project(tmp_path: Path) -> tuple[Path, Loans]:
    """A folder with a pipeline of car loans."""
    loans = make_loans(tmp_path)
    (tmp_path / "lockgate.yaml").write_text(PROJECT)
    (tmp_path / "loan.py").write_text(FLOW)
    return tmp_path, loans


def known(box: Box) -> list[dict[str, object]]:
    """Who contends, as programs read it."""
    found: list[dict[str, object]] = json.loads(ok(box.far("release", "contenders", "loan", "--json")))
    return found


def at_length(box: Box, folder: Path, *words: str) -> Done:
    """A verb that trains or validates several versions: on a busy machine for long."""
    keyed = {"LOCKGATE_URL": box.console, "LOCKGATE_KEY": box.key}
    return run(*words, home=box.folder / "nowhere", folder=folder, timeout_s=LONG_S, **keyed)


def test_the_best_three_answer_in_shadow_together(start_box: Start, project: tuple[Path, Loans]) -> None:
    """Trained, live, searched, three in shadow at once; each has a verdict, by labels too; one is released and the rest leave."""
    folder, loans = project
    box = start_box()
    ok(box.far("train", "loan", folder=folder))
    ok(at_length(box, folder, "tune", "loan"))
    refused = box.far("tune", "use", "loan", "--shadow", "3", folder=folder)
    assert refused.returncode == 5
    assert "nothing to shadow" in refused.stderr
    ok(box.far("validate", "loan/1"))
    ok(box.far("release", "loan/1", "--set", "watch_s=1"))
    box.wait_for_phase("loan", "done")
    with Callers(box, loans, "loan", threads=2) as callers:
        wait_for(lambda: callers.versions["loan/1"] > 300)
        said = ok(at_length(box, folder, "tune", "use", "loan", "--shadow", "3"))
    assert said.count("it answers in shadow beside live until") == 3, said
    assert set(callers.answered.values()) == {200}
    wait_for(
        lambda: all(one["shadow"] and one["shadow"]["pairs"] >= 300 for one in known(box)),
        300,
        lambda: known(box),
    )
    _with_labels(box, loans)
    found = known(box)
    assert [one["contender"]["version"] for one in found] == [2, 3, 4]
    assert {one["state"] for one in found} == {"scored"}
    assert all(one["labelled"]["rows"] >= 300 and 0 < one["labelled"]["contender"] <= 1 for one in found)
    assert len({one["shadow"]["agreement"] for one in found}) > 1, "three verdicts, not one three times"
    assert all(f"loan/{number}" in ok(box.far("release", "contenders", "loan")) for number in (2, 3, 4))
    ok(box.far("release", "loan/2", "--set", "watch_s=1"))
    assert {one["contender"]["version"]: one["state"] for one in known(box)}[2] == "released"
    ok(box.far("release", "withdraw", "loan/4", "--reason", "loan/2 is better"))
    assert {one["contender"]["version"]: one["state"] for one in known(box)}[4] == "withdrawn"
    assert ok(box.far("audit", "verify")).startswith("whole: ")


def _with_labels(box: Box, loans: Loans) -> None:
    """What really happened, for everybody who asked."""
    rows = pd.DataFrame(box.log("loan", since="1h"))
    asked = rows[[f"in.{name}" for name in FEATURES]].set_axis(FEATURES, axis=1).assign(id=rows["id"])
    truth = loans.rows[[*FEATURES, "repaid"]].drop_duplicates(FEATURES)
    path = box.folder / "outcomes.csv"
    asked.merge(truth, on=FEATURES)[["id", "repaid"]].to_csv(path, index=False)
    ok(box.far("labels", "import", "loan", str(path), "--on", "id", "--label", "repaid"))
