"""Whether this console is up; the one address that asks nobody who they are."""

from __future__ import annotations

from importlib.metadata import version

import sqlalchemy as sa
from fastapi import APIRouter, Response

from lockgate.web.answers import answer
from lockgate.web.auth import InHouse
from lockgate.web.shapes import says

router = APIRouter(tags=["health"])


@router.get("/health", responses=says())
def health(house: InHouse) -> Response:
    """Up, and the database answers."""
    with house.db.read() as tx:
        tx.execute(sa.text("SELECT 1"))
    return answer({"status": "up", "version": version("lockgate")})
