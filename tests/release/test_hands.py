"""What people set by hand: more time where a release is, a smaller weight of its canary and the planned one again."""

from __future__ import annotations

import itertools

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.errors import Conflict, Forbidden, InvalidInput
from lockgate.governance import audit
from lockgate.governance.people import add_person, grant
from lockgate.governance.permissions import RoleName
from lockgate.registry.store import get_version
from lockgate.release import acts, hands, store
from lockgate.release.advance import advance
from lockgate.release.counts import Counts
from lockgate.release.moves import given_time
from lockgate.release.phases import Phase, Release
from lockgate.release.promise import ReleasePlan
from lockgate.release.seen import Seen
from lockgate.release.start import start
from lockgate.traffic import Role
from lockgate.web.api.releases import Act, act_on

from .test_acts import in_canary
from .world import World, invariants

DAY_S = 86_400.0


@pytest.fixture
def world(sqlite, home, clock):
    """A model with a quick plan."""
    return World(sqlite, home, clock)


def weight_of(world: World) -> float:
    """The canary's weight as the gateways have it."""
    arm = world.shelf.latest().routes["churn"].arm(Role.CANARY)
    assert arm is not None
    return arm.weight


def test_a_lowered_canary_stays_in_its_stage_until_it_has_its_weight_again(world: World) -> None:
    """Half of the planned share at once, in gateways and database; it waits in words; back as planned it goes on."""
    controller = in_canary(world)
    lowered = hands.weigh(world.desk, world.bob, "churn", "a busy hour", weight=0.05, wait=False)
    assert (lowered.weight, lowered.planned, weight_of(world)) == (0.05, 0.1, 0.05)
    world.beat()
    for _ in range(15):
        world.send(60, seconds=5)
        controller.tick()
    assert (world.last().phase, world.last().stage) == (Phase.CANARY, 1)
    assert not advanced(world).to
    assert "lowered by hand to 5 %" in advanced(world).reason
    again = act_on(Act.WEIGHT, world.desk, world.ann, "churn", "the hour is over")
    assert isinstance(again, Release)
    assert (again.lowered, weight_of(world)) == (None, 0.1)
    world.beat()
    world.go(controller, Phase.WATCH)
    assert world.last().lowered is None
    invariants(world)
    with world.db.read() as tx:
        rows = [row for row in audit.rows(tx, action="release:canary:canary") if row.actor != "controller"]
    found = [(row.actor, msgspec.json.decode(row.details)["weight"]) for row in rows]
    assert sorted(found) == [("ann", 0.1), ("bob", 0.05)]


def advanced(world: World):
    """What the next round would do with a release that has seen nothing bad."""
    with world.db.read() as tx:
        counts = Counts(release=world.last().id, newest_us=world.clock.now_us())
        return advance(store.get_running(tx, "churn"), Seen(counts=counts), world.clock.now_us())


def test_a_lowered_weight_makes_no_guard_suspicious(world: World) -> None:
    """The split of a stage is compared at its own weight alone: a hundred callers at a tenth of it are no broken routing."""
    controller = in_canary(world)
    world.send(2_000, seconds=20)
    controller.tick()
    hands.weigh(world.desk, world.bob, "churn", "careful", weight=0.01, wait=False)
    world.beat()
    for _ in range(5):
        world.send(1_000, seconds=20)
        controller.tick()
    counts = controller._evidence.counts(world.last())
    stage = counts.stages[1]
    share = stage.units_canary / (stage.units_canary + stage.units_baseline)
    assert stage.weight == 0.1
    assert 0.08 < share < 0.12
    assert stage.canary + stage.baseline > 5_000  # of errors and times every request counts
    assert world.last().phase is Phase.CANARY


def test_no_callers_at_all_and_a_hold_in_between(world: World) -> None:
    """Weight 0 parks a canary; a hold keeps what was set; a held one gets less, never more."""
    controller = in_canary(world)
    assert hands.weigh(world.desk, world.bob, "churn", "wait", weight=0.05, wait=False).weight == 0.05
    acts.hold(world.desk, world.bob, "churn", "look")
    assert weight_of(world) == 0.05
    with pytest.raises(Conflict, match="its weight may go down, not up"):
        hands.weigh(world.desk, world.ann, "churn", "more", weight=None)
    assert hands.weigh(world.desk, world.bob, "churn", "nobody", weight=0.0, wait=False).phase is Phase.HELD
    assert weight_of(world) == 0.0
    resumed = acts.resume(world.desk, world.ann, "churn", "seen")
    assert isinstance(resumed, Release)
    assert (resumed.phase, resumed.weight) == (Phase.CANARY, 0.0)
    world.send(100, seconds=5)
    controller.tick()
    assert {w for _, w in world.routes_seen[-100:]} == {0.0}
    assert world.last().phase is Phase.CANARY
    invariants(world)


