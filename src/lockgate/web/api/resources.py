"""What is used of what: hosts, processes, models."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from lockgate.resources.use import Resources
from lockgate.web.answers import answer, encode
from lockgate.web.auth import Asking, InHouse
from lockgate.web.events import stream
from lockgate.web.shapes import says
from lockgate.wiring.resources_shown import resources_for

router = APIRouter(tags=["status"])


@router.get("/resources", responses=says(Resources))
def resources(house: InHouse, me: Asking) -> Response:
    """The newest sample, at most some seconds old, with the last ten minutes of this host. 503 where nothing samples."""
    with house.db.read() as tx:
        return answer(resources_for(tx, house, me))


@router.get("/resources/events", responses=says(media="text/event-stream"))
async def resources_events(request: Request, house: InHouse, me: Asking) -> Response:
    """The same as server-sent events, whenever there is a newer sample."""

    def look() -> bytes:
        with house.db.read() as tx:
            return encode(resources_for(tx, house, me))

    return await stream(request, look, "resources")
