"""What is frozen when a release moves: the thresholds of slow answers."""

import msgspec
import pytest

from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.counts import Counts
from lockgate.release.moves import freeze
from lockgate.release.phases import Phase, Release
from lockgate.release.plan import make_plan

MEASURED = Traffic(requests=50_000, span_s=5_000, t95_us=900, t99_us=2_000, latencies=50_000)


def waiting(**plan: object) -> Release:
    """A release that waits for its approval, before the canary."""
    made = make_plan(ReleaseConfig(), MEASURED, **plan)
    return Release(
        id=1, model="m", version=2, digest="sha256:b", previous=1, previous_digest="sha256:a", phase=Phase.APPROVAL,
        held_from=None, stage=0, seq=3, salt="s", plan=made, phase_us=0, limit_us=0,
    )  # fmt: skip


def test_an_answer_that_nobody_waits_for_is_not_slow():
    """Live takes 2 ms, nothing is declared: a Python model that takes 10 ms does no harm, one that takes 60 ms does."""
    frozen = freeze(waiting(), Phase.CANARY, MEASURED, Counts(release=1))
    assert (frozen.t95_us, frozen.t99_us) == (None, 50_000)


def test_slow_is_slower_than_a_slow_live_version():
    """Where live itself takes longer, its own percentiles are the thresholds."""
    slow = msgspec.structs.replace(MEASURED, t95_us=80_000, t99_us=200_000)
    frozen = freeze(waiting(), Phase.CANARY, slow, Counts(release=1))
    assert (frozen.t95_us, frozen.t99_us) == (80_000, 200_000)


def test_an_unmeasured_threshold_is_no_limit_of_the_watch():
    """Too few answers of live to know its 1 %: both arms are compared in the canary, but the watch has no share to hold to."""
    young = msgspec.structs.replace(MEASURED, t99_us=None)
    in_canary = msgspec.structs.replace(
        waiting(), phase=Phase.CANARY, frozen=freeze(waiting(), Phase.CANARY, young, Counts(release=1))
    )
    watched = freeze(in_canary, Phase.WATCH, young, Counts(release=1))
    assert watched.t99_us == 50_000
    assert not any("slow" in str(name) for name in watched.limits)


def test_an_answer_within_the_declared_limit_is_not_slow():
    """A goal of 50 ms: a version that takes 20 ms instead of live's 2 does no harm; only one threshold is left."""
    frozen = freeze(waiting(p99_ms=50), Phase.CANARY, MEASURED, Counts(release=1))
    assert (frozen.t95_us, frozen.t99_us) == (None, 50_000)


def test_a_live_version_beyond_the_declared_limit_sets_the_thresholds():
    """Where live is slower than was wished for, the new version is not asked for more than live gives."""
    frozen = freeze(waiting(p99_ms=0.5), Phase.CANARY, MEASURED, Counts(release=1))
    assert (frozen.t95_us, frozen.t99_us) == (900, 2_000)


@pytest.mark.parametrize(("settings", "limit"), [(ReleaseConfig(), 50), (ReleaseConfig(p99_limit_ms=80), 80)])
def test_the_goal_is_the_limit_unless_the_release_names_another(settings, limit):
    """`goal.p99_ms` counts, `release.p99_limit_ms` wins."""
    assert make_plan(settings, MEASURED, p99_ms=50).p99_limit_ms == limit
    assert msgspec.to_builtins(make_plan(settings, MEASURED)).get("p99_limit_ms") == settings.p99_limit_ms
