"""The controller dies at every step, and a fresh one finishes: nothing is done twice, nothing is left half."""

import random
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.release.world import QUICK, World, home_at, invariants

from lockgate.clock import SystemClock
from lockgate.config import ModelConfig
from lockgate.config_release import ReleaseConfig
from lockgate.db import Database, migrate, open_database
from lockgate.errors import Conflict, NotFound
from lockgate.release import acts, store
from lockgate.release.phases import ENDS, Phase
from lockgate.release.start import start
from lockgate.traffic import PlanShelf

CHILD = Path(__file__).with_name("controller_process.py")


class Died(BaseException):
    """The process is gone: nothing catches it on the way."""


class Fuse:
    """Blows at the n-th effect: before it happens, or right after."""

    def __init__(self, at: int | None, after: bool) -> None:
        self.left, self.after, self.blown = at, after, False

    @contextmanager
    def around(self):
        """One effect on the outside world."""
        mine = False
        if self.left is not None:
            mine, self.left = self.left == 0, self.left - 1
        if mine and not self.after:
            self.blown = True
            raise Died
        yield
        if mine:
            self.blown = True
            raise Died


class FusedShelf(PlanShelf):
    """The real shelf, whose publications may kill the publisher."""

    def __init__(self, folder, fuse):
        super().__init__(folder)
        self._fuse = fuse

    def publish_route(self, route, *, killed=()):
        """Publish, or die before or after."""
        with self._fuse.around():
            plan = super().publish_route(route, killed=killed)
        return plan


class FusedDatabase(Database):
    """The real database, whose commits may kill the writer."""

    def __init__(self, engine, fuse):
        super().__init__(engine)
        self._fuse = fuse

    @contextmanager
    def write(self):
        """Commit, or die before or after."""
        with self._fuse.around(), super().write() as tx:
            yield tx
            if self._fuse.left == -1 and self._fuse.blown:  # pragma: no cover - documents the order
                raise Died


def fused(world, at, after):
    """A controller that dies at one effect, and its fuse."""
    fuse = Fuse(at, after)
    world_db, shelf = world.db, FusedShelf(world.home.plan, fuse)
    controller = world.controller(shelf=shelf)
    controller._db = FusedDatabase(world_db.engine, fuse)
    return controller, fuse


def repaired(world):
    """Two rounds of a fresh controller after the dead one's lease ran out."""
    world.clock.sleep(6)
    world.beat()
    controller = world.controller()
    controller.tick()
    world.beat()
    controller.tick()
    invariants(world)
    controller.close()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.WATCH])
def test_death_at_every_effect_of_a_rollback(sqlite, home, clock, phase, after):
    """Kill bit, transaction, effects: wherever it dies, the release ends rolled back, and the canary is out."""
    first = _fresh(home.root / "first", clock)
    controller = first.controller()
    first.ship_first(controller)
    first.version(2)
    start(first.desk, first.ann, "churn/2")
    first.go(controller, phase)
    controller.close()
    first.send(400, seconds=40, bad=lambda n, arm: "error" if arm.version == 2 else None)
    first.close()
    for at in range(14):
        world = first.copied(home.root / str(at))
        dying, fuse = fused(world, at, after)
        with suppress(Died):
            dying.tick()
        repaired(world)
        assert world.last().phase is Phase.ROLLED_BACK
        assert world.live() == 1
        world.close()
        if not fuse.blown:
            return
    raise AssertionError("the round has more effects than were tried")


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_every_effect_of_a_whole_release(sqlite, home, clock, after):
    """A release whose controller dies at each effect in turn and is started again still ends done, each step once."""
    world = _fresh(home.root / "whole", clock)
    controller = world.controller()
    world.ship_first(controller)
    controller.close()
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    rng, deaths = random.Random(5), 0
    for _ in range(400):
        world.send(50, seconds=5)
        dying, _fuse = fused(world, rng.randrange(12), after)
        try:
            dying.tick()
        except Died:
            deaths += 1
        world.clock.sleep(6)
        world.beat()
        if world.last().phase in ENDS:
            break
    repaired(world)
    assert world.last().phase is Phase.DONE
    assert deaths > 20
    with world.db.read() as tx:
        phases = [(move.phase, move.stage) for move in store.moves_of(tx, world.last().id)]
    assert len(phases) == len(set(phases))


