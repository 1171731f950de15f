"""What people may do with a release, and what they may not: three people in every question."""

import threading

import msgspec
import pytest
from tests.release.world import QUICK, World, invariants

from lockgate.clock import SystemClock
from lockgate.config import ModelConfig, Tier
from lockgate.errors import Conflict, Forbidden, InvalidInput, NotFound, TimedOut
from lockgate.governance import audit
from lockgate.governance.people import grant
from lockgate.governance.permissions import RoleName
from lockgate.governance.policy import current_policy
from lockgate.membership import Member, report
from lockgate.registry.policies import policy_of
from lockgate.registry.store import change_settings, get_model
from lockgate.release import acts, store
from lockgate.release.desk import Desk, wait_until_obeyed
from lockgate.release.gate import look
from lockgate.release.phases import Phase
from lockgate.release.start import start
from lockgate.release.votes import Vote
from lockgate.traffic import Role


@pytest.fixture
def world(sqlite, home, clock):
    """A model with a quick plan."""
    return World(sqlite, home, clock)


def in_canary(world):
    """A controller, and release 2 in its canary."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    return controller


@pytest.mark.parametrize(
    "act", [acts.hold, acts.resume, acts.rollback, acts.promote, acts.cancel, acts.approve, acts.reject]
)
def test_a_stranger_may_do_nothing(world, act):
    """Someone with the right to look only is told what is missing and who can give it."""
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    before = world.last()
    with pytest.raises(Forbidden, match="dan may not"):
        act(world.desk, world.dan, "churn", "because")
    assert world.last() == before


@pytest.mark.parametrize("act", [acts.hold, acts.rollback, acts.promote, acts.cancel])
def test_every_act_needs_a_reason(world, act):
    """An empty reason is no reason."""
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    with pytest.raises(InvalidInput, match="reason"):
        act(world.desk, world.ann, "churn", "  ")


def test_start_is_refused_with_what_is_missing(world):
    """Not validated, blocked by a check, unknown version, running already, already live: each says what to do."""
    with pytest.raises(NotFound):
        start(world.desk, world.ann, "churn/1")
    world.version(1, validate=False)
    with pytest.raises(Conflict, match="lockgate validate churn/1"):
        start(world.desk, world.ann, "churn/1")
    world.version(2, failing=("leakage",))
    with pytest.raises(Conflict, match="leakage"):
        start(world.desk, world.ann, "churn/2")
    world.version(3)
    with pytest.raises(Forbidden):
        start(world.desk, world.dan, "churn/3")
    start(world.desk, world.ann, "churn/3")
    with pytest.raises(Conflict, match="is being released already"):
        start(world.desk, world.ann, "churn/3")
    world.go(world.controller(), Phase.DONE)
    with pytest.raises(Conflict, match="live already"):
        start(world.desk, world.ann, "churn/3")


def test_nobody_approves_their_own_version(sqlite, home, clock):
    """The author with an approver's role is still the author."""
    world = World(sqlite, home, clock, tier=Tier.MEDIUM)
    world.version(1)
    with world.db.write() as tx:
        grant(tx, "ann", RoleName.APPROVER, "churn", by=world.admin, at_us=1)
    start(world.desk, world.ann, "churn/1")
    with pytest.raises(Forbidden, match="made churn/1"):
        acts.approve(world.desk, world.ann, "churn", "mine")


def test_a_model_that_asks_for_more_than_its_tier_waits_for_people(sqlite, home, clock):
    """The low tier with `policy: {approvals: 1}` of its own: one who did not make it says yes to exactly that policy."""
    world = World(sqlite, home, clock, settings=ModelConfig(release=QUICK, policy={"approvals": 1}))
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    world.go(controller, Phase.APPROVAL)
    for _ in range(3):
        world.send(20, seconds=2)
        controller.tick()
    assert world.last().phase is Phase.APPROVAL
    stands = acts.approve(world.desk, world.bob, "churn", "figures hold")
    with world.db.read() as tx:
        assert stands.seal.policy == policy_of(tx, "churn").digest != current_policy(tx, Tier.LOW).digest
    world.go(controller, Phase.DONE)


def test_hold_and_resume(world):
    """Held: the weight stays and nothing moves on; resumed: it goes on where it was."""
    controller = in_canary(world)
    acts.hold(world.desk, world.bob, "churn", "end of month")
    held = world.last()
    assert (held.phase, held.held_from, held.weight) == (Phase.HELD, Phase.CANARY, 0.1)
    for _ in range(40):
        world.send(50, seconds=5)
        controller.tick()
    assert world.last().phase is Phase.HELD
    with pytest.raises(Conflict):
        acts.hold(world.desk, world.bob, "churn", "again")
    resumed = acts.resume(world.desk, world.ann, "churn", "month is over")
    assert (resumed.phase, resumed.stage, resumed.overridden) == (Phase.CANARY, 1, False)
    world.go(controller, Phase.DONE)
    invariants(world)


