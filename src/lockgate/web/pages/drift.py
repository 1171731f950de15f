"""A model's drift: what moved, since when, how much it matters, and its way over time."""

from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.reports.charts import draw
from lockgate.web.pages.shell import Looking, PageRoute, page
from lockgate.wiring.drift_shown import DriftVersion, drift_of, picture

router = APIRouter(route_class=PageRoute)


@dataclass(frozen=True)
class Drawn:
    """A version with its picture."""

    shown: DriftVersion
    chart: Markup | None


@router.get("/models/{model}/drift")
def drift(model: str, looking: Looking) -> Response:
    """Every watched version, the newest first."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        get_model(tx, model)
        shown = drift_of(tx, model)
    drawn = [Drawn(version, _chart(version)) for version in shown.versions]
    return page(looking, "drift.html", model=model, drift=shown, versions=drawn)


def _chart(version: DriftVersion) -> Markup | None:
    plot = picture(version)
    return Markup(draw(plot)) if plot is not None else None  # noqa: S704 - drawn by us, names escaped by vl-convert
