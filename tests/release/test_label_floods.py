"""Labels as people really hand them in: unknown, late, twice, contradictory, a million at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from lockgate.clock import DAY_US, FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions.label_import import Imported, Naming, import_many
from lockgate.release.label_feed import REST, LabelFeed
from lockgate.release.phases import Phase, Release

from .test_label_feed import answered, in_canary
from .world import World

WRONG = 40  # callers for whom the new version is wrong and the old one right


def release_with_pairs(sqlite: Database, home: Home, clock: FakeClock) -> tuple[World, LabelFeed, Release]:
    """A release in its canary whose callers both versions answered."""
    world, feed = in_canary(sqlite, home, clock)
    release = world.running()
    assert release is not None
    world.writer.append([r for i in range(WRONG) for r in answered(world, release, i, {1: 0, 2: 1}, 1)])
    return world, feed, release


def hand_in(world: World, table: pl.DataFrame, **naming: str) -> Imported:
    """Labels of a table, by key."""
    return import_many(
        world.db, "churn", table, Naming("label", **naming), by="ann", now_us=world.clock.now_us()
    )


def keys(count: int) -> list[str]:
    """Callers of whom the first `WRONG` are known."""
    return [f"late{number}" for number in range(count)]


def test_unknown_repeated_and_contradictory_labels_are_counted_once_and_said(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """Most belong to nobody, the file comes twice, one caller has two answers, one label is older than what is known."""
    world, feed, release = release_with_pairs(sqlite, home, clock)
    table = pl.DataFrame({"key": keys(5_000), "label": [0] * 5_000})
    assert hand_in(world, table) == Imported(new=5_000)
    feed.look()
    first = feed.of(release.id)
    assert hand_in(world, table) == Imported(repeated=5_000)
    feed.look()
    assert feed.of(release.id) == first
    assert first is not None
    assert (first.labelled, first.wrong.totals()) == (WRONG, (WRONG, 0))
    both = pl.DataFrame({"key": ["late0", "late0"], "label": [0, 1]})
    world.clock.sleep(1)
    told = hand_in(world, both)
    assert (told.contradictory, told.corrected) == (0, 1)  # 0 was known; 1 is the last word
    old = pl.DataFrame({"key": ["late1"], "label": [1], "at": ["2001-01-01T00:00:00Z"]})
    assert hand_in(world, old, at="at") == Imported(older=1)
    feed.look()
    assert feed.of(release.id).wrong.totals() == (WRONG - 1, 1)  # type: ignore[union-attr]


def test_labels_that_come_before_their_predictions_or_weeks_after_end_a_release_all_the_same(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """In pieces, from late to early; after the last piece the evidence is as if they had come at once."""
    world, feed = in_canary(sqlite, home, clock)
    release = world.running()
    assert release is not None
    early = pl.DataFrame({"key": keys(WRONG)[:10], "label": [0] * 10})
    hand_in(world, early)
    world.writer.append([r for i in range(WRONG) for r in answered(world, release, i, {1: 0, 2: 1}, 1)])
    feed.look()
    assert feed.of(release.id).labelled == 10  # type: ignore[union-attr]
    for start in (30, 20, 10):
        world.clock.sleep(7 * DAY_US / 1e6)
        hand_in(world, pl.DataFrame({"key": keys(WRONG)[start : start + 10], "label": [0] * 10}))
    feed.look()
    found = feed.of(release.id)
    assert found is not None
    assert (found.labelled, found.wrong.totals()) == (WRONG, (WRONG, 0))
    world.beat()
    world.controller(labels=feed.of).tick()
    assert world.last().phase is Phase.ROLLED_BACK
    assert "wrong answers: the canary is worse" in world.last().reason


class OneRest(threading.Event):
    """Is told to stop by its first rest, and knows how long that was to be, seconds."""

    rest_s = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        """The end, instead of a rest."""
        self.rest_s = timeout or 0.0
        self.set()
        return True


def test_a_look_that_a_busy_machine_draws_out_is_followed_by_no_long_rest(
    sqlite: Database, home: Home, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long labels wait hangs on what a look costs, not on what else the machine does, or guards see none for minutes."""
    _, feed = in_canary(sqlite, home, clock)
    whole, spent_s = feed.look, []

    def drawn_out() -> None:
        began_s = time.process_time()
        whole()
        time.sleep(1.0)
        spent_s.append(time.process_time() - began_s)

    monkeypatch.setattr(feed, "look", drawn_out)
    stop = OneRest()
    feed.run(stop, round_s=0.01)
    assert REST * spent_s[0] <= stop.rest_s < REST * (spent_s[0] + 0.5)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_a_million_labels_at_once(sqlite: Database, home: Home, clock: FakeClock) -> None:
    """All but forty belong to nobody: none is lost or counted twice, and a look holds some hundred bytes of each."""
    world, feed, release = release_with_pairs(sqlite, home, clock)
    feed.look()
    count = 1_000_000
    table = pl.DataFrame({"key": keys(count), "label": np.zeros(count, dtype=np.int64)})
    assert hand_in(world, table) == Imported(new=count)
    peak = Path("/proc/self/clear_refs")
    peak.write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    feed.look()
    used = _status("VmHWM") - before
    assert feed.of(release.id).wrong.totals() == (WRONG, 0)  # type: ignore[union-attr]
    print(f"a look at {count:,} labels held {used / 1e6:.0f} MB more at its peak")
    assert used < 800 * count
    assert hand_in(world, table) == Imported(repeated=count)


def _status(name: str) -> int:
    """Bytes of this process, by name."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:"))
