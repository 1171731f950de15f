"""The steps of a release, drawn from where it stands."""

from __future__ import annotations

import pytest

from lockgate.release.phases import Phase, Release
from lockgate.release.promise import ReleasePlan
from lockgate.release.store import Move
from lockgate.web.pages.steps import StepState, steps_of

PLAN = ReleasePlan(stages=(0.1, 0.5))


def _release(phase: Phase, *, held: Phase | None = None, stage: int = 0, plan: ReleasePlan = PLAN) -> Release:
    return Release(
        id=1,
        model="churn",
        version=2,
        digest="d",
        previous=1,
        phase=phase,
        held_from=held,
        stage=stage,
        plan=plan,
    )


def _moves(*ways: tuple[Phase, int]) -> list[Move]:
    return [
        Move(
            release=1, seq=seq, at_us=seq, actor="controller", phase=phase, stage=stage, weight=0.0, reason=""
        )
        for seq, (phase, stage) in enumerate(ways)
    ]


@pytest.mark.parametrize(
    ("release", "states"),
    [
        (_release(Phase.DRAFT), "now todo todo todo todo todo todo"),
        (_release(Phase.CANARY, stage=2), "done done done done now todo todo"),
        (_release(Phase.HELD, held=Phase.CANARY, stage=1), "done done done held todo todo todo"),
        (_release(Phase.DONE, stage=3), "done done done done done done done"),
    ],
)
def test_every_phase_has_its_place(release: Release, states: str) -> None:
    """Before: done; here: now or held; after: to do."""
    found = steps_of(release, [])
    assert " ".join(step.state for step in found) == states
    assert [step.title for step in found] == [
        "Load",
        "Shadow",
        "Approval",
        "Canary 10 %",
        "Canary 50 %",
        "Watch",
        "Live",
    ]


def test_a_release_that_ended_stops_where_it_was_last() -> None:
    """Rolled back in the second stage: that stage is where it stopped, holds on the way do not count."""
    moves = _moves((Phase.WARMING, 0), (Phase.SHADOW, 0), (Phase.APPROVAL, 0), (Phase.CANARY, 1), (Phase.CANARY, 2),
                   (Phase.HELD, 2), (Phase.ROLLED_BACK, 2))  # fmt: skip
    found = steps_of(_release(Phase.ROLLED_BACK, stage=2), moves)
    assert [step.state for step in found if step.state is StepState.STOPPED] == [StepState.STOPPED]
    assert next(step.title for step in found if step.state is StepState.STOPPED) == "Canary 50 %"


def test_a_first_version_has_neither_shadow_nor_canary() -> None:
    """Load, approval, watch, live."""
    found = steps_of(_release(Phase.WATCH, plan=ReleasePlan(first=True, stages=())), [])
    assert [step.title for step in found] == ["Load", "Approval", "Watch", "Live"]
    assert [step.weight for step in found] == [0.0, 0.0, 1.0, 1.0]
