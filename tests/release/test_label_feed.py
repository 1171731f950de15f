"""Labels on their way from the table of labels to a guard that ends a release: real log, real database, real controller."""

from __future__ import annotations

import tempfile
import threading

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.blobs import Blobs
from lockgate.clock import FakeClock
from lockgate.config import Goal, Home, Labels, ModelConfig, Observed
from lockgate.db import Database
from lockgate.predictions.archive import archive
from lockgate.predictions.label_import import import_labels
from lockgate.predictions.record import Kind, Record, blocks_of
from lockgate.release import acts, snapshots
from lockgate.release.guards import GuardName
from lockgate.release.label_feed import LabelFeed
from lockgate.release.phases import Phase, Release
from lockgate.release.start import preview, start
from lockgate.traffic import Role

from .world import QUICK, World, invariants

SETTINGS = ModelConfig(release=QUICK, goal=Goal(label_delay_days=0.0))


def in_canary(
    sqlite: Database, home: Home, clock: FakeClock, settings: ModelConfig = SETTINGS
) -> tuple[World, LabelFeed]:
    """A release of version 2 in its canary, and the feed that reads its labels."""
    world = World(sqlite, home, clock, settings=settings)
    feed = LabelFeed(home, Blobs(str(home.blobs)), sqlite, lambda release: release.created_us)
    controller = world.controller(labels=feed.of)
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    controller.close()
    return world, feed


def answered(world: World, release: Release, number: int, decisions: dict[int, int], by: int) -> list[Record]:
    """One request that version `by` answered, and the other version in shadow where it decided, too."""
    common = {
        "model": "churn",
        "release": release.id,
        "stage": 1,
        "key": f"late{number}",
        "at_us": world.clock.now_us(),
    }
    role = Role.CANARY if by == 2 else Role.LIVE
    found = []
    for version, decision in decisions.items():
        named = {"id": f"late-{number}", "kind": Kind.ANSWER, "role": role, "assigned": role, "weight": 0.1}
        if version != by:
            named = {
                "id": f"shadow-{number}",
                "kind": Kind.SHADOW,
                "role": Role.SHADOW,
                "of": f"late-{number}",
            }
        outputs = blocks_of({"prediction": np.array([decision])})
        found.append(Record(**common, **named, version=version, outputs=outputs, rows=1, status=200))  # type: ignore[arg-type]
    return found


def labelled(world: World, labels: dict[int, int], **more) -> None:
    """Somebody hands in what really happened, by key."""
    table = pl.DataFrame(
        {"key": [f"late{number}" for number in labels], "label": list(labels.values()), **more}
    )
    with world.db.write() as tx:
        import_labels(tx, "churn", table, on="key", label="label", by="ann", now_us=world.clock.now_us())


@pytest.mark.parametrize("answering", [1, 2], ids=["live answers", "canary answers"])
def test_labels_end_a_release_that_is_wrong_more_often(
    sqlite: Database, home: Home, clock: FakeClock, answering: int
) -> None:
    """Thirty callers for whom the new version was wrong and the old one right; hot and archived rows alike."""
    world, feed = in_canary(sqlite, home, clock)
    release = world.running()
    assert release is not None
    for number in range(30):
        world.writer.append(answered(world, release, number, {1: 0, 2: 1}, answering))
        if number == 15:
            world.writer.roll()
            archive(home.log, Blobs(str(home.blobs)), sqlite)
    feed.look()
    assert feed.of(release.id) is None  # no label is known
    labelled(world, {**dict.fromkeys(range(30), 0), 999: 1})
    feed.look()
    found = feed.of(release.id)
    assert found is not None
    assert (found.labelled, found.wrong.totals()) == (30, (30, 0))
    controller = world.controller(labels=feed.of)
    controller.tick()
    assert world.last().phase is Phase.ROLLED_BACK
    assert (
        "wrong answers: the canary is worse (the canary alone was wrong for 30 callers, live alone for 0"
        in world.last().reason
    )
    invariants(world)


