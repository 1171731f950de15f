"""The shadow scorer: each request once, whatever dies, whatever the archiver does."""

import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import Conflict, Unavailable
from lockgate.inference.executor import Executor
from lockgate.predictions.archive import archive
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.query import records
from lockgate.predictions.record import Kind
from lockgate.release.shadow import Scorer, run
from lockgate.release.shadow_score import ShadowJob

from .shadow_models import NOON_US, model, request

JOB = ShadowJob(model="churn", version=2, digest="sha256:50", release=7)
HERE = Path(__file__).parent
REQUESTS = 150  # while one scorer lives


def open_candidate(job: ShadowJob) -> Executor:
    """The model that a job names."""
    return model(float(job.digest.removeprefix("sha256:")))


def write(home: Home, names: list[str], writer: str = "gateway", **fields: object) -> None:
    """One ended segment with a request of each name."""
    with SegmentWriter(home.log, writer) as log:
        for name in names:
            log.append([request(name, 45.0, **fields)])


def scored(home: Home, blobs: Blobs, version: int = 2) -> list[str]:
    """Requests that a version has scored in shadow, hot and archived."""
    return [str(r.of) for r in records(home, blobs, "churn", version=version, kinds=[Kind.SHADOW])]


def drain(scorer: Scorer, jobs: list[ShadowJob]) -> None:
    """Step until there is nothing more to read."""
    while scorer.step(jobs):
        pass


