"""kill -9 at random of gateway workers, runners, the controller and the others, under load, while releases come and go.

One of the two versions is a Python model, so that it answers from a runner: the runners are killed as well. Then callers of a
live Python model may be told that it could not answer; what they were told is on record as everything else.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil
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

KINDS = ("worker", "runner", "shadow", "archiver", "controller")
ALL = ("gateway-0", "gateway-1", "shadow", "archiver", "controller", "console")
QUICK = {"shadow_requests": 20, "shadow_min_s": 0, "canary": ["20%", "50%"], "stage_min_s": 0.5,
         "stage_requests": 20, "watch_s": 1}  # fmt: skip


def ready(box: Box, loans: Loans) -> None:
    """Two versions, submitted and validated; the first is live."""
    ok(box.far(*submit_words(loans.path("first"), "loan", loans.data)))
    code = ("--code", str(loans.folder / "strict_steps.py"))
    ok(box.far(*submit_words(loans.path("strict"), "loan", loans.data), *code))
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


def kill_on_and_on(box: Box, callers: Callers, kills: int, rng: random.Random) -> Counter[str]:
    """So many kills, each when answers flow, of each kind in turn; whenever a release is over the next is started.

    How many of each kind, and how many releases ended.
    """
    done: Counter[str] = Counter()
    while done.total() - done["release"] < kills:
        if Phase(box.release("loan")["release"]["phase"]) in ENDS:
            done["release"] += 1
            start_next(box)
        before = len(callers.answered)
        wait_for(lambda before=before: len(callers.answered) > before + 20, 60, box.said)
        time.sleep(rng.uniform(0, 0.5))
        kind = min(KINDS, key=lambda kind: (done[kind], rng.random()))
        if kill_one(box, kind, rng):
            done[kind] += 1
        elif kind == "runner":  # the version that answers now needs none: let the others go on meanwhile
            other = rng.choice([other for other in KINDS if other != "runner"])
            done[other] += kill_one(box, other, rng)
    return done


def kill_one(box: Box, kind: str, rng: random.Random) -> bool:
    """Kill one process of a kind; false when there is none at this moment."""
    if kind == "worker":
        return box.kill(rng.choice(("gateway-0", "gateway-1")))
    if kind != "runner":
        return box.kill(kind)
    found = runners(box)
    if not found:
        return False
    try:
        os.kill(rng.choice(found), signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def runners(box: Box) -> list[int]:
    """The processes in which the gateway's workers and the shadow scorer run Python models."""
    found = []
    for name in ("gateway-0", "gateway-1", "shadow"):
        number = box.pid(name)
        with suppress(psutil.NoSuchProcess):
            found += (
                [child.pid for child in psutil.Process(number).children(recursive=True)] if number else []
            )
    return found


@contextmanager
def the_house(box: Box) -> Iterator[House]:
    """The home folder as the processes see it."""
    house = open_house(box.home)
    try:
        yield house
    finally:
        house.close()


def check_log(box: Box, callers: Callers) -> None:
    """Every answer that a caller got is on record exactly once, with what the caller was told."""
    rows = box.log("loan")
    logged = Counter(row["inference_id"] for row in rows)
    told = {(row["inference_id"], row["status"]) for row in rows}
    missing = set(callers.answered.items()) - told
    assert not missing, (
        f"{len(missing)} of {len(callers.answered)} answers are not in the log: {sorted(missing)[:5]}"
    )
    assert max(logged.values()) == 1, "a request is in the log twice"
    assert set(callers.answered.values()) <= {200, 500, 503, 504}, callers.bad[:5]
    assert not [words for words in callers.bad if "internal error" in words]
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
        done = kill_on_and_on(box, callers, kills, rng)
        box.wait_for_phase("loan", *(phase.value for phase in ENDS), "held", limit_s=400)
    statuses = Counter(callers.answered.values())
    print(f"seed {seed}: {dict(done)}; answers {dict(statuses)}, {callers.broken} broken connections")
    assert len(callers.answered) > 20 * kills
    wait_for(lambda: all(box.pid(name) for name in ALL), 60, box.said)
    check_log(box, callers)
    check_releases(box)
    assert ok(box.far("audit", "verify")).startswith("whole: ")


@pytest.mark.timeout(900)
def test_a_few_kills(start_box: Start, loans: Loans) -> None:
    """Eight, in every run of the suite."""
    survive(start_box(workers=2), loans, 8)


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_two_hundred_kills(start_box: Start, loans: Loans) -> None:
    """The long form: every kind of process in turn."""
    survive(start_box(workers=2), loans, 200)
