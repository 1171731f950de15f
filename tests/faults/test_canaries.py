"""Canaries in seven kinds of trouble, on a whole box: callers see no error, the release ends, and the log says who answered."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import numpy as np
import psutil
import pytest
from benchmarks.callers import Callers
from benchmarks.release.troubled import KILLED, TROUBLES, make_models, request, words
from tests.system.box import Box, ok, wait_for
from tests.system.conftest import stopping

pytestmark = [pytest.mark.timeout(900)]
STEPS = {
    "shadow_requests": 20, "shadow_min_s": 0, "canary": ["10%"], "stage_min_s": 600, "stage_requests": 100_000,
    "p99_limit_ms": 100, "deadline_ms": 2_000,
}  # fmt: skip


class Calling(Callers[httpx.Client]):
    """Applications that ask for trouble when they are told to, each time under another key; what they saw."""

    def __init__(self, box: Box) -> None:
        super().__init__(box.client)
        self.trouble: str | None = None
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()

    def call(self, line: httpx.Client, name: str, rng: random.Random) -> None:
        """Ask, and count the answer."""
        answer = line.post("/v2/models/troubled/infer", json=request(rng, f"k{name}", self.trouble))
        self.statuses[answer.status_code] += 1
        self.versions[answer.headers.get("x-lockgate-version", "")] += 1


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """troubled/1 is live, troubled/2 is validated and has not met its callers."""
    models = make_models(tmp_path_factory.mktemp("troubled"))
    with stopping(Box(tmp_path_factory.mktemp("box"), workers=2)) as made:
        ok(made.far(*words(models, models.live)))
        ok(made.far("validate", "troubled/1"))
        ok(made.far("release", "troubled/1", "--set", "watch_s=0"))
        made.wait_for_phase("troubled", "done")
        ok(made.far(*words(models, models.troubled), "--set", "memory_mb=1200"))
        ok(made.far("validate", "troubled/2"))
        yield made


def kill_runners(box: Box, over: threading.Event) -> None:
    """Kill the processes of Python models behind the gateway, again and again."""
    while not over.wait(0.2):
        for name in ("gateway-0", "gateway-1"):
            number = box.pid(name)
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                for child in psutil.Process(number).children(recursive=True) if number else []:
                    os.kill(child.pid, signal.SIGKILL)


def met(box: Box, trouble: str) -> None:
    """Its callers ask for trouble when it has a tenth of them; then it is out, and nobody saw an error."""
    body = {"version": "2", "reason": trouble, "settings": STEPS}
    with Calling(box) as callers:
        box.api("POST", "/models/troubled/releases", json=body).raise_for_status()
        # on a busy machine the shadow gives way to live
        box.wait_for_phase("troubled", "canary", limit_s=600)
        wait_for(lambda: callers.versions["troubled/2"] > 5, said=lambda: callers.versions)
        callers.trouble, over = trouble, threading.Event()
        killer = threading.Thread(target=kill_runners, args=(box, over))
        if trouble == KILLED:
            killer.start()
        try:
            found = box.wait_for_phase("troubled", "rolled_back", "held", limit_s=300)
        finally:
            over.set()
            if trouble == KILLED:
                killer.join()
        served = callers.versions["troubled/2"]
        before = callers.statuses.total()
        wait_for(lambda: callers.statuses.total() > before + 200)
        late = callers.versions["troubled/2"] - served
    assert found["release"]["phase"] == "rolled_back", found["release"]
    assert set(callers.statuses) == {200}
    assert callers.broken == 0
    assert late <= 4, "a caller for each thread may have been inside; nobody begins anew"
    number = found["release"]["id"]
    rows = [row for row in box.log("troubled", since="1h") if row["release"] == number]
    failed = [row for row in rows if row["failed_reason"]]
    print(
        f"{trouble}: {len(rows)} requests, {len(failed)} answered by live in its place; {found['release']['reason']}"
    )
    assert {(row["version"], row["failed_version"]) for row in failed} <= {(1, 2)}
    # one that is slow, or makes itself slow, may answer in time to the end: then its guard is that of slow answers
    assert failed or trouble in ("answers slowly", "leaks memory")


@pytest.mark.faults
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_canary_in_trouble(box: Box, trouble: str) -> None:
    """One release for each kind of trouble, on a box that lives on."""
    met(box, trouble)


def test_the_models_are_made_alike(tmp_path: Path) -> None:
    """Until somebody asks for trouble both answer the same; each word for trouble means another one."""
    import joblib  # noqa: PLC0415
    import pandas as pd  # noqa: PLC0415

    models = make_models(tmp_path)
    live, troubled = joblib.load(models.live), joblib.load(models.troubled)
    rng = random.Random(1)
    sent = [
        request(rng, "k", trouble) for trouble in (None, "raises", "answers NaN", "answers another schema")
    ]
    rows = [pd.DataFrame({one["name"]: one["data"] for one in each["inputs"]}) for each in sent]
    assert np.allclose(live.predict_proba(rows[0]), troubled.predict_proba(rows[0]))
    with pytest.raises(ValueError, match="more than I can take"):
        troubled.predict_proba(rows[1])
    assert np.isnan(troubled.predict_proba(rows[2])).all()
    assert troubled.predict_proba(rows[3]).shape == (1, 4)
