"""kill -9 at random of gateway workers, the controller and the others, under load, while releases come and go."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from tests.system.box import Box, ok, submit_words, wait_for
from tests.system.callers import Callers
from tests.system.conftest import Start
from tests.system.loans import Loans

from lockgate.predictions.log import LogReader
from lockgate.predictions.record import Kind
from lockgate.release import store
from lockgate.release.phases import ENDS, MOVES, Phase
from lockgate.wiring.house import House, open_house

CORE = ("gateway-0", "gateway-1", "controller")
OTHERS = ("shadow", "archiver")  # now and then one of these as well; they are not counted
QUICK = {"shadow_requests": 20, "shadow_min_s": 0, "canary": ["20%", "50%"], "stage_min_s": 0.5,
         "stage_requests": 20, "watch_s": 1}  # fmt: skip


def ready(box: Box, loans: Loans) -> None:
    """Two versions, submitted and validated; the first is live."""
    for name in ("first", "second"):
        ok(box.far(*submit_words(loans.path(name), "loan", loans.data)))
    for number in (1, 2):
        ok(box.far("validate", f"loan/{number}"))
    start_next(box)
    box.wait_for_phase("loan", "done")


def start_next(box: Box) -> None:
    """Start the release of whichever version is not live."""
    known = box.api("GET", "/models/loan/release")
    live = known.json()["live"] if known.status_code == 200 else None
    body = {"version": "2" if live == 1 else "1", "reason": "the next one", "settings": QUICK}
    answer = box.api("POST", "/models/loan/releases", json=body)
    assert answer.status_code == 200, answer.text


def kill_on_and_on(box: Box, callers: Callers, kills: int, rng: random.Random) -> int:
    """So many kills, each when answers flow; whenever a release is over the next is started. How many releases ended."""
    ended = done = 0
    while done < kills:
        if Phase(box.release("loan")["release"]["phase"]) in ENDS:
            ended += 1
            start_next(box)
        before = len(callers.answered)
        wait_for(lambda before=before: len(callers.answered) > before + 20, 60, box.said)
        time.sleep(rng.uniform(0, 0.5))
        done += box.kill(rng.choice(CORE))
        if rng.random() < 0.2:
            box.kill(rng.choice(OTHERS))
    return ended


@contextmanager
def the_house(box: Box) -> Iterator[House]:
    """The home folder as the processes see it."""
    house = open_house(box.home)
    try:
        yield house
    finally:
        house.close()


def check_log(box: Box, callers: Callers) -> None:
    """Every answer that a caller got is on record exactly once, and was an answer."""
    rows = box.log("loan")
    logged = [row["inference_id"] for row in rows if row["status"] == 200]
    missing = set(callers.answered) - set(logged)
    assert not missing, f"{len(missing)} of {len(callers.answered)} answered predictions are not in the log"
    assert len(logged) == len(set(logged)), "a prediction is in the log twice"
    assert callers.bad == []
    hot = LogReader(box.home.log).read({}, limit=10_000_000)
    assert not hot.damage
    assert not [record for record, _ in hot.records if record.kind is Kind.GAP]


def check_releases(box: Box) -> None:
    """Every move is in the table, no effect is left open, the published plan is what the database says."""
    with the_house(box) as house, house.db.read() as tx:
        for release in store.releases_of(tx, "loan", limit=10_000):
            moves = store.moves_of(tx, release.id)
            assert [move.seq for move in moves] == list(range(release.seq + 1))
            assert moves[-1].phase is release.phase
            for before, after in itertools.pairwise(moves):
                assert after.phase in MOVES[before.phase], (release.id, before.phase, after.phase)
        assert not store.open_effects(tx)
        assert house.plan.latest().routes == store.all_routes(tx)


def survive(box: Box, loans: Loans, kills: int) -> None:
    """Kill, and look whether anything was lost."""
    ready(box, loans)
    seed = time.time_ns()
    rng = random.Random(seed)
    with Callers(box, loans, "loan", threads=6, pause_s=0.01) as callers:
        ended = kill_on_and_on(box, callers, kills, rng)
        box.wait_for_phase("loan", *(phase.value for phase in ENDS), "held", limit_s=120)
    answers = f"{len(callers.answered)} answers, {callers.broken} broken connections"
    print(f"seed {seed}: {kills} kills, {answers}, {ended} releases ended")
    assert len(callers.answered) > 20 * kills
    wait_for(lambda: all(box.pid(name) for name in CORE + OTHERS), 60, box.said)
    check_log(box, callers)
    check_releases(box)
    assert ok(box.far("audit", "verify")).startswith("whole: ")


@pytest.mark.timeout(300)
def test_a_few_kills(start_box: Start, loans: Loans) -> None:
    """Six, in every run of the suite."""
    survive(start_box(workers=2), loans, 6)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_a_hundred_kills(start_box: Start, loans: Loans) -> None:
    """The long form."""
    survive(start_box(workers=2), loans, 100)