def test_held_release_is_still_guarded(world):
    """While held, a guard that fires rolls back."""
    controller = in_canary(world)
    acts.hold(world.desk, world.bob, "churn", "end of month")
    world.go(controller, Phase.ROLLED_BACK, bad=lambda n, arm: "error" if arm.version == 2 else None)
    invariants(world)


def test_rollback_by_a_person_is_in_force_on_return(world):
    """After the call no request gets the canary, whatever the controller does later."""
    controller = in_canary(world)
    beats = threading.Event()

    def gateway():
        while not beats.wait(0.01):
            world.beat()

    thread = threading.Thread(target=gateway)
    thread.start()
    try:
        done = acts.rollback(world.desk, world.bob, "churn", "callers complain")
    finally:
        beats.set()
        thread.join()
    assert done.phase is Phase.ROLLED_BACK
    before = len(world.routes_seen)
    for _ in range(5):
        world.send(100, seconds=5)
        controller.tick()
    assert all(version == 1 for version, _ in world.routes_seen[before:])
    invariants(world)
    with world.db.read() as tx:
        row = audit.rows(tx, subject="churn/2", action="release:canary:rolled_back")[0]
    assert (row.actor, row.values["reason"]) == ("bob", "callers complain")


def test_rollback_waits_for_workers_that_live_and_for_no_dead_one(home, sqlite, tmp_path):
    """A worker that beats and does not obey is named; one whose lease ran out holds up nobody."""
    clock = SystemClock()
    world = World(sqlite, home, clock)
    desk = Desk(sqlite, world.shelf, home.members, clock)
    common = {"pid": 1, "host": "h", "port": 1, "started_us": 0}
    report(home.members, Member(worker="w0", beat_us=clock.now_us() + 60_000_000, epoch=9, **common))
    report(home.members, Member(worker="gone", beat_us=clock.now_us() - 3_000_000, epoch=1, **common))
    assert wait_until_obeyed(desk, 9) == ["w0"]
    report(home.members, Member(worker="stuck", beat_us=clock.now_us() + 60_000_000, epoch=1, **common))
    with pytest.raises(TimedOut, match="stuck"):
        wait_until_obeyed(desk, 9, timeout_s=0.1)


def test_done_release_can_be_rolled_back_to_the_one_before(world):
    """The way back stays open after the watch; the first version has nothing behind it."""
    controller = in_canary(world)
    world.go(controller, Phase.DONE)
    assert world.live() == 2
    done = acts.rollback(world.desk, world.bob, "churn", "wrong prices", wait=False)
    assert done.phase is Phase.ROLLED_BACK
    assert world.live() == 1
    with pytest.raises(Conflict, match="none to go back from"):
        acts.rollback(world.desk, world.bob, "churn", "further", wait=False)
    invariants_without_effects(world, controller)


def invariants_without_effects(world, controller):
    """The controller finishes open effects, then everything holds."""
    world.clock.sleep(1)
    world.beat()
    controller.tick()
    invariants(world)


def test_rollback_of_the_watch_brings_the_previous_version_back(world):
    """All traffic goes back to the version before, which stayed loaded."""
    controller = in_canary(world)
    world.go(controller, Phase.WATCH)
    assert world.live() == 2
    assert world.shelf.latest().routes["churn"].arm(Role.WARM).version == 1
    acts.rollback(world.desk, world.bob, "churn", "wrong prices", wait=False)
    assert world.live() == 1
    assert world.shelf.latest().routes["churn"].arm(Role.LIVE).version == 1


def test_promote_takes_two_people_and_is_remembered(world):
    """One person's word waits; a second person's moves it; the release carries `overridden` for ever."""
    controller = in_canary(world)
    assert isinstance(acts.promote(world.desk, world.ann, "churn", "fire in the old one"), Vote)
    assert isinstance(acts.promote(world.desk, world.ann, "churn", "really"), Vote)
    assert world.last().phase is Phase.CANARY
    promoted = acts.promote(world.desk, world.bob, "churn", "agreed")
    assert (promoted.phase, promoted.overridden) == (Phase.WATCH, True)
    assert promoted.frozen.limits
    assert world.shelf.latest().routes["churn"].arm(Role.LIVE).version == 2
    world.go(controller, Phase.DONE)
    assert world.last().overridden
    invariants(world)


