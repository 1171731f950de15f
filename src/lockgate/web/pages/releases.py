"""A release's page: how far it is, what the evidence says, what this plan cannot see, and what people can do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Form
from starlette.responses import Response

from lockgate.checks.store import findings_of
from lockgate.errors import Conflict, InvalidInput, LockgateError, http_status
from lockgate.governance.approvals import ApprovalState
from lockgate.governance.people import may, require
from lockgate.governance.permissions import Permission
from lockgate.release.acts import leave_queue
from lockgate.release.moves import promoted_to
from lockgate.release.phases import BEFORE_TRAFFIC, ENDS, MOVES, TIMED, Phase, Release
from lockgate.release.store import get_release, releases_of
from lockgate.web.api.releases import Act, act_on
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, fragment, go, page
from lockgate.web.pages.steps import steps_of
from lockgate.wiring.releasing import ReleaseShown, desk_of, newest_release, show_release
from lockgate.wiring.verdicts import shadow_of

ALARMS = frozenset({"suspicious", "held", "broken", "worse"})  # the worst verdict comes first
router = APIRouter(route_class=PageRoute)
FIRST_OUT = "This is the first version: there is none to go back to. The model goes out of service, at once."


class Part(StrEnum):
    """What is kept fresh apart from the rest."""

    ACTS = "acts"
    JOURNEY = "journey"
    EVIDENCE = "evidence"


@dataclass(frozen=True)
class Button:
    """Something that a person can do with a release now."""

    act: Act
    title: str
    says: str  # what will happen, before it does
    strong: bool = False
    most: float | None = None  # of the weight: the planned one, 0..1


_BUTTONS: tuple[tuple[Act, Permission, str, str], ...] = (
    (Act.APPROVE, Permission.RELEASE_APPROVE, "Approve", "You say yes to exactly this package, data, findings and policy."),
    (Act.REJECT, Permission.RELEASE_APPROVE, "Reject", "The release ends here. Nothing else changes."),
    (Act.RESUME, Permission.RELEASE_RESUME, "Resume", "Goes on where it was held. After a guard's alarm two people must say so."),
    (Act.HOLD, Permission.RELEASE_HOLD, "Hold", "The share of callers stays as it is until a person resumes. Guards stay armed."),
    (Act.EXTEND, Permission.RELEASE_RESUME, "Give it time", "It stays where it is so much longer. A held one goes on with it."),
    (Act.WEIGHT, Permission.RELEASE_HOLD, "Change weight", "A smaller share of callers, at once, or the planned one again."),
    (Act.PROMOTE, Permission.RELEASE_PROMOTE, "Promote early", "Takes the next step early; two people must say so."),
    (Act.ROLLBACK, Permission.RELEASE_ROLLBACK, "Roll back", "The previous version answers every request again, at once."),
    (Act.CANCEL, Permission.RELEASE_HOLD, "Cancel", "Takes the release back before it has any traffic."),
)  # fmt: skip


def possible(release: Release, *, asked: bool, newest: bool) -> set[Act]:
    """What the table of moves lets people do with a release as it stands. `asked`: an approval waits. Pure."""
    moves, before = MOVES[release.phase], release.at in BEFORE_TRAFFIC
    over = release.phase in ENDS
    acts = {
        Act.HOLD: Phase.HELD in moves,
        Act.RESUME: release.phase is Phase.HELD,
        Act.CANCEL: before and Phase.CANCELLED in moves,
        Act.ROLLBACK: not before
        and Phase.ROLLED_BACK in moves
        and (not over or (newest and release.previous)),
        Act.EXTEND: release.at in TIMED and not over and not release.advisory,
        Act.WEIGHT: release.at is Phase.CANARY and not over,
        Act.PROMOTE: promoted_to(release) is not None,
        Act.APPROVE: asked and not over,
        Act.REJECT: asked and not over,
    }
    return {act for act, can_be in acts.items() if can_be}


@router.get("/models/{model}/release")
def release(model: str, looking: Looking, number: int | None = None, done: Act | None = None) -> Response:
    """The running release of a model, else its last one; or one by number."""
    return _show(looking, model, number, None, done)


@router.get("/models/{model}/release/fresh")
def fresh(model: str, looking: Looking, number: int, part: Part = Part.EVIDENCE) -> Response:
    """One part of the page, for the script that keeps it fresh while the evidence grows."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        context = _context(tx, looking, _find(tx, looking, model, number))
    return fragment(f"_{part}.html", looking, **context)


