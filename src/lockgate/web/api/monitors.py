"""What monitors know of a model: what moved, since when, how much it matters; what they said."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.monitor.notices import Said, notices_of
from lockgate.registry.store import get_model
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says
from lockgate.wiring.drift_shown import DriftShown, drift_of
from lockgate.wiring.moments import moment

router = APIRouter(tags=["monitors"])


@router.get("/models/{model}/drift", responses=says(DriftShown))
def drift(
    model: str,
    house: InHouse,
    me: Asking,
    since: Annotated[str | None, Query(description="1h, 7d, 2026-03-01: chunks after that")] = None,
) -> Response:
    """How far inputs and answers of each version lie from its validation, now and over time."""
    since_us = moment(since, house.clock.now_us()) if since else 0
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        get_model(tx, model)
        return answer(drift_of(tx, model, since_us=since_us))


@router.get("/models/{model}/notices", responses=says(Said, many=True))
def notices(
    model: str, house: InHouse, me: Asking, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Response:
    """Everything that monitors said of a model, open and over, the newest first."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        get_model(tx, model)
        return answer(notices_of(tx, model, limit=limit))
