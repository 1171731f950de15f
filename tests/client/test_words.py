"""What `import lockgate` offers, from Python, on a home folder of one's own."""

import subprocess
import sys

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression

import lockgate
import lockgate.predictions.record
from lockgate.errors import Conflict, NotFound


@pytest.fixture
def own_home(tmp_path, monkeypatch):
    """A home named by the environment, and a working folder without a lockgate.yaml."""
    for name in ("LOCKGATE_URL", "LOCKGATE_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LOCKGATE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_import_costs_nothing():
    """`import lockgate` loads no library; every word is there and unknown ones are named."""
    heavy = "('numpy', 'polars', 'fastapi', 'httpx', 'msgspec', 'sqlalchemy')"
    code = f"import lockgate, sys; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert all(callable(getattr(lockgate, word)) for word in lockgate.__all__)
    with pytest.raises(AttributeError, match="its words are"):
        _ = lockgate.sumbit


def test_predictions_is_a_room_and_a_word():
    """The room can be imported from, and called, whoever came first."""
    assert lockgate.predictions.record.Kind.ANSWER == "answer"
    assert callable(lockgate.predictions)


def test_the_whole_way_from_python(own_home):
    """A model in hand and pandas frames: submitted, validated, scored, its predictions read; the same again is the same."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(600, 2)), columns=["a", "b"])
    frame["churned"] = (frame["a"] + rng.normal(size=600) * 0.7 > 0).astype(int)
    train, test = frame[:400], frame[400:]
    model = LogisticRegression().fit(train[["a", "b"]], train["churned"])
    phases = []
    words = {
        "name": "churn",
        "train": train,
        "test": pl.from_pandas(test),
        "target": "churned",
        "tier": "medium",
    }
    made = lockgate.submit(
        model,
        **words,
        metrics={"auc": 0.9},
        notes="by hand",
        progress=lambda job: phases.append(job["phase"]),
    )
    assert (made["version"]["number"], made["new"], made["version"]["notes"]) == (1, True, "by hand")
    assert phases
    assert lockgate.submit(model, **words, metrics={"auc": 0.9})["new"] is False
    found = lockgate.validate("churn")
    assert {finding["check"] for finding in found["findings"]} >= {"leakage", "performance", "quality"}
    done = lockgate.score("churn/1", test, own_home / "scored.parquet")
    assert (done["rows"], done["failed"]) == (200, 0)
    with pytest.raises(Conflict):
        lockgate.score("churn/1", test, own_home / "scored.parquet")
    rows = lockgate.predictions("churn", since="1h")
    assert rows.height == 200
    assert {"in.a", "out.prediction", "label"} <= set(rows.columns)
    with pytest.raises(NotFound):
        lockgate.release_status("churn")
    with pytest.raises(NotFound, match="churn"):
        lockgate.validate("chrun")
