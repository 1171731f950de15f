"""Whole releases under a fake clock, on both databases, with the real log, plan and members' files."""

import msgspec
import pytest
import sqlalchemy as sa
from tests.release.world import QUICK, World, invariants

from lockgate.checks.store import findings_of
from lockgate.checks.tables import validations
from lockgate.config import ModelConfig, Tier
from lockgate.config_release import ReleaseConfig
from lockgate.errors import Conflict
from lockgate.governance.approvals import approvals_of
from lockgate.governance.policy import Policy, write_policy
from lockgate.governance.tables import approval_requests
from lockgate.membership import Tripped
from lockgate.release import acts, store
from lockgate.release.moves import moved
from lockgate.release.phases import Phase
from lockgate.release.promise import FAST_MS
from lockgate.release.snapshots import counts_of, status_of, traffic_of
from lockgate.release.start import preview, start
from lockgate.traffic import Role
from lockgate.wiring.shadowing import jobs_of


@pytest.fixture
def world(database, home, clock):
    """A model with a quick plan."""
    return World(database, home, clock)


def from_version_two(number, arm):
    """Version 2 fails for one key in five, as if a category was never seen in training."""
    return "error" if arm.version == 2 and number % 5 == 0 else None


def test_first_version_goes_live_under_limits(world):
    """Without a predecessor: no shadow, no canary, all traffic under declared limits, then done."""
    controller = world.controller()
    world.version(1)
    release = start(world.desk, world.ann, "churn/1", "first")
    assert release.plan.first
    assert world.go(controller, Phase.DONE) == [
        Phase.DRAFT, Phase.WARMING, Phase.APPROVAL, Phase.WATCH, Phase.DONE
    ]  # fmt: skip
    assert world.live() == 1
    invariants(world)


def test_first_version_that_breaks_its_limit_is_taken_out(world):
    """One key in five fails: above the declared 5 %, so it stops answering, as there is nothing to go back to."""
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    world.go(controller, Phase.ROLLED_BACK, bad=lambda number, arm: "error" if number % 5 == 0 else None)
    assert world.live() is None
    assert "the limit is broken" in world.last().reason
    invariants(world)


def test_good_version_goes_the_whole_way(world):
    """Shadow, approval by the policy on record, every stage, watch, done; the weight never falls on the way."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2", "better features")
    seen = world.go(controller, Phase.DONE)
    assert seen == [
        Phase.DRAFT, Phase.WARMING, Phase.SHADOW, Phase.APPROVAL, Phase.CANARY, Phase.WATCH, Phase.DONE
    ]  # fmt: skip
    assert world.live() == 2
    weights = [w for _, w in world.routes_seen if w > 0]
    assert weights == sorted(weights)
    with world.db.read() as tx:
        moves = store.moves_of(tx, world.last().id)
        assert any("approved by policy:low/1" in move.reason for move in moves)
        assert world.sent - 200 <= traffic_of(tx, "churn").requests <= world.sent
    invariants(world)


def test_bad_canary_is_rolled_back_and_no_caller_sees_it(world):
    """A version that only fails in production: shadow is fine, the canary is rolled back, live serves on."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    before = len(world.routes_seen)
    world.go(controller, Phase.ROLLED_BACK, bad=from_version_two)
    assert world.last().stage == 1
    assert world.live() == 1
    assert sum(version == 2 for version, _ in world.routes_seen[before:]) < 60
    assert world.last().id in world.shelf.latest().killed
    world.send(200, seconds=10, bad=from_version_two)
    assert all(version == 1 and w == 0 for version, w in world.routes_seen[-200:])
    invariants(world)


def test_bad_version_does_not_pass_its_shadow(world):
    """What fails on recorded requests is found before any caller could meet it."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    seen = world.go(controller, Phase.ROLLED_BACK, bad=from_version_two)
    assert Phase.CANARY not in seen
    assert Phase.SHADOW in seen
    invariants(world)


def test_incident_that_hits_both_arms_is_no_reason_to_go_back(world):
    """While half of everything fails for all, the release waits or goes on, but it is not rolled back."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    for _ in range(5):
        world.send(50, seconds=5, bad=lambda number, arm: "error" if number % 3 == 0 else None)
        controller.tick()
    assert world.last().phase is Phase.CANARY
    world.go(controller, Phase.WATCH)


