"""What was found about a version: the plan of a suite, findings, reports in every form, waivers, what people add."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, File, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict

from lockgate.checks.finding import Finding, Measure, Status, Threshold
from lockgate.checks.store import Validation, findings_of
from lockgate.checks.suite import Planned
from lockgate.errors import InvalidInput, NotFound
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import Version
from lockgate.reports.forms import Form, report_in
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job
from lockgate.web.shapes import says
from lockgate.wiring.against import compare_outside, require_outside
from lockgate.wiring.names import resolve
from lockgate.wiring.own_findings import require_independent, run_own_check, write_finding
from lockgate.wiring.validating import plan_version, waive_check

router = APIRouter(tags=["findings"])
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
PATH = "/models/{model}/versions/{version}"
MOST_SOURCE = 1 << 20


class NewWaiver(BaseModel):
    """A blocking check to let pass, why, who sees to it, and until when (microseconds; default: 90 days)."""

    model_config = ConfigDict(extra="forbid")
    check: str
    reason: str
    owner: str | None = None
    until_us: int | None = None


class Judged(StrEnum):
    """How a written finding stands."""

    FAIL = "fail"
    WARN = "warn"
    PASS = "pass"  # noqa: S105


class NewFinding(BaseModel):
    """A finding that a person writes: `check` names the question; a failure blocks unless `blocking` is false."""

    model_config = ConfigDict(extra="forbid")
    check: str
    status: Judged
    headline: str
    subject: str = ""
    advice: str = ""
    blocking: bool | None = None
    measure: str | None = None
    value: float | None = None
    at_least: float | None = None
    at_most: float | None = None


class Outside(BaseModel):
    """A service to compare with: its address, and the key that it wants, which is kept nowhere."""

    model_config = ConfigDict(extra="forbid")
    url: str
    key: str | None = None


@router.get(f"{PATH}/checks", responses=says(Planned, many=True))
def planned(model: str, version: str, house: InHouse, me: Asking, suite: str | None = None) -> Response:
    """What validating would run, what it could not, and which file, column or setting would make it possible."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = resolve(tx, model, version)
    return answer(plan_version(house, me, found, suite))


@router.get(f"{PATH}/findings", responses=says(Validation))
def findings(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """The newest validation of a version, worst finding first."""
    return answer(_validation(model, version, house, me)[1])


@router.get(f"{PATH}/report", responses=says(media="text/html"))
def report(
    model: str,
    version: str,
    house: InHouse,
    me: Asking,
    form: Annotated[Form, Query(description="html, markdown, junit, sarif or json")] = Form.HTML,
) -> Response:
    """The newest validation as one file: a page with plots that needs nothing else, or a form for build servers."""
    found, validation = _validation(model, version, house, me)
    made = report_in(form, validation, name=found.name, now_us=house.clock.now_us())
    return Response(made.body, media_type=made.media, headers={"content-security-policy": REPORT_POLICY})


@router.post(f"{PATH}/waivers", responses=says(Validation))
def new_waiver(model: str, version: str, sent: NewWaiver, house: InHouse, me: Asking) -> Response:
    """Let a blocking check pass, with a reason and an end, if the policy allows it and one is not the version's author."""
    now_us = house.clock.now_us()
    with house.db.write() as tx:
        found = resolve(tx, model, version)
        made = waive_check(
            tx, me, found, sent.check, sent.reason, at_us=now_us, owner=sent.owner, until_us=sent.until_us
        )
        return answer(made)


@router.post(f"{PATH}/findings", responses=says(Validation))
def new_finding(model: str, version: str, sent: NewFinding, house: InHouse, me: Asking) -> Response:
    """Write a finding about a validated version; where its tier asks people, its author may not."""
    with house.db.write() as tx:
        found = resolve(tx, model, version)
        return answer(write_finding(tx, me, found, _finding(sent), at_us=house.clock.now_us()))


@router.post(f"{PATH}/checks", responses=says(Job))
def own_check(
    model: str,
    version: str,
    house: InHouse,
    me: Asking,
    *,
    jobs: AllJobs,
    file: Annotated[UploadFile, File(description="NAME.py with check(evidence)")],
) -> Response:
    """Run a validator's own check, confined. The job's result is the validation with what it found."""
    name = (file.filename or "").rsplit("/", 1)[-1].removesuffix(".py")
    source = file.file.read(MOST_SOURCE + 1)
    with house.db.read() as tx:
        found = resolve(tx, model, version)
        require_independent(tx, me, found, "check")
    return answer(
        jobs.start(
            "check", found.name, me.id, lambda tell: run_own_check(house, me, found, name, source, tell=tell)
        )
    )


@router.post(f"{PATH}/against", responses=says(Job))
def against(
    model: str, version: str, sent: Outside, house: InHouse, me: Asking, *, jobs: AllJobs
) -> Response:
    """Compare with an outside service, cell by cell. The job's result is the validation with what was found."""
    with house.db.read() as tx:
        found = resolve(tx, model, version)
    require_outside(house, me, found, sent.url)
    return answer(
        jobs.start(
            "against", found.name, me.id,
            lambda tell: compare_outside(house, me, found, sent.url, sent.key, tell=tell),
        )
    )  # fmt: skip


def _validation(model: str, version: str, house: InHouse, me: Asking) -> tuple[Version, Validation]:
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = resolve(tx, model, version)
        validation = findings_of(tx, found.digest, model)
    if validation is None:
        raise NotFound(f"{found.name} was not validated yet", fix=f"lockgate validate {found.name}")
    return found, validation


def _finding(sent: NewFinding) -> Finding:
    if (sent.measure is None) != (sent.value is None):
        raise InvalidInput("a figure has a name and a value", fix="send measure and value, or neither")
    status = Status(sent.status.value)
    bounds = (sent.at_least, sent.at_most) != (None, None)
    return Finding(
        check=sent.check, subject=sent.subject or sent.check, status=status, headline=sent.headline, advice=sent.advice,
        blocking=status is Status.FAIL if sent.blocking is None else sent.blocking,
        measure=Measure(name=sent.measure, value=sent.value) if sent.measure else None,
        threshold=Threshold(at_least=sent.at_least, at_most=sent.at_most, source="the validator") if bounds else None,
    )  # fmt: skip
