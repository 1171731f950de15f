"""Erasing a person: nothing of them is left on the disk, everybody else's records are as they were."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import SECOND_US, FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.errors import InvalidInput
from lockgate.governance import audit
from lockgate.governance.checkpoints import verify
from lockgate.predictions.archive import archive
from lockgate.predictions.erase import AGAIN_US, ErasureState, Ground, ask, carry_out, due
from lockgate.predictions.label_import import import_labels
from lockgate.predictions.labels import latest_labels
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.offsets import commit_offsets, register_reader
from lockgate.predictions.query import frame
from lockgate.predictions.record import Kind, Record, blocks_of

from .records import NOON_US, scored

PERSON = "customer-4711-of-springfield"
NAME = "Agathe Unvergesslich"


def mine(name: str, **fields: object) -> Record:
    """A request of the person."""
    return scored(name, key=PERSON, plan=NAME, **fields)


def shared(name: str) -> Record:
    """A request with rows of the person and of two others."""
    columns = {
        "age": np.array([1.0, 2.0, 3.0]),
        "customer": np.array(["other", PERSON, "third"], dtype=object),
        "plan": np.array(["basic", NAME, "gold"], dtype=object),
    }
    outputs = blocks_of({"p": np.array([0.1, 0.2, 0.3], dtype=np.float32)})
    return scored(name, rows=3, inputs=blocks_of(columns), outputs=outputs)


@pytest.fixture
def ground(home: Home, blobs: Blobs, sqlite: Database, clock: FakeClock) -> Ground:
    """Records of the person and of others in the archive, in ended segments and in an open one."""
    with SegmentWriter(home.log, "w") as log:
        log.append([mine("a1"), scored("a2", key="other"), shared("a3")])
        log.append([scored("s1", kind=Kind.SHADOW, of="a1", key=PERSON)])
    archive(home.log, blobs, sqlite)
    with sqlite.write() as tx:
        register_reader(tx, "slow", 1)
    with SegmentWriter(home.log, "w") as log:
        log.append([scored("h0", key="other", at_us=NOON_US + 1)])
        log.append([mine("h1", at_us=NOON_US + 2), scored("h2", key="other", at_us=NOON_US + 3)])
        log.append([shared("h3"), scored("s2", kind=Kind.SHADOW, of="h1")])
        log.append([scored("h4", key="other", at_us=NOON_US + 4)])
    table = pl.DataFrame({"key": [PERSON, "other"], "churned": [1, 0]})
    with sqlite.write() as tx:
        import_labels(tx, "churn", table, on="key", label="churned", by="ada", now_us=2)
    return Ground(home, blobs, sqlite, clock)


def files_with(root: Path, *words: str) -> list[str]:
    """Files below a folder that hold one of these words."""
    found = []
    for path in sorted(root.rglob("*")):
        if path.is_file():
            body = path.read_bytes()
            found += [f"{path.relative_to(root)}: {word}" for word in words if word.encode() in body]
    return found


def erase(ground: Ground, key: str = PERSON) -> int:
    """Ask and carry out, and once more after the time for what was on its way; the erasure's number."""
    with ground.db.write() as tx:
        asked = ask(tx, ground.home, "churn", key, reason="asked by letter", by="ada", at_us=5)
    carry_out(ground, asked.id, "customer")
    ground.clock.sleep(2 * AGAIN_US / SECOND_US)
    with ground.db.read() as tx:
        assert due(tx, ground.clock.now_us()) == [asked.id]
    done = carry_out(ground, asked.id, "customer")
    assert done.state is ErasureState.FINISHED
    return asked.id


def test_nothing_of_the_person_is_left_on_the_disk(ground: Ground) -> None:
    """Neither key nor name stands in any file of the home: segments, archive, its notes, database."""
    assert files_with(ground.home.root, PERSON, NAME)
    erase(ground)
    ground.db.close()
    assert files_with(ground.home.root, PERSON, NAME) == []


