"""Labels come in while a canary runs: the version that they prove wrong is taken out by itself, and it is said why."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from tests.system.box import Box, ok, submit_words, wait_for
from tests.system.callers import Callers
from tests.system.conftest import Start
from tests.system.loans import FEATURES, Loans
from tests.system.test_canary import first_live

pytestmark = [pytest.mark.timeout(300), pytest.mark.faults]
STEPS = ("shadow_requests=60", "shadow_min_s=0", "canary=[40%]", "stage_min_s=600", "stage_requests=100000",
         "p99_limit_ms=5000", 'guards=["errors","labels"]')  # fmt: skip
SECOND = tuple(word for step in STEPS for word in ("--set", step))
ENOUGH = 25  # callers for whom one version was wrong


def test_labels_take_out_a_version_that_is_wrong(start_box: Start, loans: Loans) -> None:
    """The old version was right about every loan, as it turns out; the new one decides some of them otherwise."""
    box = start_box()
    first_live(box, loans)
    with Callers(box, loans, "loan", threads=4, pause_s=0.02):
        ok(box.far(*submit_words(loans.path("blunt"), "loan", loans.data)))
        ok(box.far("validate", "loan/2"))
        ok(box.far("release", "loan/2", "--reason", "simpler", *SECOND))
        box.wait_for_phase("loan", "canary")
        path = wait_for(lambda: what_happened(box, loans), 150)
        assert "new" in ok(
            box.far("labels", "import", "loan", str(path), "--on", "inference_id", "--label", "repaid")
        )
        found = box.wait_for_phase("loan", "rolled_back", "held")
    assert found["release"]["phase"] == "rolled_back", found["release"]
    assert "wrong answers: the canary is worse" in found["release"]["reason"]
    assert "loan/1" in ok(box.far("status", "loan"))
    ok(box.far("audit", "verify"))


def what_happened(box: Box, loans: Loans) -> Path | None:
    """A file of labels for every loan asked about so far, once there are enough on which the versions differ."""
    rows = pd.DataFrame(box.log("loan", since="1h"))
    asked = rows[[f"in.{name}" for name in FEATURES]].set_axis(FEATURES, axis=1)
    old, new = (loans.model(name).predict(asked) for name in ("first", "blunt"))
    if (old != new).sum() < ENOUGH:
        return None
    path = box.folder / "labels.csv"
    pd.DataFrame({"inference_id": rows["inference_id"], "repaid": old}).to_csv(path, index=False)
    return path
