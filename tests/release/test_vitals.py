"""The vital signs of a live version: what fails is seen soon at any traffic, what is well is left in peace, what is over ends."""

from __future__ import annotations

import random

import pytest

from lockgate.clock import DAY_US, SECOND_US, FakeClock
from lockgate.config import Home
from lockgate.db import Database
from lockgate.predictions.record import Record
from lockgate.release import snapshots
from lockgate.release.counts import Frozen
from lockgate.release.guards import GuardName
from lockgate.release.phases import Release
from lockgate.release.promise import ReleasePlan
from lockgate.release.vital_evidence import VitalEvidence, vitals_of
from lockgate.release.vitals import STEP_US, Promise, SlowBy, Vitals, begun, counts, promise_of
from lockgate.traffic import Role

from .world import World

START_US = 1_772_366_400 * SECOND_US
PROMISE = Promise(failed_share=0.05)


def asked(at_us: int, **values) -> Record:
    """One request to churn/3, answered in two milliseconds."""
    return Record(**{"id": "r", "at_us": at_us, "latency_us": 2_000, "model": "churn", "version": 3, "digest": "sha256:3",
                     "epoch": 7, **values})  # fmt: skip


class Service:
    """One live version and its callers, request after request."""

    def __init__(self, per_day: float, promise: Promise = PROMISE) -> None:
        self.gap_us, self.at_us = round(DAY_US / per_day), START_US
        self.vitals = begun(asked(self.at_us), promise)
        self.rng = random.Random(11)

    def goes_on(self, requests: int, fails: float = 0.0, slow: float = 0.0, **values) -> int:
        """So many requests; after how many of them something alarmed, or all of them."""
        for number in range(requests):
            self.at_us += self.gap_us
            status = 500 if self.rng.random() < fails else 200
            latency = 400_000 if self.rng.random() < slow else 2_000
            self.vitals.add(asked(self.at_us, status=status, latency_us=latency, **values))
            self.vitals.learn(2_000)
            courses = (self.vitals.failing, self.vitals.slow)
            if (fails or slow) and any(course is not None and course.alarm for course in courses):
                return number + 1
        return requests


@pytest.mark.parametrize("per_day", [100, 20_000, 1_000_000])
def test_a_version_whose_every_request_fails_is_seen_within_ten(per_day: float) -> None:
    """Before anything is known of it but what was promised, and as a rule of requests, not of time; a busy one within a step."""
    service = Service(per_day)
    service.goes_on(50)
    most = max(10, round(per_day * 2 * STEP_US / DAY_US))
    assert service.goes_on(1_000, fails=1.0) <= most
    failing = service.vitals.failing
    assert failing.share > 0.1
    assert service.at_us - failing.since_us <= max(60 * service.gap_us, 2 * STEP_US)


def test_what_it_was_like_itself_is_what_is_tolerated() -> None:
    """Two thousand of its own requests make a few in a hundred failures news that a declared limit of 5 % would let pass."""
    service = Service(20_000)
    service.goes_on(2_500)
    assert service.vitals.own
    assert service.vitals.failing.limit == pytest.approx(0.0054, abs=0.0002)
    assert service.goes_on(3_000, fails=0.03) < 1_000
    worse = Service(20_000)
    worse.goes_on(2_500, fails=0.02)
    assert worse.vitals.failing.limit == pytest.approx(0.05), "it was so when people let it through"


def test_a_version_that_is_well_never_alarms_in_a_month() -> None:
    """A hundred a day, and thirty thousand requests of a busier one, one in a thousand of which fail."""
    for per_day, requests in ((100, 3_000), (20_000, 30_000)):
        service = Service(per_day)
        for _ in range(requests):
            service.goes_on(1, fails=0.001, slow=0.005)
            assert not service.vitals.failing.alarm
        assert service.vitals.slow is not None, "its own times are known after a day"
        assert not service.vitals.slow.alarm


def test_an_alarm_ends_by_itself_when_requests_speak_for_it() -> None:
    """Soon where all had failed, later where few had; while it goes on it never does, and then it can come again."""
    service = Service(20_000)
    service.goes_on(2_500)
    service.goes_on(2_000, fails=1.0)
    for _ in range(300):
        service.goes_on(1, fails=0.5)
        assert service.vitals.failing.alarm
    service.goes_on(60)
    assert not service.vitals.failing.alarm
    assert service.goes_on(2_000, fails=1.0) < 20


def test_one_caller_who_tries_again_and_again_is_one_event_a_step() -> None:
    """Fifty failed tries within seconds among good requests are no alarm; the same of fifty callers are."""
    for keys, alarms in ((1, False), (50, True)):
        service = Service(2_000_000)
        service.goes_on(2_500)
        for number in range(50):
            service.goes_on(1, fails=1.0, key=f"k{number % keys}")
        alarmed = []
        for _ in range(1_000):
            service.goes_on(1)
            alarmed.append(service.vitals.failing.alarm)
        assert any(alarmed) is alarms


