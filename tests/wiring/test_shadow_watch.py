"""The scorer beside live, on what real workers leave: it gives way, and says so where people look."""

import os
import socket
import subprocess
import sys

import msgspec
import pytest
from tests.release.world import World

from lockgate.config import ModelConfig
from lockgate.config_release import ReleaseConfig
from lockgate.membership import Member, report
from lockgate.release.shadow import ShadowStatus
from lockgate.release.shadow_brake import Brake
from lockgate.release.start import start
from lockgate.samples import histogram, leave
from lockgate.wiring.house import open_house
from lockgate.wiring.releasing import show_release
from lockgate.wiring.shadow_watch import TELL_S, GiveWay, cpu_s_of, teller
from lockgate.wiring.shadowing import history_us, jobs_of

BUCKETS_S = (0.01, 0.1, 1.0)


@pytest.fixture
def world(home, clock):
    """churn/2 in release after churn/1, a tenth of the requests scored in shadow; the house of the same home."""
    house = open_house(home, clock)
    settings = ModelConfig(release=ReleaseConfig(shadow_share="10%", shadow_requests=50, watch_s=60))
    made = World(house.db, home, clock, settings=settings)
    controller = made.controller()
    made.ship_first(controller)
    made.version(2)
    start(made.desk, made.ann, "churn/2")
    made.house = house
    yield made
    made.writer.close()
    house.close()


def test_a_share_is_in_the_plan_and_in_the_work(world):
    """The plan says that a tenth is scored, the jobs take a tenth, and ten times as much history counts."""
    release = world.last()
    assert any("10 % of the requests" in sentence for sentence in release.plan.sentences)
    running = msgspec.structs.replace(release, phase="shadow")
    with world.db.read() as tx:
        (job,) = jobs_of(tx, msgspec.structs.replace(release, phase=type(release.phase)("shadow")))
    assert job.share == 0.1
    whole = msgspec.structs.replace(running, plan=msgspec.structs.replace(release.plan, shadow_share=1.0))
    assert release.created_us - history_us(release) == pytest.approx(
        10 * (release.created_us - history_us(whole)), rel=0.01
    )


def test_a_slow_live_pauses_the_shadow_and_status_says_so(world, monkeypatch):
    """Numbers of a worker whose 99th percentile passes the limit: the model waits, and the release's status has the words."""
    beside, now = GiveWay(world.house, Brake(cores=1_000)), 0.0
    monkeypatch.setattr("lockgate.wiring.shadow_watch.time.monotonic", lambda: now)
    counts = [0, 0, 0, 0]
    for turn, added in enumerate(([1_000, 0, 0, 0], [1_000, 0, 0, 0], [900, 0, 100, 0])):
        now = turn * 10.0
        counts = [old + new for old, new in zip(counts, added, strict=True)]
        labels = {"worker": "gateway-0", "model": "churn", "version": "1", "arm": "live"}
        leave(
            world.home.run,
            "gateway-0",
            histogram("model_infer_request_duration_seconds", labels, BUCKETS_S, counts, 1.0),
        )
        waits = beside.waits("churn")
        assert waits is (turn == 2), turn
    with world.db.read() as tx:
        job = jobs_of(tx, msgspec.structs.replace(world.last(), phase=type(world.last().phase)("shadow")))[0]
    tell = teller(world.house, beside.brake)
    world.clock.sleep(TELL_S)
    tell([ShadowStatus(job)])
    with world.db.read() as tx:
        shown = show_release(tx, world.last(), world.clock.now_us())
    assert shown.shadows[0].pause is not None
    assert shown.shadow_words == [
        "the shadow of version 2 is paused: live's 99th percentile is over 100 ms, the limit is 50 ms"
    ]


def test_processor_time_is_that_of_a_worker_and_its_children(world):
    """A process that works, and one that a worker started, count; one that is gone counts nothing."""
    assert cpu_s_of(os.getpid()) > 0.0
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    )
    assert cpu_s_of(int(child.stdout)) == 0.0
    me = Member(worker="gateway-0", pid=os.getpid(), host=socket.gethostname(), port=1, started_us=0,
                beat_us=world.clock.now_us(), epoch=1)  # fmt: skip
    report(world.home.members, me)
    assert GiveWay(world.house)._cpu_s() > 0.0
