"""Validating from the console: start it, and watch every check while it runs."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from lockgate.governance.people import may, require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import Version
from lockgate.web.api.jobs import AllJobs
from lockgate.web.jobs import Job, Jobs
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, fragment, go
from lockgate.wiring.names import resolve
from lockgate.wiring.validating import validate_version

router = APIRouter(route_class=PageRoute)


@router.get("/models/{model}/versions/{version}/checking")
def checking(model: str, version: str, looking: Looking, jobs: AllJobs) -> Response:
    """The part of the version's page that says how far its validation is."""
    found, mine = _asked(looking, model, version, Permission.MODEL_READ)
    job = _newest(jobs, found)
    return fragment("_checking.html", looking, version=found, job=job, may_validate=mine)


@router.post("/models/{model}/versions/{version}/validate")
def start(model: str, version: str, looking: Looking, jobs: AllJobs) -> Response:
    """Run the suite of the model's tier, if it does not run already."""
    found, _ = _asked(looking, model, version, Permission.MODEL_VALIDATE)
    running = _newest(jobs, found)
    if running is None or running.ended_us is not None:
        jobs.start("validate", found.name, looking.person.id,
                   lambda tell: validate_version(looking.house, looking.person, found, None, tell))  # fmt: skip
    return go(f"/models/{model}/versions/{found.number}")


def _asked(looking: Viewer, model: str, version: str, needed: Permission) -> tuple[Version, bool]:
    """The version, and whether this person may validate it."""
    with looking.house.db.read() as tx:
        require(tx, looking.person, needed, model)
        return resolve(tx, model, version), may(tx, looking.person, Permission.MODEL_VALIDATE, model)


def _newest(jobs: Jobs, version: Version) -> Job | None:
    """The newest validation of this version that this console still knows, whoever started it."""
    return next((job for job in jobs.list() if job.kind == "validate" and job.subject == version.name), None)
