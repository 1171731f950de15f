"""What runs on this box now."""

from __future__ import annotations

import msgspec
from fastapi import APIRouter, Response

from lockgate.access import EVERY_MODEL
from lockgate.governance.people import models_with
from lockgate.governance.permissions import Permission
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse, require_anywhere
from lockgate.web.shapes import says
from lockgate.wiring.status import BoxStatus, status_of

router = APIRouter(tags=["status"])


@router.get("/status", responses=says(BoxStatus))
def status(house: InHouse, me: Asking) -> Response:
    """Processes, gateway workers, models that the person may see, readers of the log, and what to worry about."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.MODEL_READ)
        seen = models_with(tx, me, Permission.MODEL_READ)
        found = status_of(tx, house)
    models = [model for model in found.models if EVERY_MODEL in seen or model.name in seen]
    told = {model.name: found.told[model.name] for model in models}
    return answer(msgspec.structs.replace(found, models=models, told=told))