def test_slow_version_is_rolled_back(world):
    """A third of the answers take longer than anybody should wait, live's never do: rolled back."""
    controller = world.controller()
    world.ship_first(controller)
    world.send(3_000, seconds=300)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    assert world.last().frozen.t99_us == FAST_MS * 1000

    def slow(arm):
        fast = 1_000 + world.sent % 997
        return fast * 60 if arm.role is Role.CANARY and world.sent % 3 == 0 else fast

    world.go(controller, Phase.ROLLED_BACK, latency_us=slow)
    assert "slow" in world.last().reason


def test_a_slower_version_that_is_fast_enough_goes_on(world):
    """Four times live's few milliseconds is nothing that a caller feels: no guard fires."""
    controller = world.controller()
    world.ship_first(controller)
    world.send(3_000, seconds=300)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    world.go(controller, Phase.WATCH, latency_us=lambda arm: 8_000 if arm.role is Role.CANARY else 2_000)


def test_lost_records_of_one_arm_hold_the_release(world):
    """When the canary's records do not arrive the split is wrong: held, evidence void, two people to go on."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2", settings=msgspec.structs.replace(QUICK, stage_requests=800))
    world.go(controller, Phase.CANARY)
    while world.last().stage < 2:
        world.send(50, seconds=5)
        controller.tick()
    world.lost = lambda arm: arm.role is Role.CANARY and world.sent % 2 == 0
    world.go(controller, Phase.HELD)
    held = world.last()
    assert "split" in held.reason
    assert held.advisory
    assert held.weight == 0.5  # frozen, not lowered
    world.lost = lambda _arm: False
    assert isinstance(acts.resume(world.desk, world.ann, "churn", "the log disk was full"), acts.Vote)
    assert isinstance(acts.resume(world.desk, world.ann, "churn", "again"), acts.Vote)
    resumed = acts.resume(world.desk, world.bob, "churn", "seen, disk is fine")
    assert resumed.phase is Phase.CANARY
    assert resumed.overridden
    world.go(controller, Phase.DONE)
    invariants(world)


def test_silence_holds_the_release_and_never_rolls_back(world):
    """No requests at all: held with that reason, the weight as it was."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    for _ in range(100):
        world.clock.sleep(60)
        world.beat()
        controller.tick()
    assert world.last().phase is Phase.HELD
    assert "no data" in world.last().reason
    acts.resume(world.desk, world.ann, "churn", "it was night")
    world.go(controller, Phase.DONE)


def test_blind_release_goes_back(world):
    """Requests flow and none is recorded: held first, then rolled back."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    world.lost = lambda _arm: True
    for _ in range(100):
        world.log_gap += 50
        world.send(50, seconds=60)
        controller.tick()
    assert world.last().phase is Phase.ROLLED_BACK
    assert "blind" in world.last().reason


def test_open_breaker_rolls_back(world):
    """A gateway worker that dropped the canary by itself ends the release everywhere."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    release = start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    world.tripped = (Tripped(release=release.id, reason="5 crashes in a row", at_us=1),)
    world.beat()
    controller.tick()
    assert world.last().phase is Phase.ROLLED_BACK
    assert "5 crashes in a row" in world.last().reason
    invariants(world)


def test_version_that_cannot_be_loaded_never_has_traffic(world):
    """A gateway worker says why; the release ends, live serves on."""
    controller = world.controller()
    world.ship_first(controller)
    made = world.version(2)
    world.failed_load[made.digest] = "the seal of churn/2 is broken: model/model.pkl"
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.ROLLED_BACK)
    assert "seal of churn/2 is broken" in world.last().reason
    assert world.live() == 1


def test_without_gateways_nothing_moves_on(world):
    """No worker with a lease: it waits, and after the time-out a person is asked."""
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    for _ in range(3):
        world.clock.sleep(60)
        controller.tick()
    assert world.last().phase is Phase.WARMING
    world.clock.sleep(3600)
    controller.tick()
    assert world.last().phase is Phase.HELD


def test_new_field_holds_the_release_until_callers_send_it(world):
    """A version that needs what callers do not send is held at the start with that reason, not rolled back by errors."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2, extra=("tenure",))
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.HELD)
    assert "tenure" in world.last().reason
    acts.resume(world.desk, world.ann, "churn", "callers send tenure since noon")
    world.go(controller, Phase.SHADOW)


def test_requests_that_do_not_fit_hold_a_canary(world):
    """Callers who do not send what the new version needs are no fault of its answers: held, and live answers them."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    world.send(400, seconds=40, bad=lambda n, arm: "input" if arm.version == 2 and n % 2 else None)
    controller.tick()
    assert world.last().phase is Phase.HELD, world.last().reason
    assert world.last().held_from is Phase.CANARY
    assert "signature" in world.last().reason or "send" in world.last().reason


