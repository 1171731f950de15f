"""A canary that raises on 30 % of its requests: no caller sees an error, it is rolled back, the log says who answered."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.system.box import Box, ok, submit_words, wait_for
from tests.system.callers import Callers
from tests.system.conftest import Start
from tests.system.loans import Loans

pytestmark = pytest.mark.timeout(900)
FIRST = ("--set", "watch_s=0")
STEPS = (
    "shadow_requests=60", "shadow_min_s=0", "canary=[40%]", "stage_min_s=600", "stage_requests=100000",
    "p99_limit_ms=5000",  # a Python model beside a compiled one may be slow on a busy machine: errors are what is tried
)  # fmt: skip
SECOND = tuple(word for step in STEPS for word in ("--set", step))
DAYS_PER_MONTH = 30.4


def sometimes_days(row: dict[str, Any], rng: random.Random) -> dict[str, Any]:
    """30 % of the callers' software now counts loan_length in days."""
    if rng.random() < 0.3:
        return {**row, "loan_length": 60 * DAYS_PER_MONTH + row["loan_length"]}
    return row


def first_live(box: Box, loans: Loans) -> None:
    """churn/1, an ordinary pipeline, has all traffic."""
    ok(box.far(*submit_words(loans.path("first"), "loan", loans.data)))
    ok(box.far("validate", "loan/1"))
    ok(box.far("release", "loan/1", *FIRST))
    box.wait_for_phase("loan", "done")


def test_a_canary_that_raises_costs_callers_nothing(start_box: Start, loans: Loans) -> None:
    """It passes validation and shadow on loans in months; then some callers send days, and it raises on 30 %."""
    box = start_box(workers=2)
    first_live(box, loans)
    code = ("--code", str(loans.folder / "strict_steps.py"))
    ok(box.far(*submit_words(loans.path("strict"), "loan", loans.data), *code))
    ok(box.far("validate", "loan/2"))
    with Callers(box, loans, "loan", threads=4, pause_s=0.02) as callers:
        ok(box.far("release", "loan/2", "--reason", "stricter about its input", *SECOND))
        reached = box.wait_for_phase("loan", "canary", "rolled_back", "held", limit_s=400)
        assert reached["release"]["phase"] == "canary", reached["release"]
        wait_for(lambda: callers.versions["loan/2"] > 20)
        callers.change = sometimes_days
        found = box.wait_for_phase("loan", "rolled_back", "held", limit_s=200)
        served = callers.versions["loan/2"]
        wait_for(lambda: len(callers.answered) > 100)
        after = len(callers.answered)
        wait_for(lambda: len(callers.answered) > after + 100)
        late = callers.versions["loan/2"] - served
    assert found["release"]["phase"] == "rolled_back", found["release"]
    assert callers.bad == []
    assert callers.broken == 0
    assert set(callers.answered.values()) == {200}
    assert late <= 20, "the rolled back version still answers"
    check_the_log(box, callers)
    check_the_words(box)


def check_the_log(box: Box, callers: Callers) -> None:
    """Every answer is there once, with who gave it, and the canary's failures beside the live version's answers."""
    rows = box.log("loan", since="1h")
    assert sorted(row["inference_id"] for row in rows) == sorted(callers.answered)
    assert {row["status"] for row in rows} == {200}
    rescued = [row for row in rows if row["failed_reason"]]
    assert rescued
    for row in rescued:
        assert (row["version"], row["failed_version"], row["failed_reason"]) == (1, 2, "error"), row
        assert "is loan_length given in days?" in row["failed_error"]
    own = [row for row in rows if row["version"] == 2]
    assert len(own) == callers.versions["loan/2"]
    assert all(row["in.loan_length"] < 120 for row in own)


def check_the_words(box: Box) -> None:
    """Whoever asks is told what happened and why, without having to read the log."""
    told = ok(box.far("release", "status", "loan"))
    assert "rolled_back" in told
    reason = box.release("loan")["release"]["reason"]
    assert (
        "errors: the canary is worse" in reason
        or "breaker of gateway worker" in reason
        or "hard floor" in reason
    )
    assert "loan/1" in ok(box.far("status", "loan"))
    moves = ok(box.far("audit", "show", "loan/2"))
    assert "release:canary:rolled_back" in moves
    ok(box.far("audit", "verify"))
