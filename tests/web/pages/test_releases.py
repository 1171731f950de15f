"""Which buttons a release offers, by where it stands."""

from __future__ import annotations

import pytest

from lockgate.release.phases import Phase, Release
from lockgate.web.api.releases import Act
from lockgate.web.pages.releases import possible, told


def _release(phase: Phase, held: Phase | None = None, previous: int | None = 1) -> Release:
    return Release(id=1, model="churn", version=2, digest="d", previous=previous, phase=phase, held_from=held)


@pytest.mark.parametrize(
    ("release", "asked", "acts"),
    [
        (_release(Phase.DRAFT), False, {Act.CANCEL}),
        (_release(Phase.SHADOW), False, {Act.HOLD, Act.CANCEL, Act.PROMOTE}),
        (_release(Phase.APPROVAL), True, {Act.HOLD, Act.CANCEL, Act.APPROVE, Act.REJECT}),
        (_release(Phase.CANARY), False, {Act.HOLD, Act.ROLLBACK, Act.PROMOTE}),
        (_release(Phase.HELD, Phase.CANARY), False, {Act.RESUME, Act.ROLLBACK}),
        (_release(Phase.HELD, Phase.SHADOW), False, {Act.RESUME, Act.CANCEL}),
        (_release(Phase.WATCH), False, {Act.HOLD, Act.ROLLBACK, Act.PROMOTE}),
        (_release(Phase.DONE), False, {Act.ROLLBACK}),
        (_release(Phase.DONE, previous=None), False, set()),
        (_release(Phase.ROLLED_BACK), False, set()),
        (_release(Phase.REJECTED), True, set()),
    ],
)
def test_what_can_be_done(release: Release, asked: bool, acts: set[Act]) -> None:
    """Only what the table of moves lets people do from here; after the end at most the way back."""
    assert possible(release, asked=asked, newest=True) == acts


def test_an_older_release_cannot_be_rolled_back() -> None:
    """Something newer went live: the way back belongs to that."""
    assert possible(_release(Phase.DONE), asked=False, newest=False) == set()


def test_rolling_back_a_first_version_is_not_called_a_way_back() -> None:
    """With a version before it its answers come back; without one the model goes out of service, and that is said."""
    says = "The previous version answers every request again, at once."
    assert told(Act.ROLLBACK, _release(Phase.WATCH), says) == says
    first = told(Act.ROLLBACK, _release(Phase.WATCH, previous=None), says)
    assert "out of service" in first
    assert "answers every request" not in first
    assert told(Act.HOLD, _release(Phase.WATCH, previous=None), "Stays.") == "Stays."