@router.get("/models/{model}/release/shadow")
def shadow(model: str, looking: Looking, number: int) -> Response:
    """The shadow verdict alone: counting its pairs takes longer than the rest of the page, so it comes after."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        found = _find(tx, looking, model, number).release
        inputs = may(tx, looking.person, Permission.LOG_READ, model)
        scoring = show_release(tx, found, looking.now_us).shadow_words
    early = found.phase in (Phase.DRAFT, Phase.WARMING)
    told = None if early else shadow_of(looking.house, found, inputs=inputs)
    return fragment("_shadow.html", looking, shadow=told, scoring=scoring)


@router.post("/models/{model}/release/{act}")
def do(
    model: str,
    act: Act,
    looking: Looking,
    *,
    version: Annotated[int, Form()],
    reason: Annotated[str, Form()] = "",
    set_to: Annotated[str, Form()] = "",
) -> Response:
    """Everything that people do with a release; a refusal is shown on the same page.

    `set_to`: how many seconds longer, or the weight in percent (empty: as planned).
    """
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        before = newest_release(tx, model)
    try:
        if act is Act.CANCEL and before.version != version:
            leave_queue(desk_of(looking.house), looking.person, model, version, reason)
        elif before.version != version:
            raise Conflict(
                f"another release runs by now, that of {before.model}/{before.version}",
                fix="look at it first",
            )
        else:
            number = _number(set_to)
            seconds, weight = (
                (number, None) if act is Act.EXTEND else (None, None if number is None else number / 100)
            )
            act_on(act, desk_of(looking.house), looking.person, model, reason, seconds=seconds, weight=weight)
    except LockgateError as error:
        return _show(looking, model, None, error, None)
    return go(f"/models/{model}/release?number={before.id}&done={act}")


def _show(
    looking: Viewer, model: str, number: int | None, problem: LockgateError | None, done: Act | None
) -> Response:
    with looking.house.db.read() as tx:
        require(tx, looking.person, Permission.MODEL_READ, model)
        shown = _find(tx, looking, model, number)
        context = _context(tx, looking, shown)
    return page(
        looking,
        "release.html",
        status=http_status(problem) if problem else 200,
        problem=problem,
        done=next((title for act, _, title, _ in _BUTTONS if act is done), None),
        **context,
    )


def _find(tx: sa.Connection, looking: Viewer, model: str, number: int | None) -> ReleaseShown:
    found = newest_release(tx, model) if number is None else get_release(tx, number)
    if found.model != model:
        found = newest_release(tx, model)
    return show_release(tx, found, looking.now_us)


def _context(tx: sa.Connection, looking: Viewer, shown: ReleaseShown) -> dict[str, object]:
    """What the page and its parts are drawn from."""
    return {
        "shown": shown,
        "release": shown.release,
        "buttons": _buttons(tx, looking, shown),
        "may_cancel": may(tx, looking.person, Permission.RELEASE_HOLD, shown.release.model),
        "validation": findings_of(tx, shown.release.digest, shown.release.model),
        "steps": steps_of(shown.release, shown.moves),
        "alarm": next((verdict for verdict in shown.verdicts if verdict.label in ALARMS), None),
        "bars": [(verdict, filled(verdict.log_e, verdict.threshold)) for verdict in shown.verdicts],
        "stages": [msgspec.structs.asdict(stage) for _, stage in sorted(shown.counts.stages.items())],
    }


def _buttons(tx: sa.Connection, looking: Viewer, shown: ReleaseShown) -> list[Button]:
    """What this person can do with this release now."""
    found = shown.release
    asked = shown.approval is not None and shown.approval.state(looking.now_us) is ApprovalState.WAITING
    newest = releases_of(tx, found.model, limit=1)[0].id == found.id
    acts = possible(found, asked=asked, newest=newest)
    return [
        Button(
            act,
            title,
            told(act, found, says),
            act in (Act.APPROVE, Act.RESUME),
            most=found.planned if act is Act.WEIGHT else None,
        )
        for act, needed, title, says in _BUTTONS
        if act in acts and may(tx, looking.person, needed, found.model)
    ]


def _number(text: str) -> float | None:
    """What a form says in numbers; None for nothing. Raises InvalidInput."""
    if not text.strip():
        return None
    try:
        return float(text.strip().removesuffix("%"))
    except ValueError as error:
        raise InvalidInput("this is no number", got=text, allowed="2 or 2 %") from error


def told(act: Act, release: Release, says: str) -> str:
    """What a button's act will do with this very release. Pure."""
    return FIRST_OUT if act is Act.ROLLBACK and release.previous is None else says


def filled(log_e: float, threshold: float | None) -> float | None:
    """How far a guard's evidence is on its way to firing, 0..1; None for an absolute rule.

    >>> filled(2.0, 4.0), filled(-3.0, 4.0), filled(9.0, 4.0), filled(1.0, None)
    (0.5, 0.0, 1.0, None)
    """
    return None if not threshold else min(max(log_e / threshold, 0.0), 1.0)
