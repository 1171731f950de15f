"""Erasing people from the prediction log."""

from __future__ import annotations

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job
from lockgate.web.shapes import says
from lockgate.wiring.erasing import Erased, erase_person, erasures

router = APIRouter(tags=["log"])


class Person(BaseModel):
    """Whom to erase, by business key, and why; the reason is kept for ever and must not say who."""

    model_config = ConfigDict(extra="forbid")
    key: str
    reason: str


@router.post("/models/{model}/log/erase", responses=says(Job))
def erase(model: str, sent: Person, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """Erase a person for ever. The job's result says what was erased, and where the person still is."""
    with house.db.read() as tx:
        require(tx, me, Permission.LOG_ERASE, model)
        get_model(tx, model)
    return answer(
        jobs.start(
            "erase",
            model,
            me.id,
            lambda tell: erase_person(house, me, model, sent.key, reason=sent.reason, tell=tell),
        )
    )


@router.get("/models/{model}/log/erasures", responses=says(Erased, many=True))
def list_erasures(model: str, house: InHouse, me: Asking) -> Response:
    """Every erasure, newest first, by hash of the person, with what could not be erased."""
    with house.db.read() as tx:
        require(tx, me, Permission.AUDIT_READ, model)
        get_model(tx, model)
        found = erasures(tx, model)
    return answer(found)
