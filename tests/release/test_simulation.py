"""The simulation behind the published figures is the shipped guard: the same evidence, record by record."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl
import pytest
from benchmarks.release.guarded import DIFFER, bad_requests, guard_path, plan_of
from benchmarks.release.paths import bet_path, copies, event_path, mean_path, outside_path, split_path
from benchmarks.release.scenarios import Scenario, Simulated, simulate

from lockgate.predictions.record import Attempt, Record
from lockgate.release.counts import Counts, Frozen, fold
from lockgate.release.guards import LATE, GuardName
from lockgate.release.judge import judge
from lockgate.release.label_evidence import from_pairs
from lockgate.stats import eprocess
from lockgate.stats.evalues import beta_arm
from lockgate.stats.means import Arms
from lockgate.traffic import Role, Stick

STAGES = (0.1, 0.5)
SCENARIO = Scenario(error_share=0.05, ratio=2.0, stages=STAGES, requests=1_200, burst=3)
PLAN = msgspec.structs.replace(plan_of(STAGES, late=True), stick=Stick.KEY)
FROZEN = Frozen(t99_us=990_000_000, t95_us=950_000_000)


def records(release: Simulated) -> list[Record]:
    """What a gateway would write of a simulated release."""
    found = []
    for i, canary in enumerate(release.canary.tolist()):
        reason = "error" if release.error[i] else "invalid" if release.invalid[i] else None
        failed = Attempt(2, "sha256:b", reason, reason, 900) if reason and canary else None
        said = {"error": "ValueError: unseen", "invalid": "invalid answer: NaN"}.get(reason or "")
        found.append(
            Record(
                id=f"r{i}", at_us=i + 1, model="m", release=7, stage=int(release.stage[i]), weight=float(release.w[i]),
                assigned=Role.CANARY if canary else Role.LIVE, key=f"k{release.caller[i]}",
                latency_us=int(release.latency[i] * 1e9), failed=failed,
                status=500 if reason and not canary else 200, error=said if not canary else None,
            )
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def release() -> Simulated:
    """Callers with three requests in a row, two stages, more errors in the canary."""
    return simulate(SCENARIO, np.random.default_rng(11))


@pytest.fixture(scope="module")
def shipped(release: Simulated) -> dict[str, np.ndarray]:
    """Log E of every guard after every single record, by `fold` and `judge`."""
    counts, found = Counts(release=7), []
    for record in records(release):
        fold(counts, [record], PLAN, FROZEN)
        found.append({verdict.guard: verdict.log_e for verdict in judge(PLAN, counts, FROZEN)})
    return {name: np.array([looks.get(name, math.nan) for looks in found]) for name in found[-1]}


@pytest.mark.parametrize("name", [guard.name for guard in PLAN.guards if guard.name not in LATE])
def test_events_of_a_whole_release_at_once_equal_the_shipped_guard(release, shipped, name):
    """Errors, invalid answers and slow ones, first of each caller, restarts at each stage: equal at every look."""
    guard = next(guard for guard in PLAN.guards if guard.name is name)
    path = guard_path(release, guard)
    assert len(path.at) > 20
    assert path.log_e == pytest.approx(shipped[name][path.at], abs=1e-9)
    between = np.setdiff1d(np.arange(len(release.w)), path.at)
    before = np.searchsorted(path.at, between) - 1
    assert shipped[name][between] == pytest.approx(path.log_e[before], abs=1e-9)  # nothing moves in between


def test_restarts_within_a_stage_equal_the_shipped_guard(monkeypatch):
    """A new copy every so many requests, in both."""
    monkeypatch.setattr(eprocess, "RESTART_REQUESTS", 100)
    monkeypatch.setattr("benchmarks.release.paths.RESTART_REQUESTS", 100)
    rng, process = np.random.default_rng(3), eprocess.EventProcess()
    bad, canary = rng.random(450) < 0.2, rng.random(450) < 0.3
    looked = []
    for i in range(450):
        process = process.request(1)
        if bad[i]:
            process = process.event(0.1, in_canary=bool(canary[i]))
        looked.append(process.log_e())
    at = np.flatnonzero(bad)
    path = event_path(at, np.full(len(at), 0.1), canary[at], copies(np.ones(450, dtype=int)))
    assert len(process.segments) == 5
    assert path.log_e == pytest.approx(np.array(looked)[path.at], abs=1e-9)


def test_the_split_of_a_whole_stage_equals_the_shipped_guard(release, shipped):
    """Every caller once a stage, looked at after each."""
    for stage in (1, 2):
        inside = np.flatnonzero(release.stage == stage)
        _, first = np.unique(release.caller[inside], return_index=True)
        places = inside[np.sort(first)]
        path = split_path(places, release.canary[places], STAGES[stage - 1])
        assert path.log_e == pytest.approx(shipped["split"][places], abs=1e-9)
    assert beta_arm(30, 90, 0.1) == pytest.approx(
        split_path(np.arange(120), np.arange(120) < 30, 0.1).log_e[-1]
    )


def test_means_of_a_whole_stage_equal_the_shipped_state():
    """The business metric's state, value by value, heavy tail and zeros."""
    rng = np.random.default_rng(5)
    values = np.where(rng.random(2_500) < 0.1, rng.exponential(40, 2_500), 0.0)
    canary = rng.random(2_500) < 0.1
    path, arms = mean_path(np.arange(2_500), values, canary, a=0.002), Arms()
    for i in range(2_500):
        arms = arms.add(float(values[i]), in_canary=bool(canary[i]))
        if i % 97 == 0 or i > 2_450:
            assert path.log_e[i] == pytest.approx(arms.log_e_higher(a=0.002), abs=1e-9)
    assert path.log_e[-1] != 0.0


