"""Versions that contend in shadow: side by side, each with what the shadow says of it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.responses import Response

from lockgate.errors import LockgateError, NotFound, http_status
from lockgate.governance.people import may, require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.release.contenders import contenders_of, contending, get_contender, withdraw
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, fragment, go, page
from lockgate.wiring.contending import contender_shown
from lockgate.wiring.releasing import desk_of

router = APIRouter(route_class=PageRoute)


@router.get("/models/{model}/contenders")
def contenders(model: str, looking: Looking) -> Response:
    """Who contends now, and who did."""
    return _show(looking, model, None)


@router.get("/models/{model}/contenders/{number}")
def one(model: str, number: int, looking: Looking) -> Response:
    """One contender's verdict alone: counting its pairs takes longer than the page, so it comes after."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        if get_contender(tx, number).model != model:
            raise NotFound(
                f"contender {number} is none of '{model}'", fix=f"lockgate release contenders {model}"
            )
        inputs = may(tx, looking.person, Permission.LOG_READ, model)
    return fragment(
        "_contender.html", looking, model=model, told=contender_shown(looking.house, number, inputs=inputs)
    )


@router.post("/models/{model}/contenders/{version}/withdraw")
def end(model: str, version: int, looking: Looking, reason: Annotated[str, Form()] = "") -> Response:
    """Take it out of the shadow; a refusal is shown on the same page."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
    try:
        withdraw(desk_of(looking.house), looking.person, f"{model}/{version}", reason)
    except LockgateError as error:
        return _show(looking, model, error)
    return go(f"/models/{model}/contenders")


def _show(looking: Viewer, model: str, problem: LockgateError | None) -> Response:
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        get_model(tx, model)
        there = contending(tx, model, now_us=looking.now_us)
        known = contenders_of(tx, model)
        may_end = may(tx, looking.person, Permission.RELEASE_HOLD, model)
    numbers = {one.id for one in there}
    return page(
        looking, "contenders.html", status=http_status(problem) if problem else 200, problem=problem, model=model, there=there,
        before=[one for one in known if one.id not in numbers], may_end=may_end,
    )  # fmt: skip
