"""A second release of a model waits, begins by itself, can be cancelled; whoever dies in between changes nothing."""

import pytest
from typer.testing import CliRunner

from lockgate.cli.release import app
from lockgate.config import ModelConfig
from lockgate.config_release import ReleaseConfig
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound
from lockgate.governance import audit
from lockgate.governance.people import add_person, grant, revoke
from lockgate.governance.permissions import RoleName
from lockgate.registry.store import get_version
from lockgate.release import acts, store
from lockgate.release.phases import Phase
from lockgate.release.queue import Place, PlaceState, places_of, waiting
from lockgate.release.start import start
from lockgate.traffic import Role
from lockgate.wiring.house import account_of

from .world import World, invariants

SHORT = ReleaseConfig(
    shadow_requests=20, shadow_min_s=1, canary=("50%",), stage_min_s=1, stage_requests=20, watch_s=5
)


def _world(database, home, clock):
    made = World(database, home, clock, settings=ModelConfig(release=SHORT))
    made.controls = made.controller()
    made.ship_first(made.controls)
    for number in (2, 3, 4):
        made.version(number)
    start(made.desk, made.ann, "churn/2")
    made.go(made.controls, Phase.CANARY)
    return made


@pytest.fixture
def world(sqlite, home, clock):
    """churn/1 live, churn/2 in its canary, churn/3 and churn/4 validated."""
    made = _world(sqlite, home, clock)
    yield made
    made.writer.close()


@pytest.fixture
def either(database, home, clock):
    """The same on SQLite and on PostgreSQL."""
    made = _world(database, home, clock)
    yield made
    made.writer.close()


def queued(world, number):
    """Start a version that has to wait."""
    place = start(world.desk, world.ann, f"churn/{number}", "the next one")
    assert isinstance(place, Place)
    return place


def places(world):
    """What the queue holds: version and state, the newest first."""
    with world.db.read() as tx:
        return [(place.version, place.state) for place in places_of(tx, "churn")]


def test_the_next_begins_when_the_first_has_ended(either):
    """Two wait; each begins in its turn, with a plan and a live version of that moment, and all three go live."""
    queued(either, 3), queued(either, 4)
    assert places(either) == [(4, PlaceState.WAITING), (3, PlaceState.WAITING)]
    assert either.running().version == 2
    for number in (2, 3, 4):
        _until_live(either, number)
    assert either.live() == 4
    with either.db.read() as tx:
        third = store.releases_of(tx, "churn")[1]
        assert (third.version, third.previous, third.author) == (3, 2, "ann")
        assert waiting(tx) == []
    assert {state for _, state in places(either)} == {PlaceState.STARTED}
    invariants(either)


def test_the_next_begins_after_a_rollback_too(world):
    """However the first ends: the one that waits is compared with what is live then."""
    queued(world, 3)
    acts.rollback(world.desk, world.bob, "churn", "complaints")
    world.controls.tick()
    assert (world.running().version, world.running().previous) == (3, 1)


def test_whoever_watches_a_release_is_told_how_that_one_ended(world, monkeypatch):
    """The next in the queue has begun already: it is another release, and the exit status is that of the first."""
    queued(world, 3)
    number = world.running().id
    acts.rollback(world.desk, world.bob, "churn", "complaints")
    world.controls.tick()
    assert world.running().version == 3
    _know_the_owner(world)
    monkeypatch.setenv("LOCKGATE_HOME", str(world.home.root))
    monkeypatch.delenv("LOCKGATE_URL", raising=False)
    done = CliRunner().invoke(app, ["status", "churn", "--number", str(number), "--watch"])
    assert done.exit_code == 1
    assert f"release {number} ended: rolled_back" in done.output


def test_cancelled_places_never_begin(world):
    """A place is left with a reason, by people who may hold releases; it is on record."""
    queued(world, 3)
    with pytest.raises(Forbidden):
        acts.leave_queue(world.desk, world.dan, "churn", 3, "no")
    acts.leave_queue(world.desk, world.bob, "churn", 3, "wrong file")
    with pytest.raises(NotFound, match="does not wait"):
        acts.leave_queue(world.desk, world.bob, "churn", 3, "wrong file")
    _until_live(world, 2)
    world.controls.tick()
    assert world.running() is None
    with world.db.read() as tx:
        tags = [row.action for row in audit.rows(tx, subject="churn/3")]
    assert tags[:2] == ["release:queue:cancelled", "release:queue:waiting"]


def test_a_version_waits_once_and_not_behind_itself(world):
    """The running version, one that waits and the live one are refused with words."""
    queued(world, 3)
    with pytest.raises(Conflict, match="waits already"):
        start(world.desk, world.ann, "churn/3")
    with pytest.raises(Conflict, match="is being released already"):
        start(world.desk, world.ann, "churn/2")
    with pytest.raises(Conflict, match="live already"):
        start(world.desk, world.ann, "churn/1")


