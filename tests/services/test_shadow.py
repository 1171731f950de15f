"""The shadow scorer's memory: a limit that the kernel keeps, and a job that needs more waits without harm to the others."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from tests.release.shadow_models import NOON_US, model, request

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.inference.executor import Executor
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.query import records
from lockgate.predictions.record import Kind
from lockgate.release.shadow import NO_ROOM, RETRY_S, Scorer
from lockgate.release.shadow_score import ShadowJob

HOLDS = """
import sys
from pathlib import Path
from lockgate.services.shadow import limit_memory
limit_memory(256)
kept = bytearray(32 << 20)
try:
    bytearray(512 << 20)
except MemoryError:
    print("no room", Path("/proc/self/oom_score_adj").read_text().strip())
"""
SMALL, LARGE = (
    ShadowJob(model="churn", version=n, digest=f"sha256:{n}", release=7, since_us=NOON_US) for n in (50, 60)
)


def test_the_process_may_hold_so_much_and_is_ended_first() -> None:
    """Half a gigabyte does not go into a quarter; the process learns it as an error of its own, the machine never."""
    done = subprocess.run([sys.executable, "-c", HOLDS], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["no", "room", "1000"]


def test_a_job_without_room_waits_and_the_others_go_on(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """One of two models asks for more than any machine has: nothing of it is on record, in words why; with room it is scored."""
    there_is_room = False

    def opened(job: ShadowJob) -> Executor:
        if job is LARGE and not there_is_room:
            np.ones(2**50)
        return model(float(job.version))

    with SegmentWriter(home.log, "gateway") as log:
        log.append([request(name, 45.0) for name in ("a", "b")])
    clock = FakeClock(NOON_US)
    scorer = Scorer(home, blobs, sqlite, opened, clock=clock)
    for _ in range(3):
        scorer.step([LARGE, SMALL])
    assert scorer.status[LARGE.name].error == NO_ROOM
    assert scorer.status[SMALL.name].error is None

    def scored(version: int) -> int:
        return len(list(records(home, blobs, "churn", version=version, kinds=[Kind.SHADOW])))

    assert (scored(50), scored(60)) == (2, 0)
    there_is_room = True
    clock.sleep(RETRY_S + 1)
    scorer.step([LARGE, SMALL])
    assert scorer.status[LARGE.name].error is None
    scorer.close()
    assert (scored(50), scored(60)) == (2, 2)
