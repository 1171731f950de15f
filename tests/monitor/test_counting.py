"""Every record is counted once, wherever it is read from and whatever dies."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import HOUR_US
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import Unavailable
from lockgate.monitor.counting import Counter
from lockgate.monitor.reading import Log
from lockgate.monitor.reference import OWN_ROWS, kept_reference
from lockgate.monitor.watcher import put_place
from lockgate.predictions.archive import archive
from lockgate.predictions.log import SegmentWriter
from lockgate.predictions.segment import SUFFIX

from .churn import NOON_US, columns, counter, hide, record, reference, rows_counted, whole

HERE = Path(__file__).parent


def drain(one: Counter, log: Log | None = None) -> str:
    """Step until there is no more; what was said last."""
    said = ""
    for _ in range(200):
        if log is not None:
            log.renew()
        piece = one.step(NOON_US)
        said = piece.said
        if not piece.more:
            return said
    raise AssertionError("there is always more")


def write(
    home: Home, names: range, draw: np.random.Generator, writer: str = "gateway-0", version: int = 1
) -> int:
    """One ended segment of requests, a minute between them; how many rows they hold."""
    rows = 0
    with SegmentWriter(home.log, writer) as log:
        for name in names:
            size = int(draw.integers(1, 4))
            rows += size
            log.append(
                [record(f"{name:06d}", NOON_US + name * 60_000_000, columns(draw, size), version=version)]
            )
    return rows


@pytest.mark.parametrize(
    "seed", [0, pytest.param(1, marks=pytest.mark.faults), pytest.param(2, marks=pytest.mark.faults)]
)
def test_each_row_is_counted_once_in_any_order_of_things(
    home: Home, blobs: Blobs, sqlite: Database, seed: int
) -> None:
    """Requests come, segments end and are archived, the counter reads, starts anew, finds the archive away: at any turn."""
    chance, draw = random.Random(seed), np.random.default_rng(seed)
    writers = {name: SegmentWriter(home.log, name) for name in ("gateway-0", "gateway-1")}
    log = Log(home, blobs)
    one, written, number = counter(home, blobs, sqlite, log=log), 0, 0
    for _ in range(60):
        turn = chance.choice(
            ("write", "write", "write", "roll", "archive", "step", "step", "restart", "away")
        )
        if turn == "write":
            rows = chance.randint(1, 5)
            number, written = number + 1, written + rows
            made = record(
                str(number), NOON_US + number * 10**9, columns(draw, rows), version=chance.randint(1, 2)
            )
            chance.choice(list(writers.values())).append([made])
        elif turn == "roll":
            chance.choice(list(writers.values())).roll()
        elif turn == "archive":
            archive(home.log, blobs, sqlite)
        elif turn == "restart":
            log = Log(home, blobs)
            one = counter(home, blobs, sqlite, log=log)
        elif turn == "away" and (home.blobs / "archive").exists():
            away = hide(home.blobs / "archive")
            log.renew()
            one.step(NOON_US)
            away.rename(home.blobs / "archive")
        else:
            log.renew()
            one.step(NOON_US)
    drain(one, log)
    assert rows_counted(sqlite) == written
    assert (
        sum(counted.rows for counted in (whole(sqlite, 1).columns["age"], whole(sqlite, 2).columns["age"]))
        == written
    )
    for writer in writers.values():
        writer.close()


def test_what_was_archived_before_anybody_looked_is_counted_too(
    home: Home, blobs: Blobs, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of several writers and days, in pieces; a counter that dies between pieces goes on where it was."""
    monkeypatch.setattr("lockgate.monitor.reading.PIECE_ROWS", 20)
    draw = np.random.default_rng(0)
    written = sum(write(home, range(start, start + 600, 17), draw, f"gateway-{start}") for start in range(3))
    archive(home.log, blobs, sqlite)
    assert not list(home.log.glob(f"*/*{SUFFIX}"))
    for _ in range(500):
        if not counter(home, blobs, sqlite).step(NOON_US).more:
            break
    assert rows_counted(sqlite) == written
    assert whole(sqlite).rows == written
    with sqlite.read() as tx:
        assert kept_reference(tx, "churn", 1) == reference()