def test_a_host_whose_clock_is_a_little_ahead_makes_no_shorter_steps() -> None:
    """Between requests of half a minute later the controller says what time it is: one caller's tries stay one event a step."""
    service = Service(2_000_000)
    service.goes_on(2_500)
    for _ in range(50):
        service.goes_on(1, fails=1.0, key="k")
        service.vitals.close((service.at_us - 30 * SECOND_US) // STEP_US)
        assert not service.vitals.failing.alarm
    assert service.vitals.failing.newest_bad_us
    ahead = service.vitals.step
    service.vitals.close(ahead - DAY_US // STEP_US)
    assert service.vitals.step < ahead, "after a clock that was a day ahead steps go on from now"


def test_slow_answers_are_held_against_goal_predecessor_or_own_first_day() -> None:
    """A few in a hundred beyond a goal; beyond twice its own usual time, which is known after a day; never below 50 ms."""
    stated = Service(20_000, Promise(slow_us=300_000, slow_share=0.0125))
    stated.goes_on(1_000, slow=0.0)
    assert stated.goes_on(3_000, slow=0.04) < 1_500
    own = Service(1_000)
    own.goes_on(1_100)
    assert (own.vitals.slow_us, own.vitals.slow_by) == (50_000, SlowBy.OWN)
    assert own.goes_on(1_000, slow=0.2) < 150
    failed = Service(1_000)
    failed.goes_on(1_100)
    failed.goes_on(100, fails=1.0, slow=1.0)
    assert not failed.vitals.slow.alarm, "what failed is told once"


def test_what_a_release_promised() -> None:
    """Its limits in the watch; a stated goal for times wins over the version before; a first version's declared limit."""
    frozen = Frozen(t99_us=80_000, limits={GuardName.ERRORS: 0.008, GuardName.SLOW_T99: 0.03})
    release = Release(id=1, model="churn", version=3, digest="sha256:3", frozen=frozen)
    assert promise_of(release) == Promise(
        failed_share=0.008, slow_us=80_000, slow_share=0.03, slow_by=SlowBy.RELEASE
    )
    stated = promise_of(
        Release(id=1, model="churn", version=1, digest="d", plan=ReleasePlan(p99_limit_ms=120.0))
    )
    assert (stated.failed_share, stated.slow_us, stated.slow_by) == (0.05, 120_000, SlowBy.GOAL)
    assert stated.slow_share == pytest.approx(0.0125)


@pytest.mark.parametrize(
    "values",
    [
        {"role": Role.CANARY, "assigned": Role.CANARY}, {"assigned": Role.CANARY}, {"role": Role.WARM}, {"forced": True},
        {"version": 0},
    ],
)  # fmt: skip
def test_what_is_not_the_live_version_s_own_does_not_count(values: dict[str, object]) -> None:
    """A canary's requests, those that live answered for it, a stand-in's, probes, and what no version could answer."""
    assert counts(asked(START_US))
    assert not counts(asked(START_US, **values))


def test_another_live_version_begins_anew_and_late_records_change_nothing(sqlite: Database) -> None:
    """By the plan that a record obeyed, so workers that are a moment behind bring nothing back; and it survives a restart."""
    kept = VitalEvidence(sqlite)
    for number in range(40):
        kept.add(asked(START_US + number * SECOND_US, status=500, version=2, epoch=6))
    kept.add(asked(START_US + 60 * SECOND_US, epoch=7))
    kept.add(asked(START_US + 50 * SECOND_US, status=500, version=2, epoch=6))
    kept.close({}, START_US + 80 * SECOND_US)
    with sqlite.write() as tx:
        kept.save(tx, START_US)
    with sqlite.read() as tx:
        found = vitals_of(tx, "churn")
        again = VitalEvidence(sqlite)
        again.load(tx)
        assert vitals_of(tx, "fraud") is None
    assert isinstance(found, Vitals)
    assert (found.version, found.failing.alarm, found.failing.counted_bad) == (3, False, 0)
    again.add(asked(START_US + 90 * SECOND_US, status=500))
    with sqlite.write() as tx:
        again.save(tx, START_US)
    with sqlite.read() as tx:
        assert vitals_of(tx, "churn").failing.counted_bad == 1


def test_the_controller_counts_on_when_the_release_is_over(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """A first version goes live; long after its watch it begins to fail, and is well again: the vital signs say both."""
    world = World(sqlite, home, clock)
    controller = world.controller()
    world.ship_first(controller)

    def failing(requests: int, reason: str | None) -> bool:
        world.send(requests, seconds=60, bad=lambda _number, _arm: reason)
        clock.sleep(2 * STEP_US / SECOND_US)
        controller.tick()
        with sqlite.read() as tx:
            found = vitals_of(tx, "churn")
        assert found is not None
        return found.failing.alarm

    assert not failing(200, None)
    assert failing(60, "error")
    assert not failing(400, None)
    with sqlite.read() as tx:
        assert snapshots.day_of(tx, "churn", clock.now_us()).errors == 60
    world.close()
