"""Alerts: what is wrong now, what was, and what people say to it; the addresses that are told."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from lockgate.access import EVERY_MODEL
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse, require_anywhere
from lockgate.web.shapes import says
from lockgate.wiring.alerts_shown import (
    AlertPage,
    AlertShown,
    SinkShown,
    alerts_for,
    one_alert,
    say,
    sinks_for,
    try_sink,
)

MOST = 1000
router = APIRouter(tags=["alerts"])


class Why(BaseModel):
    """Why; on record."""

    model_config = ConfigDict(extra="forbid")
    reason: str = ""


@router.get("/alerts", responses=says(AlertShown, many=True))
def alerts(
    house: InHouse,
    me: Asking,
    *,
    every: Annotated[bool, Query(description="resolved ones too")] = False,
    model: Annotated[str | None, Query(description="only this model's; `*`: the box's")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST)] = 200,
) -> Response:
    """Alerts that one may see, the newest change first; the open ones unless all are asked for."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.MODEL_READ)
        return answer(alerts_for(tx, me, only_open=not every, model=model, limit=limit))


@router.get("/alerts/{alert}", responses=says(AlertPage))
def alert(alert: int, house: InHouse, me: Asking) -> Response:
    """One alert with its history and what to do."""
    with house.db.read() as tx:
        return answer(one_alert(tx, me, alert))


@router.post("/alerts/{alert}/acknowledge", responses=says(AlertShown))
def acknowledge(alert: int, sent: Why, house: InHouse, me: Asking) -> Response:
    """Say that one looks after it: nobody is reminded until it becomes worse."""
    return answer(say(house, me, alert, sent.reason, over=False))


@router.post("/alerts/{alert}/resolve", responses=says(AlertShown))
def resolve(alert: int, sent: Why, house: InHouse, me: Asking) -> Response:
    """Say that it is over: while its cause stays as it is, it does not open again."""
    return answer(say(house, me, alert, sent.reason, over=True))


@router.get("/alert-sinks", responses=says(SinkShown, many=True))
def sinks(house: InHouse, me: Asking) -> Response:
    """The addresses that are told, and how they fare; never where they are."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.MODEL_READ)
        return answer(sinks_for(tx, house, me))


@router.post("/alert-sinks/{sink}/test", responses=says())
def test_sink(sink: str, house: InHouse, me: Asking) -> Response:
    """Send a message to one address now. 503 says why it was not taken."""
    with house.db.read() as tx:
        require(tx, me, Permission.ALERT_ACT, EVERY_MODEL)
    try_sink(house, me, sink)
    return answer({"sink": sink, "taken": True})