def test_what_was_read_ahead_counts_once_whatever_fails(
    home: Home, blobs: Blobs, sqlite: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits fail now and then while the next piece is being read: nothing is lost or counted twice."""
    monkeypatch.setattr("lockgate.monitor.reading.PIECE_ROWS", 20)
    written = write(home, range(0, 900, 17), np.random.default_rng(0))
    archive(home.log, blobs, sqlite)
    turns = iter(range(1_000))

    def failing(*given: object) -> None:
        if next(turns) % 3 == 1:
            raise Unavailable("the database is away")
        put_place(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("lockgate.monitor.counting.put_place", failing)
    one, failed = counter(home, blobs, sqlite), 0
    for _ in range(200):
        try:
            if not one.step(NOON_US, ahead=True).more:
                break
        except Unavailable:
            failed += 1
    one.settle(NOON_US)
    assert failed > 2
    assert rows_counted(sqlite) == written


def test_nobody_waits_for_the_monitor(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Files that it has not read, or half of them, are archived and removed; it reads the rest from there."""
    draw = np.random.default_rng(1)
    with SegmentWriter(home.log, "gateway-0") as log:
        log.append([record("a", NOON_US, columns(draw, 3))])
        one = counter(home, blobs, sqlite)
        one.step(NOON_US)
        assert rows_counted(sqlite) == 3
        log.append([record("b", NOON_US + HOUR_US, columns(draw, 4))])
    archive(home.log, blobs, sqlite)
    assert not list(home.log.glob(f"*/*{SUFFIX}"))
    drain(counter(home, blobs, sqlite))
    assert rows_counted(sqlite) == 7


def test_an_archive_that_is_away_is_said_and_files_are_read_meanwhile(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """When it is back, what it holds is counted."""
    draw = np.random.default_rng(7)
    archived = write(home, range(10), draw)
    archive(home.log, blobs, sqlite)
    hot = write(home, range(10, 20), draw)
    away = hide(home.blobs / "archive")
    assert "archive of predictions" in drain(counter(home, blobs, sqlite))
    assert rows_counted(sqlite) == hot
    away.rename(home.blobs / "archive")
    assert drain(counter(home, blobs, sqlite)) == ""
    assert rows_counted(sqlite) == hot + archived


def test_a_torn_segment_is_read_up_to_its_last_whole_frame(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """The torn tail was no answer; when its writer is back, what comes is counted."""
    draw = np.random.default_rng(2)
    write(home, range(20), draw)
    path = next(home.log.glob(f"gateway-0/*{SUFFIX}"))
    body = path.read_bytes()
    path.write_bytes(body[: len(body) - 60])  # the end mark and a part of the last frame
    one = counter(home, blobs, sqlite)
    drain(one)
    before = rows_counted(sqlite)
    assert before > 0
    more = write(home, range(20, 30), draw)
    archive(home.log, blobs, sqlite)
    drain(counter(home, blobs, sqlite))
    assert rows_counted(sqlite) == before + more


def test_a_damaged_segment_is_said_and_the_rest_counts(home: Home, blobs: Blobs, sqlite: Database) -> None:
    """Bytes that hold no frame are stepped over."""
    draw = np.random.default_rng(3)
    written = write(home, range(20), draw)
    path = next(home.log.glob(f"gateway-0/*{SUFFIX}"))
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 0xFF
    path.write_bytes(bytes(body))
    said = counter(home, blobs, sqlite).step(NOON_US).said
    assert "damaged" in said
    assert 0 < rows_counted(sqlite) < written


def test_a_version_without_validation_is_held_against_its_own_first_rows(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Until there are enough it says so and commits nothing; a counter that dies meanwhile loses nothing."""
    draw = np.random.default_rng(4)
    written = write(home, range(100), draw)
    said = drain(counter(home, blobs, sqlite, validated=False))
    assert "no validation" in said
    assert f"{written:,} rows so far" in said
    assert rows_counted(sqlite) == 0
    written += write(home, range(100, 900), draw)
    assert drain(counter(home, blobs, sqlite, validated=False)) == ""
    assert rows_counted(sqlite) == written
    with sqlite.read() as tx:
        kept = kept_reference(tx, "churn", 1)
    assert kept is not None
    assert kept.rows >= OWN_ROWS
    assert set(kept.columns) == {"age", "plan"}
    written += write(home, range(900, 920), draw, version=2)
    drain(counter(home, blobs, sqlite, validated=False))
    assert rows_counted(sqlite) == written
    with sqlite.read() as tx:
        second = kept_reference(tx, "churn", 2)
    assert second is not None
    assert second.said == "an older version's rows"


def test_records_of_other_models_and_refused_requests_are_not_counted(
    home: Home, blobs: Blobs, sqlite: Database
) -> None:
    """Hot and archived."""
    draw = np.random.default_rng(5)
    with SegmentWriter(home.log, "gateway-0") as log:
        for name in ("hot", "archived"):
            log.append(
                [
                    record(name, NOON_US, columns(draw, 2)),
                    record(f"o-{name}", NOON_US, columns(draw, 2), model="x"),
                ]
            )
            if name == "hot":
                counter(home, blobs, sqlite).step(NOON_US)
    archive(home.log, blobs, sqlite)
    drain(counter(home, blobs, sqlite))
    assert rows_counted(sqlite) == 4


_COUNTS = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import open_database
from lockgate.monitor import reading
from tests.monitor.churn import counter
reading.PIECE_ROWS = 40
reading.HOT_RECORDS = 20
home = Home(Path(sys.argv[1]))
db = open_database(f"sqlite:///{home.database}")
one = counter(home, Blobs(str(home.blobs)), db)
for turn in range(100_000):
    one._log._log.renew()
    one.step(0)
    print(turn, flush=True)
"""


@pytest.mark.parametrize(
    "kills", [2, pytest.param(40, marks=[pytest.mark.faults, pytest.mark.timeout(3_600)])]
)
def test_kill_9_at_any_moment_loses_nothing_and_counts_nothing_twice(
    home: Home, blobs: Blobs, sqlite: Database, kills: int
) -> None:
    """A real process reads archive and files and is killed again and again; the last one counts the rest."""
    draw, chance = np.random.default_rng(6), random.Random(6)
    written = write(home, range(300), draw)
    archive(home.log, blobs, sqlite)
    written += write(home, range(300, 500), draw, "gateway-1")
    script = textwrap.dedent(_COUNTS)
    for turn in range(kills):
        with subprocess.Popen(
            [sys.executable, "-c", script, str(home.root), str(HERE.parent.parent)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(chance.randint(1, 4)):
                assert process.stdout.readline()
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        written += write(home, range(1_000 * (turn + 1), 1_000 * (turn + 1) + 5), draw, f"late-{turn % 2}")
    drain(counter(home, blobs, sqlite))
    assert rows_counted(sqlite) == written
