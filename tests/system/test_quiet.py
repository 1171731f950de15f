"""A service of a hundred requests a day: a month of them on record, then a second version is released on a real box."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from benchmarks.monitor.told_clock import ToldClock
from tests.system.box import Box, environment, ok, submit_words, wait_for
from tests.system.conftest import Start
from tests.system.loans import Loans, infer

from lockgate.clock import DAY_US, SystemClock
from lockgate.gateway.port import free_port

pytestmark = [pytest.mark.faults, pytest.mark.timeout(3600)]
ROOT = Path(__file__).parents[2]
DAYS, PER_DAY, KEYS = 30, 100, 60
TOO_OLD = 10  # the shadow goes back for a month from the start of the release, which is some minutes later
MINUTES = 5.0  # until the shadow has scored that month; on a busy machine, beside everything else


@contextmanager
def told_gateway(box: Box, clock: Path) -> Iterator[httpx.Client]:
    """One more worker of the box's own home, which lives by a told time, and a client of it."""
    port = free_port()
    words = [sys.executable, "-m", "benchmarks.monitor.told_clock", str(clock), "--home", str(box.home.root),
             "--port", str(port), "--name", "gateway-9"]  # fmt: skip
    with (box.folder / "told.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env=environment(box.home.root), cwd=ROOT)
    headers = {"authorization": f"Bearer {box.key}"}
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60) as client:

            def ready() -> bool:
                try:
                    return client.get("/v2/models/loan/ready").status_code == 200
                except httpx.TransportError:
                    return False

            wait_for(ready, 120, (box.folder / "told.log").read_text)
            yield client
    finally:
        process.terminate()
        assert process.wait(60) == 0, (box.folder / "told.log").read_text()


def live_through(box: Box, loans: Loans, days: int, folder: Path) -> int:
    """So many days of a hundred requests each, up to now, through a real gateway whose time is told; how many there were."""
    now_us, count = SystemClock().now_us(), days * PER_DAY
    clock = ToldClock(folder / "clock", now_us - days * DAY_US)
    with told_gateway(box, folder / "clock") as client:
        for number in range(count):
            clock.tell(now_us - (count - number) * DAY_US // PER_DAY)
            body = infer(loans.row(number), key=f"customer-{number % KEYS}", name=f"past-{number}")
            assert client.post("/v2/models/loan/infer", json=body).status_code == 200
    return count


def test_a_quiet_service_has_its_verdict_within_minutes(
    start_box: Start, loans: Loans, tmp_path: Path
) -> None:
    """The plan is made for a hundred a day and ends within a week, says what it cannot see, and the month is scored at once."""
    box = start_box()
    for name in ("first", "second"):
        ok(box.far(*submit_words(loans.path(name), "loan", loans.data)))
    for number in (1, 2):
        ok(box.far("validate", f"loan/{number}"))
    ok(box.far("release", "loan/1", "--reason", "the first", "--set", "watch_s=1"))
    box.wait_for_phase("loan", "done", limit_s=300)
    count = live_through(box, loans, DAYS, tmp_path)
    plan = wait_for(lambda: measured(box), 300)

    began = time.monotonic()
    ok(box.far("release", "loan/2", "--reason", "trained on more rows"))
    wait_for(lambda: whole(box, count), 1_200, lambda: (box.release("loan"), box.said()))
    scored_s = time.monotonic() - began
    said = verdict(box)
    took_s = time.monotonic() - began
    release = box.release("loan")["release"]
    print(
        f"{count} requests of {DAYS} days: all scored {scored_s:.0f} s after the release began, "
        f"the verdict there after {took_s:.0f} s: {said['sentence']}"
    )
    assert said["pairs"] >= count - TOO_OLD
    for sentence in (*plan["sentences"], *plan["will_see"], *plan["cannot_see"]):
        print(f"  {sentence}")
    assert took_s < MINUTES * 60
    assert release["phase"] in ("shadow", "approval", "canary"), release
    judge_plan(release["plan"])


def measured(box: Box) -> dict | None:
    """The plan of a release, once the traffic of the past is measured."""
    plan = box.ask("/models/loan/versions/2/plan")
    return plan if "requests a day" in plan["sentences"][0] else None


def whole(box: Box, count: int) -> bool:
    """Whether the shadow has scored every recorded request."""
    status = box.release("loan")["status"]
    return status is not None and status["pairs"] >= count - TOO_OLD


def verdict(box: Box) -> dict:
    """What the shadow says; on a busy machine counting takes a while."""
    headers = {"authorization": f"Bearer {box.key}"}
    told = httpx.get(f"{box.console}/api/models/loan/release/shadow", headers=headers, timeout=600)
    return told.raise_for_status().json()


def judge_plan(plan: dict) -> None:
    """It was made for this traffic, fits the days that it may last, and says in words what a hundred a day do not show."""
    per_day = plan["per_s"] * 86_400
    assert 90 < per_day < 110
    canary_s = sum(max(n / (w * plan["per_s"]), least) for n, w, least in
                   zip(plan["stage_requests"], plan["stages"], plan["stage_min_s"], strict=True))  # fmt: skip
    assert plan["shadow_min_s"] + canary_s + plan["watch_s"] <= plan["max_s"] == 7 * 86_400
    assert "small traffic" in plan["sentences"][0]
    unseen = " ".join(plan["cannot_see"])
    assert "A doubling of a 1 % error rate goes unseen: it would take about" in unseen
    assert "this release may last 7 days" in unseen
