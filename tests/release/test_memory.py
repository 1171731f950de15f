"""The controller's memory: thousands of turns hold no more than the first ones did."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import numpy as np
import pytest

from lockgate.clock import FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions.offsets import offsets_of
from lockgate.predictions.record import Record, blocks_of
from lockgate.release.controller import Controller
from lockgate.release.evidence import READER
from lockgate.release.phases import Phase

from .world import World

WARM, LOOKS = 60, 6  # turns before the first look; looks at either end, of which the lowest counts
RECORDS = 20  # a turn
LEAK = 5  # texts kept on purpose, a turn
BLOCK = blocks_of({f"x{place}": np.zeros(1) for place in range(30)})


class Turns:
    """A live model under traffic, and the controller that reads on; files of the log go when they were read."""

    def __init__(self, world: World, controller: Controller) -> None:
        self.world, self.controller, self.count = world, controller, 0
        self.kept: list[object] = []

    def take(self, turns: int, *, leak: bool = False) -> None:
        """So many turns of the loop, half a second each by its clock. `leak`: some texts stay of each."""
        for _ in range(turns):
            self.count += 1
            self.world.clock.sleep(0.5)
            self.world.writer.append([self._record(number) for number in range(RECORDS)])
            self.world.beat()
            self.controller.tick()
            if self.count % 20 == 0:
                self._remove_read()
            if leak:
                self.kept += [f"turn {self.count}, {number}" for number in range(LEAK)]

    def blocks(self) -> int:
        """Blocks of memory that Python holds: the lowest of several looks, some turns apart."""
        found = []
        for _ in range(LOOKS):
            self.take(3)
            gc.collect()
            found.append(sys.getallocatedblocks())
        return min(found)

    def _record(self, number: int) -> Record:
        name = f"{self.count}-{number}"
        return Record(
            id=name, at_us=self.world.clock.now_us(), latency_us=500 + number, model="churn", version=1,
            digest="sha256:1", key=f"k{number}", inference_id=name, caller="shop", rows=1, inputs=BLOCK,
        )  # fmt: skip

    def _remove_read(self) -> None:
        self.world.writer.roll()
        with self.world.db.read() as tx:
            read = offsets_of(tx, READER)
        for path in sorted(Path(self.world.home.log / "gateway-0").glob("*.seg"))[:-2]:
            if f"gateway-0/{path.stem}" in read:
                path.unlink()


@pytest.fixture
def turns(sqlite: Database, home: Home, clock: FakeClock) -> Turns:
    """After the first release and the turns in which caches fill."""
    world = World(sqlite, home, clock)
    controller = world.controller()
    world.ship_first(controller)
    assert world.last().phase is Phase.DONE
    made = Turns(world, controller)
    made.take(WARM)
    return made


def test_turns_leave_nothing_behind(turns: Turns) -> None:
    """Hundreds of turns with thousands of records: no block stays of every other turn. Texts kept on purpose are seen."""
    before = turns.blocks()
    turns.take(300)
    after = turns.blocks()
    assert after - before < 150
    turns.take(100, leak=True)
    assert turns.blocks() - after >= 300


@pytest.mark.faults
@pytest.mark.timeout(3600)
def test_ten_thousand_turns(turns: Turns) -> None:
    """An hour and a half of turns, two hundred thousand records."""
    before = turns.blocks()
    turns.take(10_000)
    after = turns.blocks()
    print(f"{turns.count} turns, {turns.count * RECORDS} records: {before} blocks, then {after}")
    assert after - before < 200