def test_a_seen_rollback_is_never_undone(sqlite, home, clock):
    """Once a gateway saw the kill bit no controller brings the canary back, dead or alive."""
    world = _fresh(home.root / "seen", clock)
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    release = start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    controller.close()
    world.send(200, seconds=20, bad=lambda n, arm: "error" if arm.version == 2 else None)
    dying, _fuse = fused(world, 3, True)  # lease, reader, status, then the kill bit
    with pytest.raises(Died):
        dying.tick()
    assert world.last().phase is Phase.CANARY  # the database does not know yet
    assert release.id in world.shelf.latest().killed
    before = len(world.routes_seen)
    world.send(200, seconds=20)
    assert all(version == 1 for version, _ in world.routes_seen[before:])
    repaired(world)
    assert world.last().phase is Phase.ROLLED_BACK


def _fresh(folder, clock):
    home = home_at(folder)
    db = open_database(f"sqlite:///{home.database}")
    migrate(db)
    return World(db, home, clock, settings=ModelConfig(release=QUICK))


REAL = ReleaseConfig(
    shadow_requests=30,
    shadow_min_s=0.1,
    canary=("10%", "50%"),
    stage_min_s=0.2,
    stage_requests=20,
    watch_s=0.3,
)


def _kill_loop(home, kills):
    """Real controller processes, killed at random moments while traffic flows and people act."""
    world = _fresh(home.root / "real", SystemClock())
    world.key_count = 100_000
    world.version(1)
    start(world.desk, world.ann, "churn/1", settings=REAL)
    rng, number, done = random.Random(11), 1, 0
    while done < kills or (done < 4 * kills and not _ended(world)):  # a busy machine may need more of them
        child = subprocess.Popen([sys.executable, CHILD, str(world.home.root)], stdout=subprocess.PIPE)
        try:
            assert child.stdout.readline() == b"up\n"
            deadline = time.monotonic() + rng.uniform(0.1, 1.2)
            while time.monotonic() < deadline:
                world.send(20, seconds=0.02, bad=lambda n, arm: "error" if arm.version % 3 == 0 else None)
                number = _next(world, number, rng)
        finally:
            child.send_signal(signal.SIGKILL)
            child.wait()
            child.stdout.close()
        done += 1
    controller, deadline, rounds = world.controller(), time.monotonic() + 60, 0
    while rounds < 3:
        world.beat()
        rounds += controller.tick()  # not before the last one's lease has run out
        assert time.monotonic() < deadline
    world.beat()
    invariants(world)
    assert _ended(world), "no release ended: the test looked at nothing"
    world.db.close()


def _ended(world):
    """The releases that came to an end."""
    with world.db.read() as tx:
        return [r.phase for r in store.releases_of(tx, "churn") if r.phase in ENDS]


def _next(world, number, rng):
    """Start the next version when nothing runs; now and then a person presses a button."""
    if world.running() is None:
        number += 1
        world.version(number)
        start(world.desk, world.ann, f"churn/{number}", settings=REAL)
    elif rng.random() < 0.01:
        act = rng.choice([acts.hold, acts.resume, acts.resume])
        try:
            act(world.desk, world.bob, "churn", "because")
        except (Conflict, NotFound):
            return number
    return number


def test_fifteen_kills(sqlite, home):
    """Fifteen SIGKILLs of real controller processes: no broken invariant."""
    _kill_loop(home, 15)


@pytest.mark.faults
@pytest.mark.timeout(900)
def test_a_hundred_kills(sqlite, home):
    """A hundred SIGKILLs of real controller processes: no broken invariant."""
    _kill_loop(home, 100)
