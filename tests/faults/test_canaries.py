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
from typing import Any

import httpx
import numpy as np
import pytest
from benchmarks.callers import Callers
from benchmarks.release.troubled import KILLED, TROUBLES, Models, make_models, request, words
from tests.system.box import Box, ok, wait_for
from tests.system.conftest import stopping

pytestmark = [pytest.mark.timeout(900)]
THREADS, PAUSE_S = 4, 0.05  # so few that a shadow at low priority keeps up with them
STEPS = {
    "shadow_requests": 20, "shadow_min_s": 0, "canary": ["10%"], "stage_min_s": 600, "stage_requests": 100_000,
    "deadline_ms": 4_000,
}  # fmt: skip
SLOW_MS = {"answers slowly": 250, "hangs": 500}
NEVER_SLOW_MS = (
    5_000  # on a busy machine a healthy canary may be slow now and then, which is not what is tried
)


class Calling(Callers[httpx.Client]):
    """Applications that ask for trouble when they are told to, each time under another key; what they saw."""

    def __init__(self, box: Box, model: str) -> None:
        super().__init__(box.client, threads=THREADS, pause_s=PAUSE_S)
        self._model, self.trouble = model, ""
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()

    def call(self, line: httpx.Client, name: str, rng: random.Random) -> None:
        """Ask, and count the answer."""
        body = request(rng, f"k{name}", self.trouble or None)
        answer = line.post(f"/v2/models/{self._model}/infer", json=body)
        self.statuses[answer.status_code] += 1
        self.versions[answer.headers.get("x-lockgate-version", "")] += 1


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One box for all troubles."""
    with stopping(Box(tmp_path_factory.mktemp("box"), workers=2)) as made:
        yield made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The files of both versions."""
    return make_models(tmp_path_factory.mktemp("troubled"))


def prepare(box: Box, models: Models, model: str) -> None:
    """Version 1 is live, version 2 is validated and has not met its callers.

    A model of its own for each trouble: the shadow scores all that was ever asked of a model, hanging at each word for it.
    """
    ok(box.far(*words(models, models.live, model)))
    ok(box.far("validate", f"{model}/1"))
    ok(box.far("release", f"{model}/1", "--set", "watch_s=0"))
    box.wait_for_phase(model, "done")
    ok(box.far(*words(models, models.troubled, model), "--set", "memory_mb=1200"))
    ok(box.far("validate", f"{model}/2"))


def runners_of(box: Box) -> list[int]:
    """The processes of Python models behind the gateway."""
    found: list[int] = []
    for name in ("gateway-0", "gateway-1"):
        for path in Path(f"/proc/{box.pid(name) or 0}/task").glob("*/children"):
            with suppress(FileNotFoundError, ProcessLookupError):
                found += map(int, path.read_text().split())
    return found


def kill_runners(box: Box, over: threading.Event) -> None:
    """Kill them, again and again."""
    while not over.wait(0.2):
        for pid in runners_of(box):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def asked(box: Box, model: str, trouble: str) -> dict[str, Any]:
    """The release in which all callers ask for trouble once the version has a tenth of them; how it ended."""
    over = threading.Event()
    killer = threading.Thread(target=kill_runners, args=(box, over))
    with Calling(box, model) as callers:
        limit = {"p99_limit_ms": SLOW_MS.get(trouble, NEVER_SLOW_MS)}
        body = {"version": "2", "reason": trouble, "settings": {**STEPS, **limit}}
        box.api("POST", f"/models/{model}/releases", json=body).raise_for_status()
        # on a busy machine the shadow gives way to live
        reached = box.wait_for_phase(model, "canary", "rolled_back", "held", limit_s=600)
        assert reached["release"]["phase"] == "canary", reached["release"]
        wait_for(lambda: callers.versions[f"{model}/2"] > 5, said=lambda: callers.versions)
        callers.trouble = trouble
        if trouble == KILLED:
            killer.start()
        try:
            found = box.wait_for_phase(model, "rolled_back", "held", limit_s=300)
        finally:
            over.set()
            if trouble == KILLED:
                killer.join()
        served = callers.versions[f"{model}/2"]
        before = callers.statuses.total()
        wait_for(lambda: callers.statuses.total() > before + 200)
        late = callers.versions[f"{model}/2"] - served
    assert set(callers.statuses) == {200}
    assert callers.broken == 0
    assert late <= THREADS, "a caller for each thread may have been inside; nobody begins anew"
    release: dict[str, Any] = found["release"]
    return release


@pytest.mark.faults
@pytest.mark.parametrize("trouble", TROUBLES)
def test_a_canary_in_trouble(box: Box, models: Models, trouble: str) -> None:
    """Once it has a tenth of the callers they ask for trouble: it is out, nobody saw an error, the log says who answered."""
    model = trouble.replace(" ", "-").lower()
    prepare(box, models, model)
    release = asked(box, model, trouble)
    assert release["phase"] == "rolled_back", release
    rows = [row for row in box.log(model, since="1h") if row["release"] == release["id"]]
    failed = [row for row in rows if row["failed_reason"]]
    print(
        f"{trouble}: {len(rows)} requests, {len(failed)} answered by live in its place; {release['reason']}"
    )
    assert {(row["version"], row["failed_version"]) for row in failed} <= {(1, 2)}
    # one that is slow, or makes itself slow, may answer before live does to the end: then its guard is that of slow answers
    assert failed or trouble in ("answers slowly", "leaks memory")


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
