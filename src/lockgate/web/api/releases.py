"""Releases: start them, look at them, and everything that people do with one that runs."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import sqlalchemy as sa
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from lockgate.access import EVERY_MODEL
from lockgate.config import ModelConfig
from lockgate.config_release import ReleaseConfig
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.governance.people import Person, may, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.release import acts, hands
from lockgate.release.desk import Desk
from lockgate.release.fit import ground_of
from lockgate.release.gate import Gate
from lockgate.release.phases import Release
from lockgate.release.promise import ReleasePlan
from lockgate.release.queue import Place, places_of, waiting
from lockgate.release.start import preview, start
from lockgate.release.store import get_release, releases_of
from lockgate.release.votes import Vote
from lockgate.traffic import Plan
from lockgate.web.answers import answer, encode
from lockgate.web.auth import Asking, InHouse, require_anywhere
from lockgate.web.events import stream
from lockgate.web.shapes import says
from lockgate.wiring.names import resolve
from lockgate.wiring.releasing import ReleaseShown, desk_of, newest_release, show_release
from lockgate.wiring.settings import hold_python, hold_release
from lockgate.wiring.verdicts import ShadowShown, shadow_of
from lockgate.yamlfile import convert

router = APIRouter(tags=["releases"])


WAITS = {**says(Place)[200], "description": "it waits until the model's running release has ended"}


class Act(StrEnum):
    """What people do with the running release of a model."""

    HOLD = "hold"
    RESUME = "resume"
    ROLLBACK = "rollback"
    PROMOTE = "promote"
    CANCEL = "cancel"
    APPROVE = "approve"
    REJECT = "reject"
    EXTEND = "extend"
    WEIGHT = "weight"


ACTS: dict[Act, Callable[[Desk, Person, str, str], Release | Vote | Gate]] = {
    Act.HOLD: acts.hold,
    Act.RESUME: acts.resume,
    Act.ROLLBACK: acts.rollback,
    Act.PROMOTE: acts.promote,
    Act.CANCEL: acts.cancel,
    Act.APPROVE: acts.approve,
    Act.REJECT: acts.reject,
}


class Acted(msgspec.Struct, frozen=True, kw_only=True):
    """How the release stands after an act. `waits_for`: who else must say the same before anything happens."""

    release: Release
    waits_for: str | None = None
    words: str = ""


class NewRelease(BaseModel):
    """A release to start. `settings`: fields that stand in for the model's own release settings."""

    model_config = ConfigDict(extra="forbid")
    version: str
    reason: str = ""
    settings: dict[str, Any] | None = None
    python: str | None = None
    supersede: bool = False


class Said(BaseModel):
    """Why."""

    model_config = ConfigDict(extra="forbid")
    reason: str = ""
    version: int | None = None  # refuse when another version's release runs
    seconds: float | None = None  # `extend`: so much longer where it is
    weight: Annotated[float, Field(ge=0, le=1)] | None = (
        None  # `weight`: the canary's share; null: as planned
    )


def act_on(
    act: Act,
    desk: Desk,
    person: Person,
    model: str,
    reason: str,
    *,
    seconds: float | None = None,
    weight: float | None = None,
) -> Release | Vote | Gate:
    """Do what people do with the running release of a model. Raises InvalidInput for more time that does not say how much."""
    if act is Act.EXTEND:
        if seconds is None:
            raise InvalidInput("more time needs to say how much", fix="name `seconds`")
        return hands.give_time(desk, person, model, reason, seconds=seconds)
    if act is Act.WEIGHT:
        return hands.weigh(desk, person, model, reason, weight=weight)
    return ACTS[act](desk, person, model, reason)


@router.get("/models/{model}/releases", responses=says(Release, many=True))
def releases(
    model: str, house: InHouse, me: Asking, limit: Annotated[int, Query(ge=1, le=1000)] = 100
) -> Response:
    """Every release of a model, the newest first."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        get_model(tx, model)
        return answer(releases_of(tx, model, limit=limit))


@router.get("/models/{model}/releases/queue", responses=says(Place, many=True))
def queue(model: str, house: InHouse, me: Asking) -> Response:
    """What waits for the model's running release to end, in its order, then what became of earlier places, the newest first."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        get_model(tx, model)
        there = waiting(tx, model)
        return answer([*there, *(place for place in places_of(tx, model) if place not in there)])


