"""After promotion the old version goes on scoring the new one's requests, so pairs with labels keep guarding it."""

from __future__ import annotations

import msgspec

from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions.record import Kind
from lockgate.release.phases import Phase
from lockgate.traffic import Role
from lockgate.wiring.shadowing import jobs_of

from .test_label_feed import answered, in_canary, labelled
from .world import invariants


def test_labels_end_a_watch_with_what_the_old_version_answered_in_shadow(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """Thirty callers got the new version's wrong answer after its promotion, the old one was right in shadow: it goes back."""
    world, feed = in_canary(sqlite, home, clock)
    controller = world.controller(labels=feed.of)
    world.go(controller, Phase.WATCH)
    release = world.running()
    assert release is not None
    with sqlite.read() as tx:
        assert [job.version for job in jobs_of(tx, release)] == [1]
    for number in range(30):
        pair = answered(world, release, number, {1: 0, 2: 1}, by=2)
        world.writer.append(
            [
                msgspec.structs.replace(
                    record,
                    stage=release.stage,
                    weight=1.0,
                    **({} if record.kind is Kind.SHADOW else {"role": Role.LIVE}),
                )
                for record in pair
            ]
        )
    controller.tick()
    assert world.last().phase is Phase.WATCH
    labelled(world, dict.fromkeys(range(30), 0))
    feed.look()
    controller.tick()
    assert world.last().phase is Phase.ROLLED_BACK
    assert "wrong answers" in world.last().reason
    assert world.live() == 1
    invariants(world)
