"""Performance over time: windows with what labels say of them, estimates, promises; and how labels come."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says
from lockgate.wiring.moments import moment
from lockgate.wiring.performance import Coming, PerformanceShown, coming, performance_of

router = APIRouter(tags=["performance"])


@router.get("/models/{model}/performance", responses=says(PerformanceShown))
def performance(
    model: str,
    house: InHouse,
    me: Asking,
    *,
    version: Annotated[int | None, Query(ge=1)] = None,
    since: Annotated[str | None, Query(description="1h, 7d, 2026-03-01")] = None,
) -> Response:
    """How well a model does, window by window, version by version: what labels say, what was expected before they came."""
    with house.db.read() as tx:
        require(tx, me, Permission.LOG_READ, model)
        get_model(tx, model)
    since_us = moment(since, house.clock.now_us()) if since else None
    return answer(performance_of(house, model, version=version, since_us=since_us))


@router.get("/models/{model}/labels", responses=says(Coming))
def label_status(model: str, house: InHouse, me: Asking) -> Response:
    """How labels come: how many, how late, how many belong to no prediction that is on record."""
    with house.db.read() as tx:
        require(tx, me, Permission.LOG_READ, model)
        get_model(tx, model)
    return answer(coming(house, model))
