"""A model's searches for better parameters: what was found, in pictures, and which trials found it."""

from __future__ import annotations

from contextlib import suppress

import sqlalchemy as sa
from fastapi import APIRouter
from markupsafe import Markup
from starlette.responses import Response

from lockgate.errors import NotFound
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.tuning.plots import pictures
from lockgate.tuning.report import about, is_running, lines_of, verdict_of
from lockgate.tuning.store import get_search, searches_of, trials_of
from lockgate.tuning.trial import SearchRow
from lockgate.web.pages.shell import Looking, PageRoute, page
from lockgate.wiring.tune import end_lost

MOST_SHOWN = 50
router = APIRouter(route_class=PageRoute)


@router.get("/models/{model}/searches")
def newest(model: str, looking: Looking) -> Response:
    """The newest search, and the way to the others."""
    return _shown(model, None, looking)


@router.get("/models/{model}/searches/{number}")
def one(model: str, number: int, looking: Looking) -> Response:
    """One search."""
    return _shown(model, number, looking)


def _shown(model: str, number: int | None, looking: Looking) -> Response:
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
    end_lost(looking.house, model)
    with looking.house.db.read() as tx:
        rows = searches_of(tx, model)
        search = _chosen(tx, model, rows, number)
        trials = trials_of(tx, search.id) if search else []
    drawn = [(title, Markup(svg)) for title, svg in pictures(trials, search.goals)] if search else []  # noqa: S704 - drawn by us
    lines = lines_of(search, trials) if search else []
    return page(
        looking, "searches.html", model=model, searches=rows, search=search, running=bool(search and is_running(search)),
        verdict=verdict_of(search, trials) if search else "", pictures=drawn, lines=lines[:MOST_SHOWN],
        more=max(0, len(lines) - MOST_SHOWN), facts=about(search, trials) if search else {},
    )  # fmt: skip


def _chosen(tx: sa.Connection, model: str, rows: list[SearchRow], number: int | None) -> SearchRow | None:
    """`rows` are the newest alone; one that is named may be older."""
    if number is None:
        return rows[0] if rows else None
    with suppress(NotFound):
        found = get_search(tx, number)
        if found.model == model:
            return found
    raise NotFound(
        f"the model has no search {number}",
        allowed=", ".join(str(row.id) for row in rows[:20]) or "none yet",
    )
