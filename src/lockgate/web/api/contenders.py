"""Versions that contend in shadow without a release: begun, looked at side by side, withdrawn."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from lockgate.governance.people import may, require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.release.contenders import Contender, contend, withdraw
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says
from lockgate.wiring.contending import ContenderShown, contenders_shown
from lockgate.wiring.names import resolve
from lockgate.wiring.releasing import desk_of

router = APIRouter(tags=["releases"])


class Contending(BaseModel):
    """A version that is to contend."""

    model_config = ConfigDict(extra="forbid")
    version: str
    reason: str = ""


class Withdrawn(BaseModel):
    """Why it need not contend any more."""

    model_config = ConfigDict(extra="forbid")
    reason: str = ""


@router.get("/models/{model}/contenders", responses=says(ContenderShown, many=True))
def contenders(model: str, house: InHouse, me: Asking) -> Response:
    """Who contends, each with what the shadow says of it beside live; then those of before. Inputs are for those who may read
    the log.
    """
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        get_model(tx, model)
        inputs = may(tx, me, Permission.LOG_READ, model)
    return answer(contenders_shown(house, model, inputs=inputs))


@router.post("/models/{model}/contenders", responses=says(Contender))
def begin(model: str, sent: Contending, house: InHouse, me: Asking) -> Response:
    """Let a validated version answer live's requests in shadow, beside others. Nothing else begins by itself."""
    with house.db.read() as tx:
        require(tx, me, Permission.RELEASE_START, model)
        name = resolve(tx, model, sent.version).name
    return answer(contend(desk_of(house), me, name, sent.reason))


@router.post("/models/{model}/contenders/{version}/withdraw", responses=says(Contender))
def end(model: str, version: str, sent: Withdrawn, house: InHouse, me: Asking) -> Response:
    """Take a version out of the shadow."""
    with house.db.read() as tx:
        require(tx, me, Permission.RELEASE_HOLD, model)
        name = resolve(tx, model, version).name
    return answer(withdraw(desk_of(house), me, name, sent.reason))