def test_an_impure_model_has_a_canary_alone(sqlite, home, clock):
    """No shadow, no second answer in one request: its canary's failures are the callers', and the guard ends it."""
    world = World(sqlite, home, clock, settings=ModelConfig(release=QUICK, pure=False))
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    release = start(world.desk, world.ann, "churn/2")
    assert any("not pure" in sentence for sentence in release.plan.sentences)
    seen = world.go(controller, Phase.CANARY)
    assert Phase.SHADOW not in seen
    assert not world.shelf.latest().routes["churn"].fallback
    with world.db.read() as tx:
        assert jobs_of(tx, world.last()) == []
    seen = world.go(
        controller, Phase.ROLLED_BACK, bad=lambda n, arm: "error" if arm.version == 2 and n % 3 == 0 else None
    )
    assert seen[-1] is Phase.ROLLED_BACK
    with world.db.read() as tx:
        counts = counts_of(tx, world.last().id)
    assert counts.fallbacks == 0


def test_a_clock_that_steps_back_holds_up_no_controller(world):
    """The lease of one that died before the clock went back an hour lies an hour ahead: the next one acts at once."""
    dead = world.controller()
    assert dead.tick()
    world.clock.sleep(-3600)
    world.beat()
    assert world.controller().tick()
    assert not dead.tick()


def test_small_traffic_ends_within_its_days(sqlite, home, clock):
    """300 requests a day and default settings: the release ends, and the plan said what goes unseen."""
    world = World(sqlite, home, clock, settings=ModelConfig(release=ReleaseConfig()))
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1", settings=ReleaseConfig(watch_s=600))
    world.go(controller, Phase.DONE)
    world.key_count = 60
    for _ in range(40):  # ten days of history: the busy first minutes no longer decide
        world.send(75, seconds=6 * 3600)
        controller.tick()
    world.version(2)
    with world.db.read() as tx:
        plan = preview(tx, "churn/2")
    assert any("goes unseen" in said for said in plan.cannot_see)
    begun = clock.now_us()
    start(world.desk, world.ann, "churn/2")
    for _ in range(300):
        world.send(30, seconds=8640)
        controller.tick()
        if world.last().phase in (Phase.DONE, Phase.HELD, Phase.ROLLED_BACK):
            break
    assert world.last().phase is Phase.DONE, world.last().reason
    assert (clock.now_us() - begun) / 86_400e6 < 10


def test_high_tier_waits_for_two_people(database, home, clock):
    """Nothing raises traffic before two approvers said yes; a new finding afterwards voids what they said."""
    world = World(database, home, clock, tier=Tier.HIGH)
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    world.go(controller, Phase.APPROVAL)
    acts.approve(world.desk, world.bob, "churn", "checked the slices")
    controller.tick()
    assert world.last().phase is Phase.APPROVAL
    acts.approve(world.desk, world.cat, "churn", "agreed")
    controller.tick()
    assert world.last().phase is Phase.WATCH
    assert "approved by" in world.last().reason


def test_rejected_is_rejected(database, home, clock):
    """One no is enough, with its reason."""
    world = World(database, home, clock, tier=Tier.MEDIUM)
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    world.go(controller, Phase.APPROVAL)
    acts.reject(world.desk, world.bob, "churn", "the test set is from last year")
    controller.tick()
    assert world.last().phase is Phase.REJECTED
    assert "last year" in world.last().reason


def test_new_findings_void_an_approval_but_take_nothing_away(database, home, clock):
    """Validated again in the canary: the seal is another one, so the weight does not grow, and nobody is rolled back."""
    world = World(database, home, clock, tier=Tier.MEDIUM)
    controller = world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    world.go(controller, Phase.APPROVAL)
    acts.approve(world.desk, world.bob, "churn", "fine")
    world.go(controller, Phase.DONE)
    made = world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.APPROVAL)
    acts.approve(world.desk, world.bob, "churn", "fine")
    world.go(controller, Phase.CANARY)
    with world.db.write() as tx:
        world.validate(tx, made)
    for _ in range(60):
        world.send(50, seconds=5)
        controller.tick()
    assert (world.last().phase, world.last().stage) == (Phase.CANARY, 1)
    with world.db.read() as tx:
        assert "lockgate approve churn/2" in status_of(tx, world.last().id).reason
    acts.approve(world.desk, world.bob, "churn", "the new findings too")
    world.go(controller, Phase.DONE)


