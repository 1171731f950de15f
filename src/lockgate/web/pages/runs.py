"""Runs of pipelines: what was made from what, step by step, and two of them side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from lockgate.access import EVERY_MODEL
from lockgate.governance.people import models_with, require
from lockgate.governance.permissions import Permission
from lockgate.pipelines.compared import differences
from lockgate.pipelines.place import words_of
from lockgate.pipelines.run import Run, StepRun, StepState
from lockgate.pipelines.store import get_run, runs_of
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, page
from lockgate.wiring.training import end_lost

MOST_RUNS = 200
router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class Timed:
    """A step with its share of the run's longest step."""

    step: StepRun
    share: float


@router.get("/runs")
def runs(looking: Looking, model: Annotated[str | None, Query()] = None) -> Response:
    """Runs, the newest first, of the models that one may see."""
    end_lost(looking.house, model)
    with looking.house.db.read() as tx:
        if model is not None:
            require(tx, looking.person, Permission.MODEL_READ, model)
        seen = models_with(tx, looking.person, Permission.MODEL_READ)
        found = runs_of(tx, model, among=None if EVERY_MODEL in seen else seen, limit=MOST_RUNS)
    return page(looking, "runs.html", runs=found, model=model, most=MOST_RUNS)


@router.get("/runs/compare")
def compared(
    looking: Looking, first: Annotated[int, Query(ge=1)], second: Annotated[int, Query(ge=1)]
) -> Response:
    """What two runs have not in common."""
    before, after = _run(looking, first), _run(looking, second)
    return page(looking, "runs_compared.html", first=before, second=after, rows=differences(before, after))


@router.get("/runs/{number}")
def run(number: int, looking: Looking) -> Response:
    """One run: data, code and settings in; steps; figures and a version out."""
    end_lost(looking.house)
    found = _run(looking, number)
    with looking.house.db.read() as tx:
        others = [one for one in runs_of(tx, found.model, limit=MOST_RUNS) if one.id < found.id]
    said = words_of(looking.house.home, found.model, found.id)
    return page(
        looking, "run.html", run=found, steps=timed(found), before=others[0] if others else None, said=said
    )


def timed(found: Run) -> list[Timed]:
    """The steps with how long each took beside the longest. Pure."""
    longest = max((step.seconds for step in found.steps), default=0.0)
    return [
        Timed(step, step.seconds / longest if longest and step.state is not StepState.KEPT else 0.0)
        for step in found.steps
    ]


def _run(looking: Viewer, number: int) -> Run:
    with looking.house.db.read() as tx:
        found = get_run(tx, number)
        require(tx, looking.person, Permission.MODEL_READ, found.model)
    return found
