"""Training again: ask for it, see what happens next and what happened, approve beforehand."""

from __future__ import annotations

import secrets
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from lockgate.access import EVERY_MODEL
from lockgate.errors import InvalidInput
from lockgate.governance.people import models_with, require
from lockgate.governance.permissions import Permission
from lockgate.governance.standing import StandingApproval, revoke_standing
from lockgate.retraining.retraining import Retraining
from lockgate.retraining.store import get_retraining, retrainings_of
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job, Progress
from lockgate.web.shapes import says
from lockgate.wiring.retrain import ask_by_hand, carry
from lockgate.wiring.retrain_shown import RetrainShown, retrain_shown
from lockgate.wiring.retrain_terms import Allowance, allow_standing

router = APIRouter(tags=["retraining"])


class Because(BaseModel):
    """Why; on record."""

    model_config = ConfigDict(extra="forbid")
    because: str


class Terms(BaseModel):
    """What is allowed: `bounds` by figure (`gain`, `roc_auc`, `mae`), each `{at_least, at_most}`."""

    model_config = ConfigDict(extra="forbid")
    bounds: dict[str, dict[str, float]]
    days: float = 90.0
    releases: int = 6
    reason: str = ""


class Why(BaseModel):
    """Why; on record."""

    model_config = ConfigDict(extra="forbid")
    reason: str = ""


@router.post("/models/{model}/retrainings", responses=says(Job))
def ask(model: str, sent: Because, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """Train the live version's pipeline again, now. The job's result is the retraining, at its end or on its way to live."""
    asked = ask_by_hand(house, me, model, sent.because)

    def work(tell: Progress) -> Any:
        return carry(house, asked.id, f"console:{secrets.token_hex(4)}", tell)

    return answer(jobs.start("retrain", model, me.id, work))


@router.get("/models/{model}/retraining", responses=says(RetrainShown))
def shown(model: str, house: InHouse, me: Asking) -> Response:
    """What happens next, what happened, and what was approved beforehand."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
    return answer(retrain_shown(house, model))


@router.get("/retrainings", responses=says(Retraining, many=True))
def every(
    house: InHouse, me: Asking, model: Annotated[str | None, Query()] = None, limit: Annotated[int, Query(ge=1, le=1000)] = 50,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> Response:  # fmt: skip
    """Retrainings of the models that one may see, the newest first. `before`: a retraining; those that come after it."""
    with house.db.read() as tx:
        if model is not None:
            require(tx, me, Permission.MODEL_READ, model)
        seen = models_with(tx, me, Permission.MODEL_READ)
        among = None if EVERY_MODEL in seen else seen
        found = retrainings_of(tx, model, among=among, before=before, limit=limit)
    return answer(found)


@router.get("/retrainings/{number}", responses=says(Retraining))
def one(number: int, house: InHouse, me: Asking) -> Response:
    """One retraining: what for, how far, what came of it."""
    with house.db.read() as tx:
        found = get_retraining(tx, number)
        require(tx, me, Permission.MODEL_READ, found.model)
    return answer(found)


@router.post("/models/{model}/standing-approvals", responses=says(StandingApproval))
def allow(model: str, sent: Terms, house: InHouse, me: Asking) -> Response:
    """Approve beforehand what this pipeline will make of the same data sets, within bounds, for a while."""
    try:
        asked = msgspec.convert(sent.model_dump(), Allowance)
    except msgspec.ValidationError as error:
        raise InvalidInput(
            "these terms cannot be read", got=error, allowed="bounds: {gain: {at_least: 0}}"
        ) from error
    return answer(allow_standing(house, me, model, asked))


@router.post("/standing-approvals/{number}/revoke", responses=says(StandingApproval))
def revoke(number: int, sent: Why, house: InHouse, me: Asking) -> Response:
    """End a standing approval; what it approved stays approved."""
    with house.db.write() as tx:
        return answer(revoke_standing(tx, me, number, sent.reason, at_us=house.clock.now_us()))