def test_the_first_version_is_not_said_to_be_guarded_by_labels(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """There is nothing beside it that they could be held against; its successor is guarded."""
    world = World(sqlite, home, clock, settings=SETTINGS)
    world.version(1)
    with sqlite.read() as tx:
        plan = preview(tx, "churn/1")
    assert all(guard.name is not GuardName.LABELS for guard in plan.guards)
    assert any("held against a live version" in said for said in plan.cannot_see)
    start(world.desk, world.ann, "churn/1")
    world.go(world.controller(), Phase.DONE)
    world.version(2)
    with sqlite.read() as tx:
        assert any(guard.name is GuardName.LABELS for guard in preview(tx, "churn/2").guards)


def test_corrected_labels_count_anew(sqlite: Database, home: Home, clock: FakeClock) -> None:
    """What was handed in by mistake is made good by the next file: evidence is what is known now."""
    world, feed = in_canary(sqlite, home, clock)
    release = world.running()
    assert release is not None
    world.writer.append(
        [r for number in range(20) for r in answered(world, release, number, {1: 0, 2: 1}, 1)]
    )
    labelled(world, dict.fromkeys(range(20), 0))
    feed.look()
    assert feed.of(release.id).wrong.totals() == (20, 0)  # type: ignore[union-attr]
    world.clock.sleep(60)
    labelled(world, dict.fromkeys(range(20), 1))
    feed.look()
    assert feed.of(release.id).wrong.totals() == (0, 20)  # type: ignore[union-attr]
    controller = world.controller(labels=feed.of)
    controller.tick()
    assert world.last().phase is Phase.CANARY
    assert controller_says(world) == "wrong answers: the canary is better"


def controller_says(world: World) -> str:
    """The guard on wrong answers in the words that people read, up to its numbers."""
    with world.db.read() as tx:
        status = snapshots.status_of(tx, world.last().id)
    assert status is not None
    return next(v.sentence for v in status.verdicts if v.guard == GuardName.LABELS).split(" (")[0]


def test_labels_of_accepted_cases_hold_and_count_by_arm(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """Without pairs a wrong answer counts for the arm it was assigned to, and a person is asked."""
    settings = msgspec.structs.replace(SETTINGS, labels=Labels(observed=Observed.WHEN_ACCEPTED))
    world, feed = in_canary(sqlite, home, clock, settings)
    release = world.running()
    assert release is not None
    for number in range(40):
        world.writer.append(answered(world, release, number, {2: 1}, 2))
    labelled(world, dict.fromkeys(range(40), 0))
    feed.look()
    assert feed.of(release.id).wrong.segments[0].events.cells == ((0.1, 40, 0),)  # type: ignore[union-attr]
    controller = world.controller(labels=feed.of)
    controller.tick()
    assert world.last().phase is Phase.HELD


def test_what_was_seen_before_two_people_let_it_go_on_holds_it_no_more(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """The controller's next turn comes before the next look at labels; that look knows only of rows since then."""
    settings = msgspec.structs.replace(SETTINGS, labels=Labels(observed=Observed.WHEN_ACCEPTED))
    world, feed = in_canary(sqlite, home, clock, settings)
    release = world.running()
    assert release is not None
    world.writer.append([r for number in range(40) for r in answered(world, release, number, {2: 1}, 2)])
    labelled(world, dict.fromkeys(range(40), 0))
    feed.look()
    controller = world.controller(labels=feed.of)
    controller.tick()
    assert world.last().phase is Phase.HELD
    world.clock.sleep(1)
    world.beat()
    acts.resume(world.desk, world.ann, "churn", "the labels are of another product")
    acts.resume(world.desk, world.bob, "churn", "so they are")
    controller.tick()
    assert world.last().phase is Phase.CANARY
    feed.look()
    assert feed.of(release.id).labelled == 0  # type: ignore[union-attr]
    controller.tick()
    assert world.last().phase is Phase.CANARY
    late = [r for number in range(40, 80) for r in answered(world, release, number, {2: 1}, 2)]
    world.writer.append(late)
    labelled(world, dict.fromkeys(range(40, 80), 0))
    feed.look()
    controller.tick()
    assert world.last().phase is Phase.HELD
    invariants(world)


def test_the_feed_goes_on_after_a_fault(
    sqlite: Database, home: Home, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    """An archive that cannot be read is said in the log, and the next look has everything."""
    world, feed = in_canary(sqlite, home, clock)
    release = world.running()
    assert release is not None
    world.writer.append([r for number in range(5) for r in answered(world, release, number, {1: 0, 2: 1}, 1)])
    world.writer.roll()
    archive(home.log, Blobs(str(home.blobs)), sqlite)
    labelled(world, dict.fromkeys(range(5), 0))
    table = home.blobs / "archive" / "predictions" / "_delta_log"
    table.rename(table.with_name("away"))
    commits = [path for path in table.with_name("away").iterdir() if path.suffix == ".json"]
    table.mkdir()
    (table / commits[0].name).write_text("{torn")
    stop = threading.Event()
    runs = threading.Thread(target=feed.run, args=(stop,), kwargs={"round_s": 0.01})
    runs.start()
    try:
        wait_until(lambda: "labels could not be read" in caplog.text)
        assert feed.of(release.id) is None
        (table / commits[0].name).unlink()
        table.rmdir()
        table.with_name("away").rename(table)
        wait_until(lambda: feed.of(release.id) is not None)
    finally:
        stop.set()
        runs.join()
    assert feed.of(release.id).labelled == 5  # type: ignore[union-attr]


def test_the_feed_goes_on_without_room_for_files(
    sqlite: Database, home: Home, clock: FakeClock, caplog: pytest.LogCaptureFixture, monkeypatch, tmp_path
) -> None:
    """What is read is put aside in the system's temporary folder: while that is away a look fails, and is tried again."""
    world, feed = in_canary(sqlite, home, clock)
    release = world.running()
    assert release is not None
    world.writer.append([r for number in range(5) for r in answered(world, release, number, {1: 0, 2: 1}, 1)])
    labelled(world, dict.fromkeys(range(5), 0))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "away"))
    stop = threading.Event()
    runs = threading.Thread(target=feed.run, args=(stop,), kwargs={"round_s": 0.01})
    runs.start()
    try:
        wait_until(lambda: "labels could not be read" in caplog.text)
        (tmp_path / "away").mkdir()
        wait_until(lambda: feed.of(release.id) is not None)
    finally:
        stop.set()
        runs.join()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "away again"))
    feed.look()
    assert feed.of(release.id).labelled == 5  # type: ignore[union-attr]  # what was seen last stands


def wait_until(happened) -> None:
    """Look until it happened."""
    limit = threading.Event()
    for _ in range(
        30_000
    ):  # after a look that was slow on a busy machine the feed rests twenty times as long
        if happened():
            return
        limit.wait(0.01)
    raise AssertionError("it did not happen")
