"""The database goes away in the middle of a rollback: the gateways obey first, and the record follows when it is back."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.faults.test_away import Restartable, own_postgres
from tests.release.world import QUICK, World, invariants

from lockgate.clock import FakeClock
from lockgate.config import Home, ModelConfig
from lockgate.db import migrate, open_database
from lockgate.errors import Unavailable
from lockgate.membership import Tripped
from lockgate.release import acts
from lockgate.release.phases import Phase
from lockgate.release.start import start
from lockgate.traffic import PlanShelf

__all__ = ["own_postgres"]
pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]


class Cut(PlanShelf):
    """The real shelf; right after the next publication the database's server is gone."""

    def __init__(self, folder: Path, server: Restartable) -> None:
        super().__init__(folder)
        self._server: Restartable | None = server

    def publish_route(self, route, *, killed=()):
        """Publish, then pull the plug."""
        plan = super().publish_route(route, killed=killed)
        if self._server is not None:
            self._server.halt()
            self._server = None
        return plan


@pytest.fixture
def world(own_postgres: Restartable, home: Home, clock: FakeClock) -> Iterator[World]:
    """churn/1 live, churn/2 in its canary, on a PostgreSQL that can be halted."""
    database = open_database(own_postgres.url(own_postgres.create()))
    migrate(database)
    made = World(database, home, clock, settings=ModelConfig(release=QUICK))
    made.controls = made.controller()
    made.ship_first(made.controls)
    made.version(2)
    start(made.desk, made.ann, "churn/2")
    made.go(made.controls, Phase.CANARY)
    yield made
    made.close()


def failing(_number: int, arm) -> str | None:
    """Version 2 fails."""
    return "error" if arm.version == 2 else None


def out_of_the_gateways(world: World) -> None:
    """No caller gets version 2 any more, whatever the database says."""
    before = len(world.routes_seen)
    world.send(200, seconds=20, bad=failing)
    assert {version for version, _ in world.routes_seen[before:]} == {1}


def on_record(world: World, server: Restartable, controller) -> None:
    """The server is back: the next rounds put on record what the gateways have obeyed all along."""
    server.resume()
    world.clock.sleep(6)
    for _ in range(3):
        world.beat()
        controller.tick()
    assert world.last().phase is Phase.ROLLED_BACK
    assert world.live() == 1
    invariants(world)
    assert not world.last().overridden


def test_it_goes_away_between_the_gateways_and_the_record(world: World, own_postgres: Restartable) -> None:
    """A guard fires, the kill bit is set, then the transaction finds no server."""
    world.send(200, seconds=20, bad=failing)
    world.controls._shelf = Cut(world.home.plan, own_postgres)
    with pytest.raises(Unavailable):
        world.controls.tick()
    out_of_the_gateways(world)
    on_record(world, own_postgres, world.controls)


def test_it_goes_away_under_a_persons_hand(world: World, own_postgres: Restartable) -> None:
    """The same with `lockgate rollback`: the person hears that the database is away, and the canary is out."""
    world.desk = type(world.desk)(
        world.db, Cut(world.home.plan, own_postgres), world.home.members, world.clock
    )
    with pytest.raises(Unavailable):
        acts.rollback(world.desk, world.bob, "churn", "complaints", wait=False)
    out_of_the_gateways(world)
    on_record(world, own_postgres, world.controller())


def test_guards_stay_armed_while_it_is_away(world: World, own_postgres: Restartable) -> None:
    """The canary begins to fail when the database is gone already: it is taken out all the same; a sound one is left alone."""
    own_postgres.halt()
    world.send(200, seconds=20)
    with pytest.raises(Unavailable):
        world.controls.tick()
    assert world.shelf.latest().killed == ()
    world.send(200, seconds=20, bad=failing)
    with pytest.raises(Unavailable):
        world.controls.tick()
    out_of_the_gateways(world)
    on_record(world, own_postgres, world.controls)


def test_a_breaker_that_opens_while_it_is_away(world: World, own_postgres: Restartable) -> None:
    """What a gateway worker's own breaker says reaches the others without a database, too."""
    own_postgres.halt()
    world.tripped = (Tripped(release=world_release(world), reason="5 crashes", at_us=0),)
    world.beat()
    with pytest.raises(Unavailable):
        world.controls.tick()
    out_of_the_gateways(world)
    on_record(world, own_postgres, world.controls)


def world_release(world: World) -> int:
    """The number of the release in the published plan."""
    number = world.shelf.latest().routes["churn"].release
    assert number is not None
    return number
