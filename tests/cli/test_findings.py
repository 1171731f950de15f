"""Validating by the command line: the plan, reports, people's own checks, waivers, comparison; three people."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from xml.etree import ElementTree as ET

import joblib
import numpy as np
import polars as pl
import pytest
import sqlalchemy as sa
from sklearn.linear_model import LogisticRegression
from tests.wiring.outside_service import Rows, service

from lockgate.checks.tables import validations
from lockgate.cli.main import main
from lockgate.config import Home
from lockgate.wiring.history import history_of
from lockgate.wiring.house import open_house

RULES = """
models:
  churn:
    tier: {tier}
    target: churned
    protected: [gender]
    personal: [tenure]
    metrics: {{saved: {{function: "money:saved", unit: EUR}}}}
"""
MONEY = (
    "def saved(truth, decision, score):\n    return float(((truth == '1') & (decision == '1')).sum()) * 100\n"
)
OWN = b"""
def check(evidence):
    test = evidence.frames["test"]
    women = test["gender"].eq("f").mean()
    return {"status": "fail", "subject": "women", "headline": f"{women:.0%} of the rows are women."}
"""


def table(rows: int, seed: int) -> pl.DataFrame:
    """Two honest inputs, a protected column that the model does not take, and the outcome."""
    draw = np.random.default_rng(seed)
    age, tenure = draw.normal(40, 10, rows), draw.exponential(3, rows)
    churned = (draw.random(rows) < 1 / (1 + np.exp(0.6 * tenure - 0.04 * age))).astype(int)
    return pl.DataFrame(
        {"age": age, "tenure": tenure, "gender": draw.choice(["f", "m"], rows), "churned": churned}
    )


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, its data and its rules; the home is in it."""
    monkeypatch.chdir(tmp_path)
    for name in ("LOCKGATE_URL", "LOCKGATE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))
    train = table(2_000, 0)
    table(1_000, 1).write_parquet("test.parquet")
    train.write_parquet("train.parquet")
    model = LogisticRegression().fit(train.select("age", "tenure").to_numpy(), train["churned"].to_numpy())
    model.feature_names_in_ = np.array(["age", "tenure"], dtype=object)
    joblib.dump(model, "model.joblib")
    Path("money.py").write_text(MONEY)
    Path("women.py").write_bytes(OWN)
    Path("lockgate.yaml").write_text(RULES.format(tier="low"))
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    """Run a verb; what it printed."""
    got = main(list(words))
    captured = capsys.readouterr()
    assert got == status, captured.out + captured.err
    return captured.out if status in (0, 1, 6) else captured.err


def submit(capsys: pytest.CaptureFixture[str]) -> None:
    """Seal the model with its data and code."""
    said(capsys, "submit", "model.joblib", "--name", "churn", "--train", "train.parquet", "--test", "test.parquet",
         "--code", "money.py")  # fmt: skip


def rewritten(model: LogisticRegression) -> Callable[[Rows], dict[str, list[float]]]:
    """The model in plain Python, by somebody who rounds."""
    (age, tenure), least = model.coef_[0].tolist(), float(model.intercept_[0])

    def answer(rows: Rows) -> dict[str, list[float]]:
        pairs = zip(rows["age"], rows["tenure"], strict=True)
        return {
            "predictions": [
                round(1 / (1 + math.exp(-(one * age + two * tenure + least))), 3) for one, two in pairs
            ]
        }

    return answer


def test_validating_from_plan_to_report(project, capsys):
    """The plan, the run, every report, a check of one's own that blocks, its comparison with the next version."""
    submit(capsys)
    plans = {
        each["check"]: each for each in json.loads(said(capsys, "validate", "churn/1", "--plan", "--json"))
    }
    assert plans["performance"]["lacks"] == []
    assert "against the live version" in {part["part"] for part in plans["performance"]["without"]}
    assert (
        "release a version first" in said(capsys, "validate", "churn/1", "--plan", "--suite", "full").lower()
    )
    files = {form: f"out.{form}" for form in ("report", "markdown", "junit", "sarif")}
    options = [word for form, path in files.items() for word in (f"--{form}", path)]
    found = json.loads(said(capsys, "validate", "churn/1", "--json", *options))
    assert {used["check"] for used in found["used"]} == set(plans)
    assert found["baseline"].startswith("baselines/")
    left = json.loads((project / "home" / "blobs" / found["baseline"]).read_text())
    assert (left["veiled"], left["columns"]["tenure"]["high"]) == (["tenure"], None)  # a personal column
    assert left["columns"]["age"]["high"] > 60
    assert Path("out.report").read_text().startswith("<!doctype html>")
    assert ET.parse("out.junit").getroot().get("errors") == "0"
    assert (
        json.loads(Path("out.sarif").read_text())["runs"][0]["automationDetails"]["id"] == "lockgate/churn/1/"
    )
    assert Path("out.markdown").read_text().startswith("## churn/1")
    assert "BLOCKS" in said(capsys, "validate", "churn/1", "--check", "women.py", status=1)
    again = json.loads(said(capsys, "validate", "churn/1", "--json", status=1))
    assert [each["subject"] for each in again["findings"] if each.get("author")] == ["women"]
    with service(rewritten(joblib.load("model.joblib"))) as at:
        told = said(capsys, "validate", "churn/1", "--against", f"{at}/churn/invocations", status=1)
        assert "score is rounded to 3 digits" in " ".join(told.split())
    assert "needs a FILE" not in said(capsys, "validate", "churn/1", "--check", "none.py", status=2)


def test_only_who_did_not_build_it_judges(project, capsys):
    """High tier: the builder may neither write a finding nor bring a check nor waive; the sentence says who may."""
    Path("lockgate.yaml").write_text(RULES.format(tier="high"))
    submit(capsys)
    said(capsys, "validate", "churn/1", "--suite", "quick", status=1)
    for words in (
        ("finding", "add", "churn/1", "ages above 80 are few"),
        ("validate", "churn/1", "--check", "women.py"),
        ("waive", "churn/1", "quality", "--reason", "seen"),
    ):
        assert "ask another validator" in said(capsys, *words, status=3)


def test_a_written_finding_blocks_and_stays(project, capsys):
    """A failure that a person wrote blocks; what is no finding, no day and no check of one's own is refused."""
    submit(capsys)
    said(capsys, "validate", "churn/1")
    said(
        capsys,
        "finding",
        "add",
        "churn/1",
        "few rows above 80",
        "--check",
        "ages",
        "--advice",
        "collect more",
    )
    assert "few rows above 80" in said(capsys, "validate", "churn/1", "--suite", "quick", status=1)
    assert "does not let anyone waive" in said(capsys, "waive", "churn/1", "ages", "--reason", "r", status=3)
    assert "2027-01-31" in said(
        capsys, "waive", "churn/1", "ages", "--reason", "r", "--until", "soon", status=2
    )
    assert "lockgate's own" in said(capsys, "finding", "add", "churn/1", "x", "--check", "leakage", status=2)
    assert "which version" in said(capsys, "validate", status=2)
    lines = said(capsys, "compare", "churn/1", "churn/1", "--all")
    assert "few rows above 80" not in lines
    assert "Ages" in lines
    assert said(capsys, "audit", "verify").startswith("whole:")
    with closing(open_house(Home(project / "home"))) as house, house.db.write() as tx:
        first = tx.execute(sa.select(validations).order_by(validations.c.id).limit(1)).one()
        tx.execute(sa.update(validations).values(body=first.body, digest=first.digest))
    told = said(capsys, "audit", "verify", status=6)
    assert "NOT whole: 2 faults" in told
    assert "of churn/1 is not the one that the audit log names" in told


def test_labelled_predictions_are_the_history(project, capsys):
    """What was scored and what came of it stand side by side, classes as text, for a back-test; before, there is none."""
    submit(capsys)
    with closing(open_house(Home(project / "home"))) as house:
        assert history_of(house, "churn") is None
    rows = table(50, 2).with_columns(customer=pl.int_range(50).cast(pl.String))
    rows.drop("churned").write_parquet("rows.parquet")
    rows.select("age", "churned").unique("age").write_csv("labels.csv")
    said(capsys, "score", "churn/1", "rows.parquet", "--output", "scored.parquet")
    said(capsys, "labels", "import", "churn", "labels.csv", "--label", "churned", "--on", "in.age")
    with closing(open_house(Home(project / "home"))) as house:
        found = history_of(house, "churn")
    assert found is not None
    assert {"age", "tenure", "at_us", "version", "decision", "score", "label"} <= set(found.columns)
    assert found.height == 50
    assert set(found["label"]) <= {"0", "1"}
    assert ((found["score"] > 0.5).cast(pl.Int64).cast(pl.String) == found["decision"]).all()