def test_supersede_needs_a_person_and_passes_the_queue(world):
    """Whoever supersedes needs the right to roll back; what waits goes on waiting."""
    queued(world, 3)
    with pytest.raises(Forbidden):
        start(world.desk, world.dan, "churn/4", supersede=True)
    release = start(world.desk, world.ann, "churn/4", "hot fix", supersede=True)
    assert release.version == 4
    assert world.shelf.latest().routes["churn"].arm(Role.CANARY) is None
    assert places(world) == [(3, PlaceState.WAITING)]


def test_whoever_passes_the_queue_does_not_begin_once_more(world):
    """A version that waited and superseded is off the queue: taken back, it stays so."""
    queued(world, 3)
    release = start(world.desk, world.ann, "churn/3", "hot fix", supersede=True)
    with world.db.read() as tx:
        assert [(p.state, p.release) for p in places_of(tx, "churn")] == [(PlaceState.STARTED, release.id)]
    acts.cancel(world.desk, world.ann, "churn", "wrong file")
    world.controls.tick()
    assert world.running() is None


@pytest.mark.parametrize("supersede", [True, False])
def test_settings_that_cannot_be_are_refused_at_once(world, supersede):
    """Nothing waits for a turn that cannot come, and the canary that runs is not taken out of the gateways."""
    running = world.running()
    shrinks = ReleaseConfig(canary=("50%", "10%"))
    with pytest.raises(InvalidInput, match="canary stages grow"):
        start(world.desk, world.ann, "churn/3", settings=shrinks, supersede=supersede)
    assert places(world) == []
    assert world.running() == running
    plan = world.shelf.latest()
    assert running.id not in plan.killed
    assert plan.routes["churn"].arm(Role.CANARY) is not None


@pytest.mark.parametrize("why", ["checks", "person"])
def test_what_cannot_be_any_more_is_refused_in_words(world, why):
    """New findings block it, or its author lost the right: it is refused, and the next one has its turn."""
    queued(world, 3), queued(world, 4)
    with world.db.write() as tx:
        if why == "checks":
            world.validate(tx, get_version(tx, "churn/3"), failing=("performance",))
        else:
            revoke(tx, "ann", RoleName.BUILDER, "churn", by=world.admin, at_us=world.clock.now_us())
    acts.rollback(world.desk, world.bob, "churn", "make room")
    for _ in range(3):
        world.controls.tick()
    with world.db.read() as tx:
        third = next(place for place in places_of(tx, "churn") if place.version == 3)
    assert third.state is PlaceState.REFUSED
    assert {"checks": "performance", "person": "ann"}[why] in third.words
    running = world.running()
    assert (running is None) if why == "person" else running.version == 4


def test_settings_of_the_order_hold_for_its_release(world):
    """What was set for this once, the interpreter and the reason travel with the place."""
    start(
        world.desk,
        world.ann,
        "churn/3",
        "in a hurry",
        settings=ReleaseConfig(canary=("33%",), watch_s=5),
        python="/usr/bin/python3",
    )
    acts.rollback(world.desk, world.bob, "churn", "make room")
    world.controls.tick()
    running = world.running()
    assert (running.plan.stages, running.plan.watch_s, running.plan.python) == (
        (0.33,),
        5,
        "/usr/bin/python3",
    )
    with world.db.read() as tx:
        assert store.moves_of(tx, running.id)[0].reason == "in a hurry"


def test_two_controllers_begin_it_once(either):
    """The fence and the transaction: whoever is first begins it, the other finds it begun."""
    queued(either, 3)
    acts.rollback(either.desk, either.bob, "churn", "make room")
    other = either.controller()
    either.controls.tick(), other.tick()
    either.clock.sleep(6)
    either.beat()
    other.tick(), either.controls.tick()
    with either.db.read() as tx:
        assert [r.version for r in store.releases_of(tx, "churn")] == [3, 2, 1]
    invariants(either)


def _know_the_owner(world):
    """Whoever runs the tests owns the home folder, and may look at its releases."""
    account, now_us = account_of(world.home), world.clock.now_us()
    if account != world.admin.id:
        with world.db.write() as tx:
            add_person(tx, account, by=world.admin, at_us=now_us)
            grant(tx, account, RoleName.VIEWER, "churn", by=world.admin, at_us=now_us)


def _until_live(world, number):
    """Traffic and rounds until a version is live and its release done."""
    for _ in range(400):
        world.send(50, seconds=5)
        world.controls.tick()
        world.beat()
        with world.db.read() as tx:
            if any(r.version == number and r.phase is Phase.DONE for r in store.releases_of(tx, "churn")):
                return
    raise AssertionError(f"churn/{number} is not live: {world.last()}")