@router.post("/models/{model}/releases", responses=says(Release) | {202: WAITS})
def begin(model: str, sent: NewRelease, house: InHouse, me: Asking) -> Response:
    """Start the release of a version. From here the controller carries it; the plan says how far and how fast.

    While another release of the model runs, the answer is 202 and the version's place in the queue.
    """
    with house.db.write() as tx:
        require(tx, me, Permission.RELEASE_START, model)
        name = resolve(tx, model, sent.version).name
        own = get_model(tx, model).settings
        settings = _settings(own, sent.settings)
        hold_release(tx, model, settings, by=me, at_us=house.clock.now_us())
        hold_python(tx, sent.python, old=own.python, by=me)
    made = start(
        desk_of(house), me, name, sent.reason, settings=settings, python=sent.python, supersede=sent.supersede
    )
    return answer(made, 202 if isinstance(made, Place) else 200)


@router.get("/models/{model}/release", responses=says(ReleaseShown))
def release(
    model: str, house: InHouse, me: Asking, number: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """The running release of a model, else its last one, with evidence, verdicts and moves."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        return answer(show_release(tx, _wanted(tx, model, number), house.clock.now_us()))


@router.get("/models/{model}/release/shadow", responses=says(ShadowShown))
def shadow(
    model: str, house: InHouse, me: Asking, number: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """What the shadow says so far, in decisions; null where there is no shadow. Inputs are for those who may read the log."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = _wanted(tx, model, number)
        inputs = may(tx, me, Permission.LOG_READ, model)
    return answer(shadow_of(house, found, inputs=inputs))


@router.get("/models/{model}/release/events", responses=says(media="text/event-stream"))
async def events(model: str, house: InHouse, me: Asking, request: Request) -> Response:
    """The release as server-sent events: one at once, then one whenever something changes, until the caller leaves."""

    def look() -> bytes:
        with house.db.read() as tx:
            require(tx, me, Permission.MODEL_READ, model)
            return encode(show_release(tx, newest_release(tx, model), house.clock.now_us()))

    return await stream(request, look, name="release")


@router.post("/models/{model}/release/{act}", responses=says(Acted))
def do(model: str, act: Act, sent: Said, house: InHouse, me: Asking) -> Response:
    """Hold, resume, roll back, promote, cancel, approve, reject, extend or weight. Answers when it is in force.

    `cancel` of a version that waits in the queue takes it off. `extend` gives it `seconds` more where it is; `weight` lowers the
    canary's share of the traffic to `weight`, or, without one, brings it back to the planned one.
    """
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        before = newest_release(tx, model)
    if sent.version is not None and sent.version != before.version:
        if act is not Act.CANCEL:
            raise _other(before, sent.version)
        place = acts.leave_queue(desk_of(house), me, model, sent.version, sent.reason)
        return answer(Acted(release=before, words=f"{place.name} does not wait any more"))
    done = act_on(act, desk_of(house), me, model, sent.reason, seconds=sent.seconds, weight=sent.weight)
    with house.db.read() as tx:
        after = get_release(tx, before.id)
    waits_for = done.waits_for if isinstance(done, Vote) else None
    return answer(
        Acted(release=after, waits_for=waits_for, words=done.words if isinstance(done, Gate) else "")
    )


@router.get("/models/{model}/versions/{version}/plan", responses=says(ReleasePlan))
def plan_of(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """The plan that a release of this version would get now, and what that plan cannot see."""
    ground = ground_of(house.home.members, house.clock.now_us())
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        return answer(preview(tx, resolve(tx, model, version).name, ground=ground))


@router.get("/plan", responses=says(Plan))
def traffic_plan(house: InHouse, me: Asking) -> Response:
    """The traffic plan that the gateways obey now, of the models that the person may see."""
    with house.db.read() as tx:
        require_anywhere(tx, me, Permission.MODEL_READ)
        seen = models_with(tx, me, Permission.MODEL_READ)
    plan = house.plan.latest()
    routes = {name: route for name, route in plan.routes.items() if EVERY_MODEL in seen or name in seen}
    return answer(msgspec.structs.replace(plan, routes=routes))


def _settings(own: ModelConfig, sent: dict[str, Any] | None) -> ReleaseConfig | None:
    if not sent:
        return None
    return convert({**msgspec.to_builtins(own.release), **sent}, ReleaseConfig, "settings")


def _other(running: Release, wanted: int) -> Conflict:
    return Conflict(
        f"the release that runs is that of {running.model}/{running.version}, not of {running.model}/{wanted}",
        fix=f"lockgate release status {running.model}",
    )


def _wanted(tx: sa.Connection, model: str, number: int | None) -> Release:
    if number is None:
        return newest_release(tx, model)
    found = get_release(tx, number)
    if found.model != model:  # somebody who may see this model asks about another one
        raise NotFound(f"release {number} is none of '{model}'", fix=f"lockgate release status {model}")
    return found
