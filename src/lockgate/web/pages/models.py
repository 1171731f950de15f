"""A model's page: what is live, its versions, and how long they took from submission to live."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from starlette.responses import Response

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.leadtime import LeadTime
from lockgate.registry.policies import policy_of
from lockgate.registry.store import get_model, get_version
from lockgate.release.store import releases_of
from lockgate.web.pages.shell import Looking, PageRoute, fragment, page
from lockgate.wiring.inventory import VersionLine, standing_of, version_lines
from lockgate.wiring.journey import journey
from lockgate.wiring.retrain_shown import retrain_shown
from lockgate.wiring.summary import summary_of

TIMED = 10  # versions whose lead time is shown
router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class Line:
    """A version with its lead time; None beyond the newest few."""

    version: VersionLine
    way: LeadTime | None


@router.get("/models/{model}")
def one_model(model: str, looking: Looking) -> Response:
    """One model."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
    retrain = retrain_shown(looking.house, model)
    with looking.house.db.read() as tx:
        row = get_model(tx, model)
        lines = [
            Line(
                version, journey(tx, get_version(tx, version.name), looking.now_us) if place < TIMED else None
            )
            for place, version in enumerate(version_lines(tx, model))
        ]
        standing = standing_of(tx, row, looking.now_us)
        metrics = sorted({name for line in lines for name in line.version.metrics})[:3]
        return page(
            looking,
            "model.html",
            model=row,
            standing=standing,
            summary=summary_of(tx, standing, looking.now_us),
            lines=lines,
            metrics=metrics,
            releases=releases_of(tx, model, limit=20),
            policy=policy_of(tx, row.name),
            retrain=retrain,
        )


@router.get("/models/{model}/fresh")
def fresh(model: str, looking: Looking) -> Response:
    """The three sentences alone, for the script that keeps them fresh."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        standing = standing_of(tx, get_model(tx, model), looking.now_us)
        return fragment(
            "_summary.html", looking, summary=summary_of(tx, standing, looking.now_us), standing=standing
        )
