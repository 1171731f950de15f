"""Versions: what is sealed, notes and tags, comparison."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from lockgate.checks.store import Validation, findings_of
from lockgate.governance.approvals import Approval, approvals_of
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.annotations import annotate, tag
from lockgate.registry.leadtime import LeadTime
from lockgate.registry.naming import parse_version
from lockgate.registry.store import Version, get_version
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says
from lockgate.wiring.comparing import Compared, compare_versions
from lockgate.wiring.journey import journey
from lockgate.wiring.names import resolve

router = APIRouter(tags=["versions"])


class VersionShown(msgspec.Struct, frozen=True):
    """A version with what was found and decided about it."""

    version: Version
    validation: Validation | None
    approvals: list[Approval]


class Note(BaseModel):
    """The notes of a version, replaced as a whole."""

    model_config = ConfigDict(extra="forbid")
    text: str


class VersionTags(BaseModel):
    """Tags to set; null removes one."""

    model_config = ConfigDict(extra="forbid")
    tags: dict[str, str | None]


@router.get("/models/{model}/versions/{version}", responses=says(VersionShown))
def one_version(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """A version by number, `live`, `canary` or `latest`."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = resolve(tx, model, version)
        validation = findings_of(tx, found.digest, model)
        return answer(VersionShown(found, validation, approvals_of(tx, model, found.number)))


@router.get("/compare", responses=says(Compared))
def comparison(
    house: InHouse,
    me: Asking,
    versions: Annotated[list[str], Query(alias="version", min_length=2, max_length=20)],
) -> Response:
    """Versions side by side: what checks found, what got worse first; metrics, parameters, signature, data."""
    with house.db.read() as tx:
        for name in versions:
            require(tx, me, Permission.MODEL_READ, parse_version(name).model)
        return answer(compare_versions(tx, versions))


@router.post("/models/{model}/versions/{version}/notes", responses=says(Version))
def note(model: str, version: str, sent: Note, house: InHouse, me: Asking) -> Response:
    """Replace the notes of a version."""
    with house.db.write() as tx:
        require(tx, me, Permission.MODEL_ANNOTATE, model)
        found = resolve(tx, model, version)
        annotate(tx, found.name, sent.text, actor=me.id, at_us=house.clock.now_us())
        return answer(get_version(tx, found.name))


@router.post("/models/{model}/versions/{version}/tags", responses=says())
def version_tags(model: str, version: str, sent: VersionTags, house: InHouse, me: Asking) -> Response:
    """Set or remove tags of a version."""
    with house.db.write() as tx:
        require(tx, me, Permission.MODEL_ANNOTATE, model)
        found = resolve(tx, model, version)
        return answer(tag(tx, found.name, sent.tags, actor=me.id, at_us=house.clock.now_us()))


@router.get("/models/{model}/versions/{version}/lead-time", responses=says(LeadTime))
def lead_time(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """How long each gate took, and where the version waits now and for whom."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        return answer(journey(tx, resolve(tx, model, version), house.clock.now_us()))
