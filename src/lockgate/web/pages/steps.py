"""A release drawn as a way: its steps, and how far it came. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from lockgate.release.phases import ENDS, Phase, Release
from lockgate.release.store import Move
from lockgate.web.pages.words import share


class StepState(StrEnum):
    """How a step stands."""

    DONE = "done"
    NOW = "now"
    HELD = "held"
    STOPPED = "stopped"  # the release ended here without reaching its goal
    TODO = "todo"


@dataclass(frozen=True)
class Step:
    """One step of the way. `weight` (0..1) is the new version's share of callers in it."""

    title: str
    state: StepState
    weight: float


def steps_of(release: Release, moves: Sequence[Move]) -> list[Step]:
    """Every step of a release in order, with where it stands. A first version has no shadow and no canary."""
    plan = release.plan
    way: list[tuple[Phase, int, str, float]] = [(Phase.WARMING, 0, "Load", 0.0)]
    if plan.shadow and not plan.first:
        way.append((Phase.SHADOW, 0, "Shadow", 0.0))
    way.append((Phase.APPROVAL, 0, "Approval", 0.0))
    if not plan.first:
        way += [
            (Phase.CANARY, place, f"Canary {share(weight)}", weight)
            for place, weight in enumerate(plan.stages, start=1)
        ]
    way += [(Phase.WATCH, 0, "Watch", 1.0), (Phase.DONE, 0, "Live", 1.0)]
    reached = _reached(release, moves)
    at = max((place for place, step in enumerate(way) if step[:2] == reached), default=0)
    return [
        Step(title, _state(release, place, at), weight) for place, (_, _, title, weight) in enumerate(way)
    ]


def _reached(release: Release, moves: Sequence[Move]) -> tuple[Phase, int]:
    """The last step that the release was in: while it is held or over, the one before."""
    here = release.at
    if here not in ENDS or here is Phase.DONE:
        return _key(here, release.stage)
    ways = [move for move in moves if move.phase not in ENDS and move.phase is not Phase.HELD]
    return _key(ways[-1].phase, ways[-1].stage) if ways else _key(Phase.WARMING, 0)


def _key(phase: Phase, stage: int) -> tuple[Phase, int]:
    if phase is Phase.DRAFT:
        return Phase.WARMING, 0
    return phase, stage if phase is Phase.CANARY else 0


def _state(release: Release, place: int, at: int) -> StepState:
    if place < at or release.phase is Phase.DONE:
        return StepState.DONE
    if place > at:
        return StepState.TODO
    if release.phase is Phase.HELD:
        return StepState.HELD
    return StepState.STOPPED if release.phase in ENDS else StepState.NOW
