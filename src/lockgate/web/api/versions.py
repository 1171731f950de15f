"""Versions: what is sealed, what was found, notes and tags, comparison."""

from __future__ import annotations

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict

from lockgate.checks.store import Validation, findings_of
from lockgate.errors import NotFound
from lockgate.governance.approvals import Approval, approvals_of
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.annotations import annotate, tag
from lockgate.registry.compare import Comparison
from lockgate.registry.leadtime import LeadTime
from lockgate.registry.naming import parse_version
from lockgate.registry.store import Version, get_version
from lockgate.reports.html import report_page
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says
from lockgate.wiring.comparing import compare_versions
from lockgate.wiring.journey import journey
from lockgate.wiring.names import resolve
from lockgate.wiring.validating import waive_check

router = APIRouter(tags=["versions"])
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"


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


class NewWaiver(BaseModel):
    """A blocking check to let pass, and why."""

    model_config = ConfigDict(extra="forbid")
    check: str
    reason: str


@router.get("/models/{model}/versions/{version}", responses=says(VersionShown))
def one_version(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """A version by number, `live`, `canary` or `latest`."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = resolve(tx, model, version)
        validation = findings_of(tx, found.digest, model)
        return answer(VersionShown(found, validation, approvals_of(tx, model, found.number)))


@router.get("/compare", responses=says(Comparison))
def comparison(
    house: InHouse,
    me: Asking,
    versions: Annotated[list[str], Query(alias="version", min_length=2, max_length=20)],
) -> Response:
    """Versions side by side: metrics, what checks measured, parameters, signature, data."""
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


@router.get("/models/{model}/versions/{version}/findings", responses=says(Validation))
def findings(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """The newest validation of a version, worst finding first."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = resolve(tx, model, version)
        validation = findings_of(tx, found.digest, model)
    if validation is None:
        raise NotFound(f"{found.name} was not validated yet", fix=f"lockgate validate {found.name}")
    return answer(validation)


@router.get("/models/{model}/versions/{version}/report", responses=says(media="text/html"))
def report(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """The newest validation as one HTML page with plots, which needs nothing else."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = resolve(tx, model, version)
        validation = findings_of(tx, found.digest, model)
    if validation is None:
        raise NotFound(f"{found.name} was not validated yet", fix=f"lockgate validate {found.name}")
    page = report_page(validation, name=found.name)
    return Response(page, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})


@router.get("/models/{model}/versions/{version}/lead-time", responses=says(LeadTime))
def lead_time(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """How long each gate took, and where the version waits now and for whom."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        return answer(journey(tx, resolve(tx, model, version), house.clock.now_us()))


@router.post("/models/{model}/versions/{version}/waivers", responses=says(Validation))
def new_waiver(model: str, version: str, sent: NewWaiver, house: InHouse, me: Asking) -> Response:
    """Let a blocking check pass, with a reason, if the policy allows it and one is not the version's author."""
    with house.db.write() as tx:
        found = resolve(tx, model, version)
        return answer(waive_check(tx, me, found, sent.check, sent.reason, at_us=house.clock.now_us()))
