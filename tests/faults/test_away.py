"""The database, the archive, the control plane go away and come back, the clock jumps: served on, nothing lost, said clearly."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conftest import SERVER_OWNER, START_TIMEOUT_S, PostgresServer, _postgres_programs
from tests.faults.test_hosts import start
from tests.system.box import Box, ok, submit_words, wait_for
from tests.system.callers import Callers
from tests.system.loans import Loans

from lockgate.blobs import Blobs
from lockgate.db import Database
from lockgate.predictions.archive import archive
from lockgate.predictions.log import LogReader
from lockgate.predictions.query import frame
from lockgate.predictions.record import Kind

FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
SHORT_S, LONG_S = 12.0, 300.0


class Restartable(PostgresServer):
    """A PostgreSQL of its own that a test may halt and start again."""

    def halt(self) -> None:
        """Gone at once, as by kill -9 of a machine; what was committed is on the disk of a machine that lives on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)
        self._process.wait(START_TIMEOUT_S)

    def resume(self) -> None:
        """Start it again on its data."""
        assert self._process is not None
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(self._process.args, stdout=log, stderr=log)
        self._wait()


@pytest.fixture
def own_postgres() -> Iterator[Restartable]:
    """A server that no other test uses."""
    programs = _postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="lockgate-away-", dir="/tmp"))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, SERVER_OWNER)
    server = Restartable(folder)
    try:
        server.start(programs)
        yield server
    finally:
        server.stop()


def live(box: Box, loans: Loans) -> None:
    """One version, submitted, validated and live."""
    ok(box.far(*submit_words(loans.path("first"), "loan", loans.data)))
    ok(box.far("validate", "loan/1"))
    start(box, "1")
    box.wait_for_phase("loan", "done")


def check_all_is_there(box: Box, callers: Callers) -> None:
    """Every call was answered with 200, and is on record once."""
    assert callers.bad == []
    assert callers.broken == 0
    wait_for(lambda: box.api("GET", "/status").status_code == 200, 60)
    logged = sorted(row["inference_id"] for row in box.log("loan"))
    assert logged == sorted(callers.answered)


def without_database(start_box: Any, loans: Loans, server: Restartable, seconds: float) -> None:
    """Calls go on while the database is away; then people's acts work again."""
    box = start_box(config=f"database: {server.url(server.create())}\ngateway: {{segment_s: 2}}\n")
    live(box, loans)
    with Callers(box, loans, "loan", threads=2, pause_s=0.05) as callers:
        wait_for(lambda: len(callers.answered) > 20)
        server.halt()
        before = len(callers.answered)
        refused = box.api("GET", "/status")
        time.sleep(seconds)
        meanwhile = len(callers.answered) - before
        server.resume()
        wait_for(lambda: box.api("GET", "/status").status_code == 200, 60, box.said)
        wait_for(lambda: len(callers.answered) > before + meanwhile + 20)
    print(
        f"database away for {seconds:g} s: {meanwhile} requests answered meanwhile, {len(callers.answered)} in all"
    )
    assert refused.status_code == 503
    assert "the metadata database cannot be used now" in refused.json()["error"]
    assert meanwhile > seconds
    check_all_is_there(box, callers)
    ok(box.far("audit", "verify"))


@pytest.mark.postgres
@pytest.mark.timeout(300)
def test_the_database_is_away(start_box: Any, loans: Loans, own_postgres: Restartable) -> None:
    """Twelve seconds without PostgreSQL."""
    without_database(start_box, loans, own_postgres, SHORT_S)


@pytest.mark.faults
@pytest.mark.postgres
@pytest.mark.timeout(900)
def test_the_database_is_away_for_five_minutes(
    start_box: Any, loans: Loans, own_postgres: Restartable
) -> None:
    """Five minutes without PostgreSQL."""
    without_database(start_box, loans, own_postgres, LONG_S)


