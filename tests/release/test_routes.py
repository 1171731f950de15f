"""A route says from when on a canary is slow, so that live is asked beside it and no guard is told less."""

import msgspec
import pytest

from lockgate.release.counts import Frozen
from lockgate.release.phases import Phase, Release
from lockgate.release.promise import ReleasePlan
from lockgate.release.routes import route_of

RELEASE = Release(
    id=7, model="churn", version=2, digest="sha256:b", previous=1, previous_digest="sha256:a", phase=Phase.CANARY, stage=1,
    plan=ReleasePlan(), frozen=Frozen(t99_us=80_000, t95_us=60_000),
)  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "slow_ms"),
    [
        ({}, 80.0),
        ({"frozen": Frozen(t99_us=50_000)}, 50.0),
        ({"frozen": Frozen(t95_us=61_000)}, 61.0),
        ({"phase": Phase.HELD, "held_from": Phase.CANARY}, 80.0),
        ({"phase": Phase.WATCH, "stage": 6}, None),  # nobody stands behind it
        ({"phase": Phase.SHADOW, "stage": 0}, None),
        ({"frozen": Frozen()}, None),
        ({"plan": ReleasePlan(fallback=False)}, None),  # a second answer would do things twice
    ],
)
def test_a_canary_is_slow_above_every_threshold(changed, slow_ms):
    """Below the highest one a guard would hear of a slow answer that was not to be, or not of one that was."""
    assert route_of(msgspec.structs.replace(RELEASE, **changed)).slow_ms == slow_ms
