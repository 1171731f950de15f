"""kill -9 at each single step of rounds and acts, then a fresh controller: the chain is whole, word = row, nothing twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from lockgate.clock import FakeClock
from lockgate.config import ModelConfig
from lockgate.config_release import ReleaseConfig
from lockgate.db import migrate, open_database
from lockgate.release import acts, hands, store
from lockgate.release.controller import Controller
from lockgate.release.phases import ENDS, Phase
from lockgate.release.start import start

from .kill_points import Killer, told
from .world import World, home_at, invariants

SHORT = ReleaseConfig(
    shadow_requests=20, shadow_min_s=1, canary=("20%", "50%"), stage_min_s=1, stage_requests=20, watch_s=5
)
STRIDE = 7  # of the short form
Scene = Callable[[World, Controller], None]


def failing(_number: int, arm) -> str | None:
    """Version 2 fails."""
    return "error" if arm.version == 2 else None


def begin(world: World, _controller: Controller) -> None:
    """churn/2 is written down."""


def until(phase: Phase) -> Scene:
    """churn/2 has come to a phase, and traffic flowed that leads on."""

    def scene(world: World, controller: Controller) -> None:
        world.go(controller, phase)
        world.send(400, seconds=60)

    return scene


def harmful(phase: Phase) -> Scene:
    """churn/2 has come to a phase and fails its callers' requests."""

    def scene(world: World, controller: Controller) -> None:
        world.go(controller, phase)
        world.send(400, seconds=40, bad=failing)

    return scene


def queued(world: World, controller: Controller) -> None:
    """churn/2 is over, churn/3 waits."""
    world.go(controller, Phase.WATCH)
    start(world.desk, world.ann, "churn/3", "the next")
    world.send(400, seconds=60)
    controller.tick()
    world.beat()
    assert world.running() is None


def lowered(world: World, controller: Controller) -> None:
    """churn/2 is a canary whose weight was lowered by hand."""
    world.go(controller, Phase.CANARY)
    hands.weigh(world.desk, world.bob, "churn", "a busy hour", weight=0.05, wait=False)
    world.send(400, seconds=60)


def held(world: World, controller: Controller) -> None:
    """churn/2 is a canary that a person holds."""
    world.go(controller, Phase.CANARY)
    acts.hold(world.desk, world.bob, "churn", "let me look")


# what is done, in which scene, how it ends when nobody dies
PATHS: dict[str, tuple[str, Scene, Phase]] = {
    "written down -> warming": ("round", begin, Phase.WARMING),
    "warming -> shadow": ("round", lambda world, c: world.go(c, Phase.WARMING), Phase.SHADOW),
    "shadow -> approval": ("round", until(Phase.SHADOW), Phase.APPROVAL),
    "approval -> canary": ("round", until(Phase.APPROVAL), Phase.CANARY),
    "canary -> next stage": ("round", until(Phase.CANARY), Phase.CANARY),
    "watch -> done": ("round", until(Phase.WATCH), Phase.DONE),
    "canary -> rolled back by a guard": ("round", harmful(Phase.CANARY), Phase.ROLLED_BACK),
    "watch -> rolled back by a guard": ("round", harmful(Phase.WATCH), Phase.ROLLED_BACK),
    "canary -> rolled back by a person": ("rollback", until(Phase.CANARY), Phase.ROLLED_BACK),
    "watch -> rolled back by a person": ("rollback", until(Phase.WATCH), Phase.ROLLED_BACK),
    "canary -> held by a person": ("hold", until(Phase.CANARY), Phase.HELD),
    "canary -> a smaller weight by a person": ("lower", until(Phase.CANARY), Phase.CANARY),
    "canary -> its planned weight again": ("raise", lowered, Phase.CANARY),
    "canary -> more time by a person": ("extend", until(Phase.CANARY), Phase.CANARY),
    "held canary -> more time by a person": ("extend", held, Phase.CANARY),
    "canary -> superseded": ("supersede", until(Phase.CANARY), Phase.DRAFT),
    "queue -> its turn": ("round", queued, Phase.DRAFT),
}
IN_SHORT = (
    "canary -> rolled back by a guard",
    "canary -> a smaller weight by a person",
    "canary -> rolled back by a person",
    "queue -> its turn",
)


@pytest.fixture(scope="module")
def killer() -> Iterator[Killer]:
    """The process from which those that are killed are forked."""
    made = Killer()
    yield made
    made.close()


def walk(killer: Killer, folder, clock: FakeClock, path: str, *, first: int, stride: int) -> int:
    """Kill at one step after the other, each on a copy of the same home; how many steps there are."""
    what, scene, ends = PATHS[path]
    home = home_at(folder / "scene")
    database = open_database(f"sqlite:///{home.database}")
    migrate(database)
    world = World(database, home, clock, settings=ModelConfig(release=SHORT))
    controller = world.controller()
    world.ship_first(controller)
    world.version(2), world.version(3)
    start(world.desk, world.ann, "churn/2")
    scene(world, controller)
    controller.close()
    world.close()
    at = first
    while True:
        copy = world.copied(folder / str(at))
        died = killer(what, copy.home, copy.clock.now_us(), at)
        survived(copy, path, ends, died=died)
        copy.close()
        if not died:
            assert at > first, "there was nothing to be killed at"
            return at
        at += stride


def survived(world: World, path: str, ends: Phase, *, died: bool) -> None:
    """After two rounds of a fresh controller everything holds; a rollback that a gateway could see was not undone."""
    seen = world.shelf.latest().killed
    world.clock.sleep(6)
    for _ in range(2):
        world.beat()
        controller = world.controller(handlers={"notify": told(world.home)})
        controller.tick()
        controller.close()
    invariants(world)
    with world.db.read() as tx:
        found = store.releases_of(tx, "churn")
        moves = {(move.release, move.seq) for release in found for move in store.moves_of(tx, release.id)}
    for number in seen:
        release = next(release for release in found if release.id == number)
        assert release.phase in ENDS, path
        assert release.phase is not Phase.DONE, path
    log = world.home.root / "effects.log"
    effects = Counter(log.read_text().splitlines()) if log.exists() else Counter()
    assert max(effects.values(), default=1) <= (2 if died else 1), (
        "an effect was given more often than a death explains"
    )
    assert {tuple(map(int, line.split()[:2])) for line in effects} <= moves
    if not died:
        assert ends in {release.phase for release in found} or _went_on(ends, found[0].phase), (
            path,
            found[0],
        )


def _went_on(expected: Phase, phase: Phase) -> bool:
    """The repairing rounds may have carried it further."""
    way = (Phase.DRAFT, Phase.WARMING, Phase.SHADOW, Phase.APPROVAL, Phase.CANARY, Phase.WATCH, Phase.DONE)
    return expected in way and phase in way and way.index(phase) >= way.index(expected)


@pytest.mark.parametrize("path", IN_SHORT)
def test_death_at_every_seventh_step(killer: Killer, tmp_path, clock, path: str) -> None:
    """The short form: four paths, every seventh step."""
    steps = walk(killer, tmp_path, clock, path, first=0, stride=STRIDE)
    print(f"{path}: {steps} steps")


@pytest.mark.faults
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", PATHS)
def test_death_at_every_step(killer: Killer, tmp_path, clock, path: str) -> None:
    """Every step of every path, by SIGKILL."""
    steps = walk(killer, tmp_path, clock, path, first=0, stride=1)
    print(f"{path}: killed at {steps} steps")