def test_a_lone_builder_may_end_a_watch(world):
    """The low tier asks nobody: one person's word ends the watch of a first version, and it is remembered."""
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    controller = world.controller()
    world.go(controller, Phase.WATCH)
    done = acts.promote(world.desk, world.ann, "churn", "the next version is ready")
    assert (done.phase, done.overridden) == (Phase.DONE, True)
    assert world.live() == 1
    controller.tick()
    invariants(world)


def test_a_watch_of_a_higher_tier_takes_two(sqlite, home, clock):
    """Where the tier asks an approver, one person does not end a watch."""
    world = World(sqlite, home, clock, tier=Tier.MEDIUM)
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    controller = world.controller()
    world.go(controller, Phase.APPROVAL)
    acts.approve(world.desk, world.bob, "churn", "read")
    world.go(controller, Phase.WATCH)
    assert isinstance(acts.promote(world.desk, world.ann, "churn", "in a hurry"), Vote)
    assert world.last().phase is Phase.WATCH


def test_a_watch_ends_though_the_tier_was_raised_meanwhile(world):
    """The gate keeps traffic from rising: two people end the watch of a version that the new tier did not approve."""
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    controller = world.controller()
    world.go(controller, Phase.WATCH)
    with world.db.write() as tx:
        raised = msgspec.structs.replace(get_model(tx, "churn").settings, tier=Tier.HIGH)
        change_settings(tx, "churn", raised, actor="root", at_us=world.clock.now_us())
        assert look(tx, "churn", 1, now_us=world.clock.now_us()).blocked
    assert isinstance(acts.promote(world.desk, world.ann, "churn", "the next version is ready"), Vote)
    done = acts.promote(world.desk, world.bob, "churn", "agreed")
    assert (done.phase, done.overridden) == (Phase.DONE, True)
    assert world.live() == 1


def test_a_canary_is_not_promoted_past_a_raised_tier(world):
    """More traffic needs the approval that the tier asks for today."""
    in_canary(world)
    with world.db.write() as tx:
        raised = msgspec.structs.replace(get_model(tx, "churn").settings, tier=Tier.HIGH)
        change_settings(tx, "churn", raised, actor="root", at_us=world.clock.now_us())
    with pytest.raises(Forbidden, match="not approved as it is now"):
        acts.promote(world.desk, world.ann, "churn", "in a hurry")


def test_vote_is_void_after_a_move(world):
    """What two people said about two different states is not the same word."""
    controller = in_canary(world)
    acts.promote(world.desk, world.ann, "churn", "in a hurry")
    while world.last().stage == 1:
        world.send(50, seconds=5)
        controller.tick()
    assert isinstance(acts.promote(world.desk, world.bob, "churn", "agreed"), Vote)
    assert world.last().phase is Phase.CANARY


def test_cancel_before_traffic_only(world):
    """Before the canary it is taken back; with traffic it has to be rolled back."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.SHADOW)
    assert acts.cancel(world.desk, world.ann, "churn", "wrong file").phase is Phase.CANCELLED
    assert world.shelf.latest().routes["churn"].arm(Role.WARM) is None
    world.version(3)
    start(world.desk, world.ann, "churn/3")
    world.go(controller, Phase.CANARY)
    with pytest.raises(Conflict, match="lockgate rollback churn"):
        acts.cancel(world.desk, world.ann, "churn", "wrong file")


def test_supersede_ends_the_old_release_first(world):
    """The old canary goes out in the same transaction in which the new release begins."""
    controller = in_canary(world)
    world.version(3)
    new = start(world.desk, world.ann, "churn/3", "hot fix", supersede=True)
    with world.db.read() as tx:
        assert store.get_release(tx, new.id - 1).phase is Phase.SUPERSEDED
    assert world.shelf.latest().routes["churn"].arm(Role.CANARY) is None
    world.go(controller, Phase.DONE)
    assert world.live() == 3
    invariants(world)


def test_two_people_at_once_exactly_one_holds(database, home, clock):
    """Two holds at the same moment: one wins, the other is told that it is held."""
    world = World(database, home, clock, settings=ModelConfig(release=QUICK))
    in_canary(world)
    outcomes, together = [], threading.Barrier(4)

    def press(person):
        together.wait()
        try:
            outcomes.append(acts.hold(world.desk, person, "churn", "stop").phase)
        except Conflict as error:
            outcomes.append(type(error))

    threads = [
        threading.Thread(target=press, args=(person,))
        for person in (world.ann, world.bob, world.cat, world.admin)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(str(outcome) for outcome in outcomes).count(str(Phase.HELD)) == 1
    assert outcomes.count(Conflict) == 3