def test_history_first_then_what_comes(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Archived requests, those in files and those that come later are each scored once, also after a restart."""
    write(home, ["a", "b"])
    archive(home.log, blobs, sqlite)
    write(home, ["c"])
    for fresh in (["d"], ["e", "f"], []):
        scorer = Scorer(home, blobs, sqlite, open_candidate)
        drain(scorer, [JOB])
        write(home, fresh)
        drain(scorer, [JOB])
        assert scorer.status[JOB.name].behind_us == 0
        scorer.close()
        archive(home.log, blobs, sqlite)
    assert sorted(scored(home, blobs)) == list("abcdef")


def test_the_archiver_waits_for_the_scorer(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """What a running job has not read yet stays a file; what it has read may go."""
    clock = FakeClock(NOON_US)
    scorer = Scorer(home, blobs, sqlite, open_candidate, clock=clock)
    scorer.step([JOB])
    write(home, ["a"])
    assert archive(home.log, blobs, sqlite).removed == ()
    assert LogReader(home.log).segments() != []
    drain(scorer, [JOB])
    clock.sleep(3)
    scorer.step([JOB])
    assert len(archive(home.log, blobs, sqlite).removed) == 1
    scorer.close()
    assert scored(home, blobs) == ["a"]


def test_without_jobs_nothing_is_held_up(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A scorer without work lets the archiver remove everything; a job that starts then still sees history."""
    clock = FakeClock(NOON_US)
    scorer = Scorer(home, blobs, sqlite, open_candidate, clock=clock)
    write(home, ["a"])
    scorer.step([])
    assert len(archive(home.log, blobs, sqlite).removed) == 1
    drain(scorer, [JOB])
    scorer.close()
    assert scored(home, blobs) == ["a"]


def test_both_ways_during_a_canary(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """The candidate scores what live answered, live scores what the candidate answered."""
    write(home, ["by live"])
    write(home, ["by canary"], version=2)
    live = ShadowJob(model="churn", version=1, digest="sha256:40", release=7)
    scorer = Scorer(home, blobs, sqlite, open_candidate)
    drain(scorer, [JOB, live])
    scorer.close()
    assert scored(home, blobs, version=2) == ["by live"]
    assert scored(home, blobs, version=1) == ["by canary"]


def test_impure_models_are_never_scored(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A model whose calls cost or change something is not called in shadow, whoever asks for it."""
    write(home, ["a"])
    scorer = Scorer(home, blobs, sqlite, open_candidate)
    drain(scorer, [ShadowJob(model="churn", version=2, digest="sha256:50", release=7, pure=False)])
    scorer.close()
    assert scored(home, blobs) == []


def test_a_model_that_cannot_be_opened_waits_and_stops_no_other(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """While one model is unavailable the other is scored; when it is back, nothing was left out."""
    clock, down = FakeClock(NOON_US), True

    def opened(job: ShadowJob) -> Executor:
        if down and job.version == 3:
            raise Unavailable("the runner is being started again")
        return open_candidate(job)

    other = ShadowJob(model="churn", version=3, digest="sha256:60", release=7)
    write(home, ["a", "b"])
    scorer = Scorer(home, blobs, sqlite, opened, clock=clock)
    drain(scorer, [other, JOB])
    assert scored(home, blobs, version=2) == ["a", "b"]
    assert scored(home, blobs, version=3) == []
    assert "being started again" in str(scorer.status[other.name].error)
    down = False
    clock.sleep(6)
    drain(scorer, [other, JOB])
    assert scorer.status[other.name].error is None
    scorer.close()
    assert scored(home, blobs, version=3) == ["a", "b"]


def test_one_scorer_at_a_time(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A second scorer of the same home is refused: it would score everything twice."""
    scorer = Scorer(home, blobs, sqlite, open_candidate)
    with pytest.raises(Conflict, match="another process writes the log as 'shadow'"):
        Scorer(home, blobs, sqlite, open_candidate)
    scorer.close()


def test_the_loop_pauses_reports_and_stops(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """A paused loop scores nothing and goes on later; it ends when told, and lets the next scorer in."""
    write(home, ["a"])
    stop, paused, reports, asks = threading.Event(), threading.Event(), [], 0
    paused.set()

    def asked(model: str) -> bool:
        nonlocal asks
        asks += 1
        return model == "churn" and paused.is_set()

    scorer = Scorer(home, blobs, sqlite, open_candidate)
    loop = threading.Thread(
        target=run,
        args=(scorer, lambda: [JOB], stop),
        kwargs={"waits": asked, "report": reports.append, "poll_s": 0.01},
    )
    loop.start()
    deadline = time.monotonic() + 60
    while asks < 5 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert scored(home, blobs) == []
    paused.clear()
    deadline = time.monotonic() + 60
    while scored(home, blobs) != ["a"] and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    loop.join()
    assert scored(home, blobs) == ["a"]
    assert reports[-1][0].scored == 1
    Scorer(home, blobs, sqlite, open_candidate).close()


SCORER = textwrap.dedent(
    """
    import sys, threading
    from pathlib import Path
    sys.path.insert(0, sys.argv[2])
    from release.shadow_models import model
    from lockgate.blobs import Blobs
    from lockgate.config import Home
    from lockgate.db import open_database
    import lockgate.release.shadow as shadow
    shadow.CHUNK, shadow.COMMIT_S = 7, 0.02
    home = Home(Path(sys.argv[1]))
    jobs = [shadow.ShadowJob(model="churn", version=v, digest=f"sha256:{t}", release=7) for v, t in ((2, 50), (3, 60))]
    scorer = shadow.Scorer(home, Blobs(str(home.blobs)), open_database(f"sqlite:///{home.database}"),
                           lambda job: model(float(job.digest.removeprefix("sha256:"))))
    print("ready", flush=True)
    shadow.run(scorer, lambda: jobs, threading.Event(), poll_s=0.001)
    """
)


def start_scorer(home: Home) -> subprocess.Popen[bytes]:
    """A scorer of two versions in a process of its own, with small frames and frequent commits."""
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
    process = subprocess.Popen(
        [sys.executable, "-c", SCORER, str(home.root), str(HERE.parent)],
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.parametrize(
    "kills", [6, pytest.param(60, marks=[pytest.mark.faults, pytest.mark.timeout(3600)])]
)
def test_kill_9_neither_doubles_nor_leaves_out(
    home: Home, blobs: Blobs, sqlite: Database, kills: int
) -> None:
    """A scorer killed at random moments under traffic, with the archiver at work: each request once for each version.

    The traffic waits for each new scorer: how much there is to do in the end does not hang on how slowly processes start.
    """
    rng, names, stop = random.Random(11), [f"old{n}" for n in range(60)], threading.Event()
    due = threading.Semaphore(0)
    write(home, names)
    archive(home.log, blobs, sqlite)

    def traffic() -> None:
        with SegmentWriter(home.log, "gateway", segment_bytes=5_000) as log:
            while not stop.is_set():
                if not due.acquire(timeout=0.05):
                    continue
                names.append(f"r{len(names)}")
                log.append([request(names[-1], rng.choice([30.0, 45.0, 70.0, 130.0]))])
                time.sleep(0.003)

    def archiving() -> None:
        while not stop.is_set():
            archive(home.log, blobs, sqlite)
            time.sleep(0.05)

    threads = [threading.Thread(target=traffic), threading.Thread(target=archiving)]
    for thread in threads:
        thread.start()
    for _ in range(kills):
        process = start_scorer(home)
        due.release(REQUESTS)
        time.sleep(rng.uniform(0.05, 0.8))
        process.send_signal(signal.SIGKILL)
        assert process.stdout is not None
        process.stdout.close()
        process.wait()
    stop.set()
    for thread in threads:
        thread.join()
    process = start_scorer(home)
    deadline = time.monotonic() + 600 + 30 * kills
    while time.monotonic() < deadline and {*scored(home, blobs, 2)} & {*scored(home, blobs, 3)} != {*names}:
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    process.stdout.close()
    process.wait()
    for version in (2, 3):
        assert Counter(scored(home, blobs, version)) == Counter(names)
