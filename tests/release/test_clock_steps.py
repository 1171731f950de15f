"""Clocks that step ahead and back while evidence is folded; snapshots at any place."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.clock import DAY_US, SECOND_US, FakeClock
from lockgate.config import Home, Observed
from lockgate.config_release import ReleaseConfig
from lockgate.db import Database
from lockgate.predictions.log import LogReader
from lockgate.predictions.record import Attempt, Kind, Record
from lockgate.release import acts
from lockgate.release.baseline import Baseline, Day, Traffic
from lockgate.release.counts import Counts, Frozen, fold
from lockgate.release.evidence import Evidence
from lockgate.release.judge import judge
from lockgate.release.lease import LEASE_S
from lockgate.release.phases import Phase
from lockgate.release.plan import make_plan
from lockgate.release.start import start
from lockgate.traffic import Role, Stick

from .world import World, invariants

PLAN = msgspec.structs.replace(
    make_plan(ReleaseConfig(canary=("10%", "50%")), Traffic(), labels=Observed.ALWAYS), stick=Stick.KEY
)
FROZEN = Frozen(t99_us=5_000, t95_us=3_000)
YEAR_US = 365 * DAY_US


def request(number: int, event: int, step_us: int = 0) -> Record:
    """One request of two stages; `event`: what went wrong and in which arm; `step_us`: how far its clock was off."""
    canary, kind = bool(event % 2), event // 2
    failed = Attempt(2, "sha256:b", "error", "ValueError", 900) if canary and kind == 1 else None
    return Record(
        id=f"r{number}", at_us=10 * YEAR_US + number * SECOND_US + step_us, model="churn", version=1, digest="sha256:a",
        release=7, stage=1 if number < 20 else 2, weight=0.1 if number < 20 else 0.5,
        assigned=Role.CANARY if canary else Role.LIVE, key=f"k{number % 11}", failed=failed,
        status=500 if kind == 1 and not canary else 200, latency_us=4_000 if kind == 2 else 1_000,
    )  # fmt: skip


def evidence_of(records: list[Record], cut: int | None = None) -> Counts:
    """What was counted; `cut`: a snapshot and a restart after so many records."""
    counts = Counts(release=7)
    for place, record in enumerate(records):
        if place == cut:
            counts = msgspec.msgpack.decode(msgspec.msgpack.encode(counts), type=Counts)
        fold(counts, [record], PLAN, FROZEN)
    return counts


EVENTS = st.lists(st.integers(0, 5), min_size=1, max_size=40)


@settings(deadline=None)
@given(EVENTS, st.integers(0, 40))
def test_a_snapshot_anywhere_and_a_replay_give_the_same_evidence(events, cut):
    """Everything that was counted survives the snapshot, to the last digit of every verdict."""
    records = [request(number, event) for number, event in enumerate(events)]
    whole, again = evidence_of(records), evidence_of(records, cut)
    assert again == whole
    assert judge(PLAN, again, FROZEN) == judge(PLAN, whole, FROZEN)


@settings(deadline=None)
@given(EVENTS, st.lists(st.sampled_from([0, YEAR_US, -YEAR_US, 3_600 * SECOND_US]), min_size=40, max_size=40))
def test_no_verdict_hangs_on_the_time_of_day(events, steps):
    """Whatever the clocks did while the records were written, the guards say the same."""
    right = [request(number, event) for number, event in enumerate(events)]
    wrong = [request(number, event, steps[number]) for number, event in enumerate(events)]
    assert judge(PLAN, evidence_of(wrong), FROZEN) == judge(PLAN, evidence_of(right), FROZEN)


def test_a_clock_that_was_a_year_ahead_spoils_neither_rate_nor_silence():
    """After it came back the rate is that of the requests, and the longest silence is no year."""
    baseline, start_us = Baseline(), 10 * YEAR_US
    for number in range(3_000):
        ahead = YEAR_US if 1_000 <= number < 1_010 else 0
        baseline.add(request(number, 0, ahead))
        baseline.set_back(start_us + number * SECOND_US)
    traffic = baseline.traffic()
    assert traffic.per_s == pytest.approx(1.0, rel=0.05)
    assert traffic.longest_gap_s < 60


def test_failures_of_a_clock_that_was_ahead_are_none_of_the_last_day():
    """When the clock is right again, requests and failures of hours to come are both forgotten."""
    baseline, now_us = Baseline(), 10 * YEAR_US + 3 * SECOND_US
    baseline.add(request(0, 0))
    for number in (1, 2):
        baseline.add(request(number, 2, 3 * 3_600 * SECOND_US))
    baseline.set_back(now_us)
    assert baseline.day(now_us) == Day(requests=1, errors=0)


def test_a_step_ahead_and_back_does_not_blind_a_release(
    sqlite: Database, home: Home, clock: FakeClock
) -> None:
    """Requests written a year ahead count; when the clock is right again, silence is seen as soon as ever."""
    world = World(sqlite, home, clock)
    world.ship_first(world.controller())
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(world.controller(), Phase.CANARY)
    release = world.running()
    assert release is not None
    evidence = Evidence(sqlite, LogReader(home.log), now_us=clock.now_us())
    evidence.poll([release], clock.now_us())
    before = evidence.counts(release).requests
    ahead = [
        msgspec.structs.replace(
            request(number, 0, YEAR_US), release=release.id, at_us=clock.now_us() + YEAR_US
        )
        for number in range(10)
    ]
    world.writer.append(ahead)
    evidence.poll([release], clock.now_us())
    counts = evidence.counts(release)
    assert counts.requests == before + 10
    assert counts.newest_us <= clock.now_us()
    controller = world.controller()
    for _ in range(4):
        world.clock.sleep(release.plan.no_data_s / 2)
        world.beat()
        controller.tick()
    assert world.last().phase is Phase.HELD
    assert "no data" in world.last().reason


def test_shadow_answers_in_a_row_of_one_caller_are_one_fact():
    """Ten requests of one caller fail in shadow alone: one event; of ten callers: ten."""
    for keys, events in ((["same"] * 10, 1), ([f"k{i}" for i in range(10)], 10)):
        counts = Counts(release=7)
        asked = [
            Record(id=f"r{i}", at_us=10 + i, model="m", release=7, key=key) for i, key in enumerate(keys)
        ]
        shadow = [
            Record(kind=Kind.SHADOW, id=f"s{i}", of=f"r{i}", at_us=10 + i, model="m", release=7, key=key, status=500)
            for i, key in enumerate(keys)
        ]  # fmt: skip
        for part in (asked, shadow, []):
            fold(counts, part, PLAN, FROZEN)
        assert counts.guards["errors"].totals() == (events, 0)
        assert (counts.pairs, counts.pair_errors) == (10, 10)


@pytest.mark.parametrize(
    ("step_s", "phase"),
    [(3_600, Phase.CANARY), (-3_600, Phase.CANARY), (3_600, Phase.WATCH)],
    ids=["ahead in the canary", "back in the canary", "ahead in the watch"],
)
def test_a_step_of_an_hour_gives_no_traffic_and_disarms_no_guard(
    sqlite: Database, home: Home, clock: FakeClock, step_s: float, phase: Phase
) -> None:
    """The release stays, or is held for the silence that a step ahead looks like; a controller that starts anew acts at once,
    and a version that fails then goes back."""
    world = World(sqlite, home, clock)
    controller = world.controller()
    world.ship_first(controller)
    world.version(2)
    start(world.desk, world.ann, "churn/2")
    world.go(controller, phase)
    before = world.last()
    clock.sleep(step_s)
    world.beat()
    assert controller.tick()
    after = world.last()
    assert (after.at, after.weight, after.stage) == (before.at, before.weight, before.stage)
    if after.phase is Phase.HELD:
        assert "no data: no request was recorded for 60 minutes" in after.reason
        acts.resume(world.desk, world.ann, "churn", "the clock was set right")
    clock.sleep(LEASE_S + 1)
    world.beat()
    fresh = world.controller()  # the one before was killed: its lease is not given back
    assert fresh.tick()
    world.go(fresh, Phase.ROLLED_BACK, bad=lambda _number, arm: "error" if arm.version == 2 else None)
    assert world.live() == 1
    invariants(world)
