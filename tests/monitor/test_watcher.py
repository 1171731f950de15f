"""Watchers: their turns, their failures, their places."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from lockgate.clock import SECOND_US, FakeClock
from lockgate.db import Database
from lockgate.errors import Unavailable
from lockgate.monitor.watcher import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    Looked,
    Watch,
    Watcher,
    place_of,
    put_place,
    standings,
)


@dataclass
class _Counting:
    """A watcher that counts its looks and fails when told."""

    name: str
    model: str = "churn"
    looks: int = 0
    fails: list[Exception] = field(default_factory=list)
    looked: Looked = Looked()  # noqa: RUF009

    def look(self, now_us: int) -> Looked:
        """Count, or raise the next failure."""
        self.looks += 1
        if self.fails:
            raise self.fails.pop()
        return self.looked


def _watch(db: Database, clock: FakeClock, *watchers: Watcher) -> Watch:
    def wanted(_there: Mapping[str, Watcher]) -> Mapping[str, Watcher]:
        return {watcher.name: watcher for watcher in watchers}

    return Watch(db, clock, wanted)


def test_one_that_fails_takes_no_other_down(sqlite: Database, clock: FakeClock) -> None:
    """The others look on; the failure is on record with its words."""
    bad = _Counting("drift:bad", "bad", fails=[ValueError("broken row")])
    good = _Counting("drift:good", "good")
    watch = _watch(sqlite, clock, bad, good)
    watch.round()
    with sqlite.read() as tx:
        found = {each.name: each for each in standings(tx)}
    assert good.looks == 1
    assert found["drift:bad"].error == "ValueError: broken row"
    assert found["drift:bad"].failures == 1
    assert found["drift:good"].error is None


def test_one_that_failed_looks_again_after_a_pause_that_grows(sqlite: Database, clock: FakeClock) -> None:
    """5 s after the first failure, twice as long after each further one, five minutes at most; well again, it is at once."""
    watcher = _Counting("drift:churn", fails=[Unavailable("away") for _ in range(12)])
    watch = _watch(sqlite, clock, watcher)
    pauses = []
    for looks in range(1, 13):
        watch.round()
        assert watcher.looks == looks
        with sqlite.read() as tx:
            pauses.append((standings(tx)[0].retry_us - clock.now_us()) / SECOND_US)
        clock.sleep(pauses[-1] - 1)
        watch.round()
        assert watcher.looks == looks
        clock.sleep(1)
    watch.round()
    with sqlite.read() as tx:
        standing = standings(tx)[0]
    assert pauses[:3] == [FIRST_PAUSE_S, 2 * FIRST_PAUSE_S, 4 * FIRST_PAUSE_S]
    assert max(pauses) == LONGEST_PAUSE_S
    assert (standing.failures, standing.error) == (0, None)


def test_a_pause_outlives_the_process(sqlite: Database, clock: FakeClock) -> None:
    """A monitor that is started again does not fall upon what just failed."""
    _watch(sqlite, clock, _Counting("drift:churn", fails=[ValueError("broken")])).round()
    again = _Counting("drift:churn")
    _watch(sqlite, clock, again).round()
    assert again.looks == 0


def test_those_who_are_no_longer_wanted_are_forgotten(sqlite: Database, clock: FakeClock) -> None:
    """The standing of a model that is gone does not stay."""
    watchers: dict[str, Watcher] = {"drift:churn": _Counting("drift:churn")}
    watch = Watch(sqlite, clock, lambda _there: watchers)
    watch.round()
    watchers.clear()
    watch.round()
    with sqlite.read() as tx:
        assert standings(tx) == []


@pytest.mark.parametrize("more", [True, False])
def test_a_round_says_whether_there_is_more_to_read(sqlite: Database, clock: FakeClock, more: bool) -> None:
    """The loop then looks again at once."""
    assert _watch(sqlite, clock, _Counting("drift:churn", looked=Looked(more=more))).round() is more


def test_a_place_is_read_as_it_was_put(database: Database) -> None:
    """On both databases; the newest counts."""
    with database.write() as tx:
        put_place(tx, "drift:churn", b'{"a":1}', 5)
        put_place(tx, "drift:churn", b'{"a":2}', 6)
    with database.read() as tx:
        assert place_of(tx, "drift:churn") == b'{"a":2}'
        assert place_of(tx, "drift:other") is None
