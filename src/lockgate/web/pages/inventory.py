"""The first page: every model, what is live, what runs, what waits for whom."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from lockgate.access import EVERY_MODEL
from lockgate.governance.people import models_with
from lockgate.governance.permissions import Permission
from lockgate.registry.search import search
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, fragment, page
from lockgate.wiring.inventory import ModelStanding, inventory
from lockgate.wiring.summary import Health, Summary, summary_of

WORST_FIRST = (Health.TROUBLE, Health.LOOK, Health.UNKNOWN, Health.WELL)
router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class Totals:
    """The few numbers above the table."""

    models: int
    live: int
    running: int
    waiting: int
    requests: int  # of the last 24 hours
    well: int


@dataclass(frozen=True)
class Line:
    """A model in a line, and in three sentences."""

    model: ModelStanding
    summary: Summary


@router.get("/")
def models(looking: Looking, q: str = "") -> Response:
    """The inventory; `q` searches names, tags, notes, owners and data."""
    found = _seen(looking, q.strip())
    return page(looking, "inventory.html", lines=found, totals=totals(found), q=q)


@router.get("/fresh")
def fresh(looking: Looking, q: str = "") -> Response:
    """The table alone, for the script that keeps it fresh."""
    found = _seen(looking, q.strip())
    return fragment("_inventory.html", looking, lines=found, totals=totals(found), q=q)


def totals(lines: list[Line]) -> Totals:
    """The numbers of an inventory."""
    found = [line.model for line in lines]
    return Totals(
        models=len(found),
        live=sum(model.live is not None for model in found),
        running=sum(model.release is not None for model in found),
        waiting=sum(bool(line.summary.waits_for) for line in lines),
        requests=sum(line.summary.requests for line in lines),
        well=sum(line.summary.health is Health.WELL for line in lines),
    )


def _seen(looking: Viewer, text: str) -> list[Line]:
    with looking.house.db.read() as tx:
        allowed = models_with(tx, looking.person, Permission.MODEL_READ)
        hits = {hit.model for hit in search(tx, text)} if text else None
        lines = [
            Line(model, summary_of(tx, model, looking.now_us))
            for model in inventory(tx, looking.now_us)
            if (EVERY_MODEL in allowed or model.name in allowed) and (hits is None or model.name in hits)
        ]
    return sorted(lines, key=lambda line: WORST_FIRST.index(line.summary.health))
