"""Which versions score which requests in shadow, by phase."""

import msgspec
import pytest

from lockgate.clock import DAY_US, SECOND_US
from lockgate.config import ModelConfig
from lockgate.registry.store import create_model
from lockgate.release.contenders import HISTORY_FACTOR
from lockgate.release.phases import Phase, Release
from lockgate.release.promise import ReleasePlan
from lockgate.wiring.shadowing import history_us, jobs_of

OLD, NEW = "sha256:" + "1" * 64, "sha256:" + "2" * 64
RELEASE = Release(
    id=7, model="churn", version=2, digest=NEW, previous=1, previous_digest=OLD, created_us=10**15
)


def jobs(sqlite, *, pure=True, **changes):
    """(version, since) of every job of the release, changed so."""
    with sqlite.write() as tx:
        create_model(tx, "churn", ModelConfig(pure=pure), actor="anna", at_us=0)
        found = jobs_of(tx, msgspec.structs.replace(RELEASE, **changes))
    return [job.version for job in found]


@pytest.mark.parametrize(
    ("phase", "versions"),
    [
        (Phase.DRAFT, []),
        (Phase.WARMING, []),
        (Phase.SHADOW, [2]),
        (Phase.APPROVAL, [2]),
        (Phase.CANARY, [2, 1]),
        (Phase.WATCH, [1]),
        (Phase.DONE, []),
    ],
)
def test_jobs_by_phase(sqlite, phase, versions):
    """The candidate until the canary, both ways in it, the previous version in the watch."""
    assert jobs(sqlite, phase=phase) == versions


def test_a_held_release_scores_on(sqlite):
    """What was scored before it was held is scored while it is."""
    assert jobs(sqlite, phase=Phase.HELD, held_from=Phase.CANARY) == [2, 1]


def test_no_shadow(sqlite):
    """An impure model is never asked twice."""
    assert jobs(sqlite, phase=Phase.CANARY, pure=False) == []


def test_no_shadow_of_a_first_version(sqlite):
    """Without a live version there is nothing to compare with."""
    assert jobs(sqlite, phase=Phase.SHADOW, previous=None, previous_digest=None) == []


def test_history_is_what_the_shadow_asks_for_a_few_times():
    """At one request a second and 2,000 asked for, the candidate begins 10,000 s back."""
    release = msgspec.structs.replace(RELEASE, plan=ReleasePlan(per_s=1.0, shadow_requests=2_000))
    assert release.created_us - history_us(release) == HISTORY_FACTOR * 2_000 * SECOND_US


def test_a_quiet_service_is_scored_over_its_month():
    """At 100 requests a day all of the last 30 days are scored: enough for a verdict, and no more than a month."""
    release = msgspec.structs.replace(RELEASE, plan=ReleasePlan(per_s=100 / 86_400, shadow_requests=140))
    assert release.created_us - history_us(release) == 30 * DAY_US
