"""Alerts: what is open, what was, what each means and what to do; and the words that people say to them."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Form
from starlette.responses import Response

from lockgate.access import EVERY_MODEL
from lockgate.alerts.rules import RULES
from lockgate.alerts.runbooks import RUNBOOKS
from lockgate.config_alerts import AlertKind
from lockgate.errors import LockgateError, http_status
from lockgate.governance.people import may
from lockgate.governance.permissions import Permission
from lockgate.web.auth import require_anywhere
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, fragment, go, page
from lockgate.wiring.alerts_shown import alerts_for, count_for, one_alert, say, sinks_for

PAST = 50
router = APIRouter(route_class=PageRoute)


class Word(StrEnum):
    """What people say to an alert."""

    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


@router.get("/alerts")
def alerts(looking: Looking) -> Response:
    """What is open, what was, and who is told."""
    return page(looking, "alerts.html", **_context(looking))


@router.get("/alerts/fresh")
def fresh(looking: Looking) -> Response:
    """The lists alone, for the script that keeps them fresh."""
    return fragment("_alerts.html", looking, **_context(looking))


@router.get("/alerts/count")
def count(looking: Looking) -> Response:
    """How many are open, for the head of every page."""
    with looking.house.db.read() as tx:
        return fragment("_count.html", looking, alerts=count_for(tx, looking.person))


@router.get("/alerts/runbooks/{kind}")
def runbook(kind: AlertKind, looking: Looking) -> Response:
    """What one kind of alert means, and what to do."""
    return page(looking, "runbook.html", kind=kind, rule=RULES[kind], runbook=RUNBOOKS[kind])


@router.get("/alerts/{number}")
def one(number: int, looking: Looking, done: str = "") -> Response:
    """One alert."""
    return _show(looking, number, done=done)


@router.post("/alerts/{number}/{word}")
def do(number: int, word: Word, looking: Looking, reason: Annotated[str, Form()] = "") -> Response:
    """Acknowledge or resolve; a refusal is shown on the same page."""
    try:
        say(looking.house, looking.person, number, reason, over=word is Word.RESOLVE)
    except LockgateError as error:
        return _show(looking, number, problem=error)
    return go(f"/alerts/{number}?done={'Resolved' if word is Word.RESOLVE else 'Acknowledged'}")


def _show(looking: Viewer, number: int, *, done: str = "", problem: LockgateError | None = None) -> Response:
    with looking.house.db.read() as tx:
        found = one_alert(tx, looking.person, number)
        return page(
            looking,
            "alert.html",
            status=http_status(problem) if problem else 200,
            found=found,
            alert=found.alert,
            acts=may(tx, looking.person, Permission.ALERT_ACT, found.alert.model),
            done=done if done in ("Resolved", "Acknowledged") else "",
            problem=problem,
        )


def _context(looking: Viewer) -> dict[str, Any]:
    with looking.house.db.read() as tx:
        require_anywhere(tx, looking.person, Permission.MODEL_READ)
        every = alerts_for(tx, looking.person, only_open=False)
        return {
            "open": alerts_for(tx, looking.person),
            "past": [alert for alert in every if alert.resolved_us is not None][:PAST],
            "sinks": sinks_for(tx, looking.house, looking.person),
            "box": EVERY_MODEL,
        }