def test_who_may_lower_and_who_may_raise(world: World) -> None:
    """On call is enough to lower; raising takes the right to resume and an approval as it is now; nobody goes over the plan."""
    in_canary(world)
    with pytest.raises(Forbidden, match="dan may not"):
        hands.weigh(world.desk, world.dan, "churn", "less", weight=0.01)
    with world.db.write() as tx:
        eve = add_person(tx, "eve", by=world.admin, at_us=1)
        grant(tx, "eve", RoleName.VALIDATOR, "churn", by=world.admin, at_us=1)
    hands.weigh(world.desk, eve, "churn", "less", weight=0.01, wait=False)
    with pytest.raises(Forbidden, match="eve may not"):
        hands.weigh(world.desk, eve, "churn", "back", weight=None)
    for much in (0.2, 1.0, -0.1, float("nan")):
        with pytest.raises(InvalidInput, match="only goes down"):
            hands.weigh(world.desk, world.ann, "churn", "more", weight=much)
    with world.db.write() as tx:
        world.validate(tx, get_version(tx, "churn/2"), failing=("leakage",))
    with pytest.raises(Forbidden, match="not approved as it is now"):
        hands.weigh(world.desk, world.ann, "churn", "back", weight=None)
    assert world.last().weight == 0.01
    with pytest.raises(InvalidInput, match="needs a reason"):
        hands.weigh(world.desk, world.ann, "churn", " ", weight=0.0)


def test_only_a_canary_has_a_weight_to_change(world: World) -> None:
    """In warming, in the watch, after the end: refused with where it is."""
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    with pytest.raises(Conflict, match="is no canary"):
        hands.weigh(world.desk, world.ann, "churn", "less", weight=0.0)
    with pytest.raises(Conflict, match="no time here"):
        hands.give_time(world.desk, world.ann, "churn", "longer", seconds=60)


def test_a_stage_lasts_as_much_longer_as_people_say(world: World) -> None:
    """Ten minutes more in the first stage: it passes no sooner; the next stage is as planned."""
    controller = in_canary(world)
    given = act_on(Act.EXTEND, world.desk, world.ann, "churn", "month's end", seconds=600)
    assert isinstance(given, Release)
    assert (given.phase, given.extra_s, given.least_s) == (Phase.CANARY, 600, 630)
    began = given.phase_us
    for _ in range(200):
        world.send(50, seconds=5)
        controller.tick()
        if world.last().stage == 2:
            break
    assert world.last().phase_us - began >= 630e6
    assert (world.last().stage, world.last().extra_s) == (2, 0.0)
    world.go(controller, Phase.WATCH)
    hands.give_time(world.desk, world.bob, "churn", "longer", seconds=300)
    began = world.last().phase_us
    world.go(controller, Phase.DONE)
    assert world.last().finished_us - began >= 360e6
    invariants(world)


def test_a_held_release_goes_on_with_the_time_that_it_is_given(world: World) -> None:
    """Two days let a canary go on that a person held, and it lasts them in all; too much is refused, and who may not give any."""
    controller = in_canary(world)
    acts.hold(world.desk, world.bob, "churn", "look")
    given = hands.give_time(
        world.desk, world.ann, "churn", "the traffic is back on Monday", seconds=2 * DAY_S
    )
    assert isinstance(given, Release)
    assert given.phase is Phase.CANARY
    assert given.least_s == 2 * DAY_S
    assert world.shelf.latest().routes["churn"].arm(Role.CANARY) is not None
    with pytest.raises(InvalidInput, match="no time that a release could be given"):
        hands.give_time(world.desk, world.ann, "churn", "for ever", seconds=1e9)
    with pytest.raises(Forbidden, match="dan may not"):
        hands.give_time(world.desk, world.dan, "churn", "longer", seconds=60)
    controller.tick()
    invariants(world)


def test_what_a_guard_holds_takes_two_people(world: World) -> None:
    """Time is no way around a guard's alarm."""
    controller = in_canary(world)
    world.lost = lambda arm: arm.role is Role.CANARY  # records of one arm are lost: the split is broken
    for _ in range(40):
        world.send(200, seconds=5)
        controller.tick()
        if world.last().phase is Phase.HELD:
            break
    assert world.last().advisory
    with pytest.raises(Conflict, match="held by a guard"):
        hands.give_time(world.desk, world.ann, "churn", "longer", seconds=60)


PHASES = [(Phase.SHADOW, None), (Phase.CANARY, None), (Phase.WATCH, None), (Phase.HELD, Phase.SHADOW),
          (Phase.HELD, Phase.CANARY), (Phase.HELD, Phase.WATCH)]  # fmt: skip


@given(st.sampled_from(PHASES), st.lists(st.floats(1, 1e6), min_size=1, max_size=4), st.floats(0, 1e6))
def test_no_planned_time_ever_becomes_shorter(at, seconds, passed_s):
    """However often and whenever time is given: what is left of the phase is at least what was, and what was given last."""
    plan = ReleasePlan(
        stages=(0.1,), stage_min_s=(3_600.0,), stage_requests=(10,), watch_s=7_200.0, shadow_min_s=600.0
    )
    release = Release(
        id=1, model="churn", version=2, digest="d", phase=at[0], held_from=at[1], stage=1, plan=plan
    )
    now_us = round(passed_s * 1e6)
    for before, more in itertools.pairwise([None, *seconds]):
        held = release.phase is Phase.HELD
        left_s = release.least_s - (0 if held else (now_us - release.phase_us) / 1e6)
        limit_us = release.limit_us
        release = given_time(release, more, now_us=now_us, reason="longer")
        after_s = release.least_s - (now_us - release.phase_us) / 1e6
        assert after_s >= max(left_s, more if held else left_s + more) - 1e-3, before
        assert release.limit_us >= limit_us + more * 1e6 - 1
        assert release.phase is (at[1] or at[0])
