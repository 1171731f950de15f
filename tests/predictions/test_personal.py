"""Personal inputs: encrypted on the disk, readable for readers, gone with the key."""

from pathlib import Path

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions.archive import archive
from lockgate.predictions.erase import Ground, ask, carry_out
from lockgate.predictions.keyring import Keyring, take_in
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.personal import Personal, Protector, kept_here, read_keys
from lockgate.predictions.query import frame, records
from lockgate.predictions.record import Record, blocks_of, columns_of
from lockgate.predictions.subject import log_secret

from .records import scored

NAME = "Agathe Unvergesslich"
WHO = Personal(("plan", "income"), "customer")


@pytest.fixture
def protector(home: Home) -> Protector:
    """Encrypts `plan` and `income`, by the person in `customer`."""
    return Protector(kept_here(log_secret(home.secrets)), lambda model: WHO if model == "churn" else None)


def request(name: str, people: list[str | None], **fields: object) -> Record:
    """A request with a row for each person."""
    n = len(people)
    columns = {
        "age": np.arange(n, dtype=np.float64),
        "income": np.arange(n, dtype=np.float64) * 1000,
        "customer": np.array(people, dtype=object),
        "plan": np.array([f"{NAME} {row}" for row in range(n)], dtype=object),
    }
    return scored(name, rows=n, inputs=blocks_of(columns), p=[0.5] * n, **fields)


def test_what_is_personal_is_on_the_disk_encrypted_only(
    home: Home, blobs: Blobs, sqlite: Database, protector: Protector
) -> None:
    """Neither segment nor archive holds the text; with the database rows read as they were sent."""
    sent = request("a", ["7", "8", None])
    with SegmentWriter(home.log, "w", protector=protector) as log:
        log.append([sent])
    for step in ("hot", "archived"):
        held = [
            path for path in home.root.rglob("*") if path.is_file() and NAME.encode() in path.read_bytes()
        ]
        assert held == [], step
        rows = frame(home, blobs, "churn", database=sqlite)
        assert rows["in.plan"].to_list() == [f"{NAME} {row}" for row in range(3)]
        assert rows["in.income"].to_list() == [0.0, 1000.0, 2000.0]
        assert "in.plan" not in frame(home, blobs, "churn").columns
        archive(home.log, blobs, sqlite)
    (record,) = records(home, blobs, "churn")
    opened = columns_of(Keyring(home, sqlite).open(record).inputs)
    assert {name: values.tolist() for name, values in opened.items()} == {
        name: values.tolist() for name, values in columns_of(sent.inputs).items()
    }


def test_other_models_are_left_alone(home: Home, protector: Protector) -> None:
    """A model without personal inputs is recorded as ever, and no key is made."""
    record = scored("a", model="fraud")
    with SegmentWriter(home.log, "w", protector=protector) as log:
        log.append([record])
    assert [found for found, _ in LogReader(home.log).read({}).records] == [record]
    assert not list(home.log.rglob("*.keys"))


def test_a_person_has_one_key_in_a_writer_and_keys_come_over_once(
    home: Home, sqlite: Database, protector: Protector
) -> None:
    """Two requests of a person share a key; taking the same file in again adds nothing."""
    with SegmentWriter(home.log, "w", protector=protector) as log:
        log.append([request("a", ["7"]), request("b", ["7", "8"])])
        (file,) = home.log.rglob("*.keys")
        assert len(read_keys(file)) == 2
        assert (take_in(home.log, sqlite), take_in(home.log, sqlite)) == (2, 0)


def test_a_torn_key_file_is_read_to_its_last_whole_key(home: Home, protector: Protector) -> None:
    """A writer that died in the middle of a key had not used it."""
    with SegmentWriter(home.log, "w", protector=protector) as log:
        log.append([request("a", ["7", "8"])])
        (file,) = home.log.rglob("*.keys")
        body = file.read_bytes()
    for cut in range(len(body)):
        file.write_bytes(body[:cut])
        assert len(read_keys(file)) in (0, 1)


def test_a_destroyed_key_takes_copies_with_it(
    home: Home, blobs: Blobs, sqlite: Database, protector: Protector, clock: FakeClock
) -> None:
    """After an erasure a copy of the segment that was taken before cannot be read for that person; for others it can."""
    with SegmentWriter(home.log, "w", protector=protector) as log:
        log.append([request("a", ["7"]), request("b", ["8"])])
    (segment,) = home.log.rglob("*.seg")
    copy = segment.read_bytes()
    with sqlite.write() as tx:
        asked = ask(tx, home, "churn", "7", reason="by letter", by="ada", at_us=1)
    done = carry_out(Ground(home, blobs, sqlite, clock), asked.id, "customer")
    assert done.counts.keys == 1
    segment.write_bytes(copy)
    keys = Keyring(home, sqlite)
    found = [columns_of(keys.open(record).inputs) for record, _ in LogReader(home.log).read({}).records]
    assert "plan" not in found[0]
    assert found[1]["plan"].tolist() == [f"{NAME} 0"]


def test_a_writer_makes_new_keys_after_an_erasure(home: Home, protector: Protector) -> None:
    """A running writer that is asked to roll does not use a key again that may be destroyed."""
    with SegmentWriter(home.log, "w", protector=protector, clock=FakeClock()) as log:
        log.append([request("a", ["7"])])
        Path(home.log / "w" / "roll").touch()
        log._clock.sleep(1)
        log.append([request("b", ["7"])])
    used = [record.sealed[0].key for record, _ in LogReader(home.log).read({}).records]
    assert used[0] != used[1]
