"""Keys of personal inputs from a gateway host away from the control plane: sealed there, readable at home alone."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.gateway.pen import protector_of
from lockgate.membership import CanaryLease
from lockgate.predictions.erase import Ground, ask, carry_out
from lockgate.predictions.far_keys import keep_public, opened_at_home, public_in, public_key
from lockgate.predictions.keyring import record_keys
from lockgate.predictions.log import LogReader, SegmentWriter
from lockgate.predictions.personal import MadeKey, Personal, Protector, read_keys
from lockgate.predictions.query import frame
from lockgate.predictions.received import receive
from lockgate.predictions.record import Record, blocks_of
from lockgate.predictions.segment import SUFFIX
from lockgate.predictions.subject import log_secret

from .records import scored

NAME = "Agathe Unvergesslich"
PERSON = "customer-4711-of-springfield"


@pytest.fixture
def far(tmp_path: Path, home: Home) -> Home:
    """The home of a host that follows, after its first contact."""
    made = Home(tmp_path / "far").prepare()
    CanaryLease(made.members).close()
    keep_public(made.secrets, public_key(log_secret(home.secrets)))
    return made


def protector(far: Home) -> Protector:
    """What a worker of the host writes with; `plan` is personal."""
    made = protector_of(far)
    made.look = lambda model: Personal(("plan",), "customer") if model == "churn" else None
    return made


def request(name: str, people: list[str]) -> Record:
    """A request with a row for each person."""
    columns = {
        "age": np.arange(len(people), dtype=np.float64),
        "customer": np.array(people, dtype=object),
        "plan": np.array([f"{NAME} {row}" for row in range(len(people))], dtype=object),
    }
    return scored(name, rows=len(people), inputs=blocks_of(columns), p=[0.5] * len(people))


def come_home(far: Home, home: Home, blobs: Blobs, database: Database) -> None:
    """What the control plane does with all that the host hands in."""
    secret = log_secret(home.secrets)
    for segment in LogReader(far.log).segments():
        path = far.log / f"{segment}{SUFFIX}"
        made = [opened_at_home(secret, one) for one in read_keys(path.with_suffix(".keys"))]
        with database.write() as tx:
            record_keys(tx, [one for one in made if one is not None])
        receive(home.log, blobs, segment, path)


def test_home_reads_what_a_far_host_recorded(far: Home, home: Home, blobs: Blobs, sqlite: Database) -> None:
    """On the host nothing of the person can be read, not even by the host; at home rows read as they were sent."""
    with SegmentWriter(far.log, "edge-1.gateway-0", protector=protector(far)) as log:
        log.append([request("a", [PERSON, "8"]), request("b", ["8"])])
    written = [path.read_bytes() for path in far.root.rglob("*") if path.is_file()]
    assert not any(NAME.encode() in body for body in written)
    assert not (far.secrets / "log.key").exists()
    come_home(far, home, blobs, sqlite)
    rows = frame(home, blobs, "churn", database=sqlite)
    assert rows["in.plan"].to_list() == [f"{NAME} 0", f"{NAME} 1", f"{NAME} 0"]
    assert "in.plan" not in frame(home, blobs, "churn").columns


def test_an_erasure_at_home_takes_the_far_keys(
    far: Home, home: Home, blobs: Blobs, sqlite: Database, clock: FakeClock
) -> None:
    """Keys that were made far away go with their person, from every writer and segment; those of others stay."""
    for writer in ("edge-1.gateway-0", "edge-1.gateway-1"):
        with SegmentWriter(far.log, writer, protector=protector(far)) as log:
            log.append([request(f"{writer}-a", [PERSON]), request(f"{writer}-b", ["8"])])
            log.roll()
            log.append([request(f"{writer}-c", [PERSON])])
    come_home(far, home, blobs, sqlite)
    with sqlite.write() as tx:
        asked = ask(tx, home, "churn", PERSON, reason="by letter", by="ada", at_us=1)
    done = carry_out(Ground(home, blobs, sqlite, clock), asked.id, "customer")
    assert (done.counts.requests, done.counts.keys) == (4, 4)
    left = frame(home, blobs, "churn", database=sqlite)
    assert left["in.customer"].to_list() == ["8", "8"]
    assert left["in.plan"].to_list() == [f"{NAME} 0"] * 2


def test_each_segment_has_keys_of_its_own(far: Home) -> None:
    """A segment goes home with every key that it needs, and a person's key is used in no later one."""
    with SegmentWriter(far.log, "w", protector=protector(far)) as log:
        for name in "ab":
            log.append([request(name, [PERSON])])
            log.roll()
    files = sorted(far.log.rglob("*.keys"))
    used = [record.sealed[0].key for record, _ in LogReader(far.log).read({}).records]
    assert [[made.id for made in read_keys(file)] for file in files] == [[used[0]], [used[1]]]
    assert used[0] != used[1]


def test_before_the_first_contact_nothing_personal_is_recorded(far: Home) -> None:
    """Without its home's key a host records the rest of a request, and nothing that nobody could read."""
    (far.secrets / "log.public").unlink()
    with SegmentWriter(far.log, "w", protector=protector(far)) as log:
        log.append([request("a", [PERSON])])
        log.roll()
        keep_public(far.secrets, public_key(b"s" * 32))
        log.append([request("b", [PERSON])])
    first, second = (record for record, _ in LogReader(far.log).read({}).records)
    assert [name for block in first.inputs for name in block.names] == ["age", "customer"]
    assert (len(first.sealed), len(second.sealed)) == (0, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda made: MadeKey(made.id, "fraud", "", made.wrapped, 0),
        lambda made: MadeKey(b"\0" * 16, made.model, "", made.wrapped, 0),
        lambda made: MadeKey(made.id, made.model, "", made.wrapped[:-1] + b"\0", 0),
        lambda made: MadeKey(made.id, made.model, "", made.wrapped[:20], 0),
        lambda made: MadeKey(made.id, made.model, "", b"", 0),
    ],
    ids=["another model", "another number", "a changed byte", "cut off", "empty"],
)
def test_what_was_changed_on_its_way_stays_closed(
    far: Home, home: Home, spoil: Callable[[MadeKey], MadeKey]
) -> None:
    """A key belongs to its number and its model; anything else, and a key for another home, is opened by nobody."""
    with SegmentWriter(far.log, "w", protector=protector(far)) as log:
        log.append([request("a", [PERSON])])
    (file,) = far.log.rglob("*.keys")
    (made,) = read_keys(file)
    secret = log_secret(home.secrets)
    assert opened_at_home(secret, made) is not None
    assert opened_at_home(b"of another home", made) is None
    assert opened_at_home(secret, spoil(made)) is None


def test_the_homes_key_is_kept_and_replaced(tmp_path: Path) -> None:
    """What the control plane says last counts; the same again writes nothing."""
    assert public_in(tmp_path) is None
    for secret in (b"one", b"two"):
        keep_public(tmp_path, public_key(secret))
        assert public_in(tmp_path) == public_key(secret)
    before = (tmp_path / "log.public").stat().st_mtime_ns
    keep_public(tmp_path, public_key(b"two"))
    assert (tmp_path / "log.public").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["log.public"]