def test_labels_by_the_key_column_go_too(ground: Ground) -> None:
    """A label that was matched by the input that holds keys names the person as one by the key does; others' labels stay."""
    table = pl.DataFrame({"customer": [PERSON, "other"], "churned": [1, 0]})
    with ground.db.write() as tx:
        import_labels(tx, "churn", table, on="in.customer", label="churned", by="ada", now_us=3)
    erase(ground)
    with ground.db.read() as tx:
        assert latest_labels(tx, "churn").select("on_column", "value").rows() == [
            ("key", "other"),
            ("in.customer", "other"),
        ]
    ground.db.close()
    assert files_with(ground.home.root, PERSON) == []


def test_labels_by_request_go_though_the_first_try_dies_after_the_requests_went(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next try finds no request of the person any more, and their labels are gone all the same; others' stay."""
    table = pl.DataFrame({"id": ["h1", "h2"], "churned": [1, 0]})
    with ground.db.write() as tx:
        import_labels(tx, "churn", table, on="id", label="churned", by="ada", now_us=3)
        asked = ask(tx, ground.home, "churn", PERSON, reason="asked by letter", by="ada", at_us=5)

    def no_power(*_given: object) -> None:
        raise OSError("the power is gone")

    with monkeypatch.context() as dying:
        dying.setattr("lockgate.predictions.erase.erase_in_table", no_power)
        with pytest.raises(OSError, match="the power is gone"):
            carry_out(ground, asked.id, "customer")
    assert carry_out(ground, asked.id, "customer").state is ErasureState.ERASED
    with ground.db.read() as tx:
        left = latest_labels(tx, "churn").filter(on_column="id")
    assert left["value"].to_list() == ["h2"]


def test_everybody_else_is_as_before(ground: Ground) -> None:
    """Other requests, other rows of shared requests with their numbers, and other labels stay."""
    before = frame(ground.home, ground.blobs, "churn", database=ground.db)
    keep = (pl.col("key") == "other") | (pl.col("id").is_in(["a3", "h3"]) & (pl.col("row") != 1))
    expected = before.filter(keep)
    erase(ground)
    after = frame(ground.home, ground.blobs, "churn", database=ground.db)
    same = [name for name in expected.columns if name not in ("rows", "place")]
    assert after.select(same).to_dicts() == expected.select(same).to_dicts()
    assert after.filter(id="a3")["row"].to_list() == [0, 2]
    assert frame(ground.home, ground.blobs, "churn", kinds=[Kind.SHADOW]).is_empty()


def test_readers_go_on_where_they_were(ground: Ground) -> None:
    """An offset from before the erasure reads the same later records after it."""
    reader = LogReader(ground.home.log)
    first = reader.read({}, limit=3)
    assert [record.id for record, _ in first.records] == ["h0", "h1", "h2"]
    erase(ground)
    rest = LogReader(ground.home.log).read(first.offsets)
    assert [record.id for record, _ in rest.records] == ["h3", "h4"]
    assert not rest.damage
    with ground.db.write() as tx:
        commit_offsets(tx, "slow", rest.offsets, 9)
    assert archive(ground.home.log, ground.blobs, ground.db).removed


def test_a_running_writer_ends_its_segment_first(ground: Ground) -> None:
    """What a live process has in an open segment is erased too, once it rests."""
    with SegmentWriter(ground.home.log, "live") as log:
        log.append([mine("o1"), scored("o2", key="other")])
        with ground.db.write() as tx:
            asked = ask(tx, ground.home, "churn", PERSON, reason="by letter", by="ada", at_us=5)

        stop = threading.Event()

        def resting() -> None:
            while not stop.wait(0.01):
                log.roll_if_due()

        thread = threading.Thread(target=resting)
        thread.start()
        try:
            done = carry_out(ground, asked.id, "customer")
        finally:
            stop.set()
            thread.join()
        log.append([scored("o3", key="other")])
    assert done.counts.requests == 3
    left = [record.id for record, _ in LogReader(ground.home.log).read({}).records]
    assert "o1" not in left
    assert {"o2", "o3"} <= set(left)


def test_the_audit_log_knows_it_without_the_key(ground: Ground) -> None:
    """What was asked and done is on record with counts, by a hash; the chain verifies."""
    number = erase(ground)
    with ground.db.read() as tx:
        rows = audit.rows(tx, action="log:person")
    assert [row.action for row in rows] == ["log:person:finished", "log:person:erased", "log:person:erasing"]
    assert rows[1].values["erasure"] == number
    assert rows[1].values["requests"] == 2
    assert rows[1].values["rows"] == 2
    assert rows[1].values["labels"] == 1
    assert all(PERSON not in row.details for row in rows)
    assert verify(ground.db, ground.home).faults == ()


def test_a_reason_that_says_who_is_refused(ground: Ground) -> None:
    """Reasons are kept for ever, so they must not name the key; an empty one is refused too."""
    for reason in (f"{PERSON} asked", " "):
        with ground.db.write() as tx, pytest.raises(InvalidInput):
            ask(tx, ground.home, "churn", PERSON, reason=reason, by="ada", at_us=5)


def test_asking_twice_is_one_erasure(ground: Ground) -> None:
    """While an erasure is under way the same question gives the same erasure."""
    with ground.db.write() as tx:
        first = ask(tx, ground.home, "churn", PERSON, reason="by letter", by="ada", at_us=5)
        second = ask(tx, ground.home, "churn", PERSON, reason="by phone", by="bob", at_us=6)
    assert first == second


def test_two_that_carry_out_one_erasure_count_it_once(ground: Ground) -> None:
    """The archiver takes it up while whoever asked is at it: the second finds it done, and what was erased stays on record."""
    with ground.db.write() as tx:
        asked = ask(tx, ground.home, "churn", PERSON, reason="by letter", by="ada", at_us=5)
    firsts = []

    def meanwhile(phase: str, *_counted: int) -> None:
        if phase == "waiting for open segments" and not firsts:
            firsts.append(carry_out(ground, asked.id, "customer"))

    second = carry_out(ground, asked.id, "customer", meanwhile)
    assert [second] == firsts
    assert (second.state, second.counts.requests, second.counts.labels) == (ErasureState.ERASED, 2, 1)
    with ground.db.read() as tx:
        assert len(audit.rows(tx, action="log:person:erased")) == 1


ERASER = """
import sys
from pathlib import Path
from lockgate.blobs import Blobs
from lockgate.clock import SystemClock
from lockgate.config import Home
from lockgate.db import open_database
from lockgate.predictions.erase import Ground, carry_out
home = Home(Path(sys.argv[1]))
ground = Ground(home, Blobs(str(home.blobs)), open_database(f"sqlite:///{home.database}"), SystemClock())
carry_out(ground, int(sys.argv[2]), "customer", lambda phase, *_: print(phase, flush=True))
print("done", flush=True)
"""


def test_an_erasure_that_is_killed_is_carried_out_by_the_next(ground: Ground) -> None:
    """Killed at several moments, the erasure stays asked for; the next one ends it, and nobody else lost a record."""
    with ground.db.write() as tx:
        asked = ask(tx, ground.home, "churn", PERSON, reason="by letter", by="ada", at_us=5)
    rng = random.Random(7)
    for phase in ("waiting for open segments", "looking for the person", "erasing", "erasing", "erasing"):
        process = subprocess.Popen(
            [sys.executable, "-c", ERASER, str(ground.home.root), str(asked.id)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        while process.stdout.readline().strip() not in (phase, "done", ""):
            continue
        time.sleep(rng.uniform(0, 0.03))
        process.kill()
        process.stdout.close()
        process.wait()
    carry_out(ground, asked.id, "customer")
    left = frame(ground.home, ground.blobs, "churn")
    assert sorted(set(left["id"])) == ["a2", "a3", "h0", "h2", "h3", "h4"]
    assert left.filter(id="a3").height == left.filter(id="h3").height == 2