def test_two_controllers_exactly_one_acts(world):
    """The second stands by; when the first is gone it takes over and goes on from the snapshot."""
    one, two = world.controller(), world.controller()
    world.version(1)
    start(world.desk, world.ann, "churn/1")
    assert one.tick()
    assert not two.tick()
    world.clock.sleep(6)
    world.beat()
    assert two.tick()
    assert not one.tick()
    world.go(two, Phase.DONE)
    invariants(world)


def test_claim_with_an_old_seq_is_refused(world):
    """Two that saw the same row: one moves it, the other gets Conflict and changes nothing."""
    world.version(1)
    release = start(world.desk, world.ann, "churn/1")
    after = moved(release, Phase.WARMING, now_us=world.clock.now_us(), reason="one")
    with world.db.write() as tx:
        store.claim(tx, release, after, actor="one", at_us=1)
    with pytest.raises(Conflict, match="moved at this moment"), world.db.write() as tx:
        store.claim(tx, release, after, actor="two", at_us=1)
    with world.db.read() as tx:
        assert [move.actor for move in store.moves_of(tx, release.id)] == ["ann", "one"]


def test_broken_record_stops_growth_and_no_guard(world):
    """Findings that were tampered with: traffic does not rise, and a bad canary is still rolled back."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    with world.db.write() as tx:
        tx.execute(sa.update(validations).values(body=validations.c.body + " "))
    for _ in range(30):
        world.send(50, seconds=5)
        controller.tick()
    assert (world.last().phase, world.last().stage) == (Phase.CANARY, 1)
    with world.db.read() as tx:
        assert "not what was recorded" in status_of(tx, world.last().id).blocked
    world.go(controller, Phase.ROLLED_BACK, bad=from_version_two)


def test_an_approval_that_cannot_be_read_stops_growth_and_no_guard(world):
    """A damaged row that nobody foresaw is a defect, in the log and in the status; the guards stay armed."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    with world.db.write() as tx:
        tx.execute(sa.update(approval_requests).values(makers="{"))
    for _ in range(30):
        world.send(50, seconds=5)
        assert controller.tick()
    assert (world.last().phase, world.last().stage) == (Phase.CANARY, 1)
    with world.db.read() as tx:
        assert "cannot be read" in status_of(tx, world.last().id).blocked
    world.go(controller, Phase.ROLLED_BACK, bad=from_version_two)


def test_a_defect_in_one_release_ends_no_round(world, caplog):
    """What cannot be judged is said and tried again; evidence is kept meanwhile, and nothing of it is lost."""
    broken = []

    def labels(release):
        if broken:
            raise ZeroDivisionError(release)

    controller = world.controller(labels=labels)
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    broken.append(True)
    world.send(50, seconds=5)
    assert controller.tick()
    assert "cannot be judged" in caplog.text
    broken.clear()
    world.go(controller, Phase.DONE)
    invariants(world)


def test_findings_exchanged_for_better_ones_stop_growth(world):
    """A bad validation is overwritten by an older good one, text and digest together, in a tier that asks nobody: no growth."""
    controller = world.controller()
    world.ship_first(controller)
    made = world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    with world.db.write() as tx:
        good = findings_of(tx, made.digest)
        world.validate(tx, made, failing=("leakage",))
        bad = findings_of(tx, made.digest)
        row = tx.execute(sa.select(validations).where(validations.c.id == good.id)).one()
        tx.execute(
            sa.update(validations).where(validations.c.id == bad.id).values(body=row.body, digest=row.digest)
        )
    for _ in range(30):
        world.send(50, seconds=5)
        controller.tick()
    assert (world.last().phase, world.last().stage) == (Phase.CANARY, 1)
    with world.db.read() as tx:
        assert "is not the one that the audit log names" in status_of(tx, world.last().id).blocked


def test_changed_policy_of_the_low_tier_approves_again_on_record(world):
    """An admin writes a new policy in the middle: the low tier needs nobody, so the new one approves by itself."""
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, Phase.CANARY)
    with world.db.write() as tx:
        stricter = Policy(must_pass=("leakage", "performance", "quality"), approvals=0)
        write_policy(
            tx, Tier.LOW, stricter, by=world.admin, reason="quality counts", at_us=world.clock.now_us()
        )
    world.go(controller, Phase.DONE)
    with world.db.read() as tx:
        assert len(approvals_of(tx, "churn", 2)) == 2