def test_shifted_answers_and_bets_of_a_whole_stage_equal_the_shipped_states():
    """Both sides of the guard on shifted answers, and the bets on differences in pairs, value by value."""
    rng = np.random.default_rng(6)
    values, canary = rng.normal(0.3, 1.0, 1_500), rng.random(1_500) < 0.3
    path = outside_path(np.arange(1_500), values, canary, low=-0.1, high=0.2, a=0.001)
    differences = rng.uniform(-1.0, 1.0, 400)
    bets, arms, state = bet_path(differences), Arms(), eprocess.BetState()
    for i in range(1_500):
        arms = arms.add(float(values[i]), in_canary=bool(canary[i]))
        if i % 97 == 0 or i > 1_450:
            assert path.log_e[i] == pytest.approx(arms.log_e_outside(-0.1, 0.2, a=0.001), abs=1e-9)
    for i, difference in enumerate(differences.tolist()):
        state = state.add(difference)
        assert bets.log_e[i] == pytest.approx(state.log_e(), abs=1e-9)


def test_labelled_pairs_at_once_equal_the_shipped_evidence():
    """Pairs as they come, with the restart at the second stage; the shipped evidence is made anew at each look."""
    rng, n = np.random.default_rng(8), 900
    stage = np.where(np.arange(n) < 500, 1, 2)
    differ, new_wrong = rng.random(n) < 3 * DIFFER, rng.random(n) < 0.6
    old, new = (np.where(differ & (new_wrong != side), "1", "0") for side in (True, False))
    rows = pl.DataFrame({
        "at_us": range(n), "id": [f"r{i:04}" for i in range(n)], "row": [0] * n, "old": old, "new": new,
        "key": [f"k{i}" for i in range(n)], "label": [0] * n, "label_at_us": range(n), "stage": stage,
    })  # fmt: skip
    at = np.flatnonzero(differ)
    path = event_path(at, np.full(len(at), 0.5), new_wrong[at], copies(stage))
    for place in (50, 499, 500, 700, n - 1):
        look = from_pairs(rows.head(place + 1)).wrong.log_e()
        assert path.log_e[np.searchsorted(path.at, place, side="right") - 1] == pytest.approx(look, abs=1e-9)


def test_the_first_event_of_a_caller_counts_in_both(release):
    """The simulated events are as many as the shipped guard counted."""
    counts = Counts(release=7)
    fold(counts, records(release), PLAN, FROZEN)
    for name in (GuardName.ERRORS, GuardName.INVALID, GuardName.SLOW_T95):
        assert len(bad_requests(release, name)) == sum(counts.guards[name].totals())
