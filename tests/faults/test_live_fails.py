"""A version that goes bad long after its release, on a whole box: one alert says so, and it ends by itself."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from benchmarks.callers import Callers
from benchmarks.release.troubled import Models, make_models, request, words
from tests.system.box import Box, ok, wait_for
from tests.system.conftest import stopping

pytestmark = [pytest.mark.timeout(900), pytest.mark.faults]
THREADS, PAUSE_S = 2, 0.05
FIRST = ("--set", "watch_s=0", "--set", "deadline_ms=1000")
CASES = {  # trouble -> the kind of alert, and the limit of slow answers that the release states
    "raises": ("requests_fail", 5_000),
    "answers NaN": ("requests_fail", 5_000),
    "hangs": ("requests_fail", 5_000),
    "answers slowly": ("answers_slow", 250),
}


class Calling(Callers[httpx.Client]):
    """Applications that ask for trouble when they are told to, each time under another key; what they saw."""

    def __init__(self, box: Box, model: str) -> None:
        super().__init__(box.client, threads=THREADS, pause_s=PAUSE_S)
        self._model, self.trouble = model, ""
        self.statuses: Counter[int] = Counter()

    def call(self, line: httpx.Client, name: str, rng: random.Random) -> None:
        """Ask, and count the answer."""
        body = request(rng, f"k{name}", self.trouble or None)
        self.statuses[line.post(f"/v2/models/{self._model}/infer", json=body).status_code] += 1


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """One box for all troubles."""
    with stopping(Box(tmp_path_factory.mktemp("box"), workers=1)) as made:
        yield made


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Models:
    """The files of a version that can be asked for trouble."""
    return make_models(tmp_path_factory.mktemp("troubled"))


def alerts_of(box: Box, model: str) -> dict[str, dict[str, Any]]:
    """The open alerts of a model by kind, as the command shows them."""
    found = json.loads(ok(box.far("alerts", "--json")))
    return {alert["kind"]: alert for alert in found if alert["model"] == model}


@pytest.mark.parametrize("trouble", CASES)
def test_a_live_version_that_goes_bad_is_an_alert_and_well_again_is_its_end(
    box: Box, models: Models, trouble: str
) -> None:
    """Through HTTP, with real processes: first well, then every caller asks for trouble, then none does."""
    model, (kind, limit_ms) = trouble.replace(" ", "-").lower(), CASES[trouble]
    ok(box.far(*words(models, models.troubled, model)))
    ok(box.far("validate", f"{model}/1"))
    ok(box.far("release", f"{model}/1", *FIRST, "--set", f"p99_limit_ms={limit_ms}"))
    box.wait_for_phase(model, "done")
    with Calling(box, model) as callers:
        wait_for(lambda: callers.statuses[200] > 300, 120, lambda: callers.statuses)
        assert kind not in alerts_of(box, model)
        began_s, callers.trouble = time.monotonic(), trouble
        wait_for(lambda: kind in alerts_of(box, model), 300, lambda: (callers.statuses, box.said()))
        print(
            f"{trouble}: told after {time.monotonic() - began_s:.0f} s; {alerts_of(box, model)[kind]['words']}"
        )
        told = json.loads(ok(box.far("status", "--json")))["told"][model]
        assert told["health"] in ("trouble", "look")
        assert told["waits_for"] == "a person"
        well_s, callers.trouble = time.monotonic(), ""
        wait_for(lambda: kind not in alerts_of(box, model), 600, lambda: (callers.statuses, box.said()))
        print(f"{trouble}: over {time.monotonic() - well_s:.0f} s after it was well again")
