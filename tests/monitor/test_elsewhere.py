"""A long history counted elsewhere comes to what it comes to here, whatever dies there, and each record counts once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from lockgate.blobs import Blobs
from lockgate.config import Home
from lockgate.db import Database, migrate, open_database
from lockgate.errors import Unavailable
from lockgate.monitor.counted import Held, Order, count_records
from lockgate.monitor.counting import Counter, Known
from lockgate.monitor.elsewhere import Elsewhere, LocalProcesses, RayProcesses, Waiting
from lockgate.monitor.reading import Log, ModelLog
from lockgate.monitor.veil import Veil
from lockgate.monitor.watcher import put_place
from lockgate.predictions.archive import archive
from lockgate.predictions.flat import flat
from lockgate.predictions.keyring import Keyring
from lockgate.predictions.record import Offset

from .churn import MANIFEST, NOON_US, columns, counter, record, reference, rows_counted, whole
from .test_counting import write

MOST_STEPS = 300


class Later:
    """Orders that are counted when they are taken: as late as anybody may."""

    most = 3

    def __init__(self, *, far: bool = False) -> None:
        self.far, self.orders, self.closed = far, 0, 0
        self.secrets: set[bytes] = set()

    def begin(self, order: Order) -> Waiting:
        """See `Elsewhere`."""
        self.orders += 1
        self.secrets |= {held.veil.secret for held in order.versions.values()}
        return Waiting(lambda: count_records(order))

    def trouble(self) -> str:
        """None."""
        return ""

    def close(self) -> None:
        """Counts how often."""
        self.closed += 1


@pytest.fixture
def written(home: Home, blobs: Blobs, sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> int:
    """An archive of fifty requests, read in pieces of twenty rows."""
    monkeypatch.setattr("lockgate.monitor.reading.PIECE_ROWS", 20)
    rows = write(home, range(0, 900, 17), np.random.default_rng(0))
    archive(home.log, blobs, sqlite)
    return rows


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Database]:
    """A second database: what is counted here goes there."""
    db = open_database(f"sqlite:///{tmp_path / 'other.db'}")
    migrate(db)
    yield db
    db.close()


def known(*personal: str) -> Callable[[int], Known]:
    """What there is to be known of every version. `personal`: inputs of people."""
    held = Known(MANIFEST, reference(), veil=Veil(frozenset(personal), b"secret"))
    return lambda _version: held


def made(home: Home, blobs: Blobs, db: Database, elsewhere: Elsewhere, *personal: str) -> Counter:
    """A counter that sends pieces of any size out."""
    log = ModelLog(Log(home, blobs), "churn")
    return Counter(db, log, Keyring(home, db), "churn", known(*personal), elsewhere=elsewhere, least=1)


def drain(one: Counter) -> str:
    """As a watcher counts, a few steps a look; why pieces were counted here."""
    said = ""
    for number in range(MOST_STEPS):
        piece = one.step(NOON_US, ahead=True)
        if number % 4 == 3 or not piece.more:
            said = one.settle(NOON_US) or said
        if not piece.more:
            return said
    raise AssertionError("there is always more")


def test_processes_of_this_box_count_the_same(
    home: Home, blobs: Blobs, sqlite: Database, other: Database, written: int
) -> None:
    """A real process: profiles are equal to the last bin, hour by hour."""
    assert drain(made(home, blobs, sqlite, LocalProcesses(1))) == ""
    drain(counter(home, blobs, other))  # in this process
    assert rows_counted(sqlite) == rows_counted(other) == written
    assert whole(sqlite) == whole(other)


@pytest.mark.faults
def test_a_process_that_dies_loses_nothing(home: Home, blobs: Blobs, sqlite: Database, written: int) -> None:
    """Killed with an order in its hands: what it had is counted here, and that is said."""

    class Mortal(LocalProcesses):
        def begin(self, order: Order) -> Waiting:
            waiting = super().begin(order)
            if self._pool is not None:
                for process in list(self._pool._processes.values()):
                    process.kill()
            return waiting

    said = drain(made(home, blobs, sqlite, Mortal(1)))
    assert said.startswith("counted here: BrokenProcessPool")
    assert rows_counted(sqlite) == written


def test_orders_on_their_way_are_committed_in_their_order_whatever_fails(
    home: Home, blobs: Blobs, sqlite: Database, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Commits fail now and then with orders under way: nothing is lost or counted twice, and the last look lets processes go."""
    turns = iter(range(1_000))

    def failing(*given: object) -> None:
        if next(turns) % 3 == 1:
            raise Unavailable("the database is away")
        put_place(*given)  # type: ignore[arg-type]

    monkeypatch.setattr("lockgate.monitor.counting.put_place", failing)
    later, failed = Later(), 0
    one = made(home, blobs, sqlite, later)
    for number in range(MOST_STEPS):
        try:
            piece = one.step(NOON_US, ahead=True)
            if number % 5 == 4 or not piece.more:
                one.settle(NOON_US)
            if not piece.more:
                break
        except Unavailable:
            failed += 1
            with suppress(Unavailable):  # as a watcher that fails settles all the same
                one.settle(NOON_US)
    assert failed > 2
    assert later.orders > 5
    assert later.closed
    assert rows_counted(sqlite) == written


def test_a_cluster_that_is_away_is_said_and_everything_is_counted_here(
    home: Home, blobs: Blobs, sqlite: Database, written: int
) -> None:
    """Whether Ray is not installed or nobody listens."""
    said = drain(made(home, blobs, sqlite, RayProcesses("ray://127.0.0.1:1")))
    assert said.startswith("counted here: ")
    assert rows_counted(sqlite) == written


def test_small_pieces_stay_and_personal_inputs_go_to_no_other_machine(
    home: Home, blobs: Blobs, sqlite: Database, other: Database, written: int
) -> None:
    """A piece that is not worth the way is counted here, and so is what holds a personal input."""
    small, far = Later(), Later(far=True)
    log = ModelLog(Log(home, blobs), "churn")
    drain(Counter(sqlite, log, Keyring(home, sqlite), "churn", known(), elsewhere=small, least=10_000))
    assert (small.orders, rows_counted(sqlite)) == (0, written)
    drain(made(home, blobs, other, far, "age"))
    assert (far.orders, rows_counted(other)) == (0, written)


def test_what_nobody_watches_is_personal_all_the_same_and_the_secret_stays(
    home: Home, blobs: Blobs, sqlite: Database, other: Database, written: int
) -> None:
    """A name that every row has of its own is held against nothing, but it is in the records. Others go without the secret."""
    far, open_to_all = Later(far=True), Later(far=True)
    drain(made(home, blobs, sqlite, far, "name"))
    assert (far.orders, rows_counted(sqlite)) == (0, written)
    drain(made(home, blobs, other, open_to_all))
    assert open_to_all.orders > 5
    assert open_to_all.secrets == {b""}
    assert rows_counted(other) == written


def test_what_was_on_its_way_beside_an_order_that_failed_is_counted_here() -> None:
    """More orders than a process takes at once, and the process let go before it began: each comes to what it comes to."""
    inputs = columns(np.random.default_rng(0), 3)
    order = Order(
        flat([(record("000001", NOON_US, inputs), Offset("0", 0))]), {1: Held(reference(), MANIFEST, Veil())}
    )
    going = LocalProcesses(1)
    waiting = [going.begin(order) for _ in range(6)]
    going.close()
    again = going.begin(order)
    assert [each.take() for each in (*waiting, again)] == [count_records(order)] * 7
    assert going.trouble() == "", "what was let go is not a second failure"
    going.close()