@pytest.mark.timeout(300)
def test_the_archive_and_the_control_plane_are_away(start_box: Any, loans: Loans) -> None:
    """The archive's place cannot be written, the controller stands still: served on; then everything is archived once."""
    box: Box = start_box(config="gateway: {segment_s: 1}\n")
    live(box, loans)
    place, aside = box.home.blobs / "archive", box.home.blobs / "archive-aside"
    with Callers(box, loans, "loan", threads=2, pause_s=0.05) as callers:
        wait_for(lambda: place.exists() and not hot_segments(box, older_s=6), 60)
        place.rename(aside)
        place.write_text("no folder")
        stopped = [number for name in ("controller", "console") if (number := box.pid(name)) is not None]
        for number in stopped:
            os.kill(number, signal.SIGSTOP)
        before = len(callers.answered)
        wait_for(lambda: "archiving failed" in words_of(box, "archiver"), 60)
        wait_for(lambda: len(hot_segments(box)) > 3, 60)
        wait_for(lambda: len(callers.answered) > before + 50, 60)
        place.unlink()
        aside.rename(place)
        for number in stopped:
            os.kill(number, signal.SIGCONT)
        wait_for(lambda: not hot_segments(box, older_s=10), 60)
    check_all_is_there(box, callers)


def words_of(box: Box, name: str) -> str:
    """What one of its processes wrote."""
    return "".join(path.read_text() for path in box.home.run.glob(f"{name}.log"))


def hot_segments(box: Box, older_s: float = 0.0) -> list[str]:
    """The gateway's segments that are not archived and removed yet, of those begun so long ago."""
    newest_us = (time.time() - older_s) * 1e6
    found = [name for name in LogReader(box.home.log).segments() if name.startswith("gateway")]
    return [name for name in found if int(name.partition("/")[2].partition("-")[0]) < newest_us]


@pytest.mark.skipif(
    not FAKETIME.exists(), reason="libfaketime is not installed (Debian: apt install libfaketime)"
)
def test_the_clock_jumps(
    world: Any, sqlite: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An hour back, two hours forward, a day back, under a worker that runs: served on, and archived once, in order."""
    offset = tmp_path / "offset"
    offset.write_text("+0")
    for name, value in {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(offset), "FAKETIME_NO_CACHE": "1",
                        "FAKETIME_DONT_FAKE_MONOTONIC": "1"}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    (world.home.root / "config.yaml").write_text("gateway: {segment_s: 0.5}\n")
    world.route(world.package())
    worker = world.worker()
    monkeypatch.undo()
    asked, beats = [], []

    def segments() -> list[Path]:
        return list(world.home.log.glob("gateway-0/*.seg"))

    with world.client() as client:
        for jump in ("+0", "-3600", "+7200", "-86400", "+0"):
            offset.write_text(jump)
            before, number = len(segments()), 0
            while number < 40 or len(segments()) == before:  # in each time a segment begins
                number += 1
                asked.append(f"{jump}-{number}-{len(asked)}")
                answer = client.post(
                    "/v2/models/churn/infer", json={"id": asked[-1], **world.infer([1, 2, 3])}
                )
                assert answer.status_code == 200, answer.text
                time.sleep(0.02)
            shifted_s = int(jump)
            world.wait_for(lambda s=shifted_s: abs(worker.member.beat_us / 1e6 - time.time() - s) < 600)
            beats.append(worker.member.beat_us)
    assert beats[1] < beats[0] < beats[2]
    assert beats[3] < beats[1]
    assert worker.stop() == 0
    names = [path.stem for path in sorted(segments(), key=lambda path: path.stat().st_ctime_ns)]
    assert len(names) > 4
    blobs = Blobs(str(world.home.blobs))
    done = archive(world.home.log, blobs, sqlite)
    assert len(done.committed) == len(names)
    assert archive(world.home.log, blobs, sqlite).committed == ()
    rows = frame(world.home, blobs, "churn", kinds=(Kind.ANSWER,), database=sqlite)
    assert sorted(rows["inference_id"]) == sorted(asked)
    assert [int(a.partition("-")[0]) < int(b.partition("-")[0]) for a, b in itertools.pairwise(names)]
