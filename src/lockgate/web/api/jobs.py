"""How far long work is."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from starlette.responses import FileResponse

from lockgate.governance.people import may
from lockgate.governance.permissions import Permission
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job, Jobs
from lockgate.web.shapes import says

router = APIRouter(tags=["jobs"])


def jobs_of(request: Request) -> Jobs:
    """The jobs of this console."""
    jobs: Jobs = request.app.state.jobs
    return jobs


AllJobs = Annotated[Jobs, Depends(jobs_of)]


@router.get("/jobs", responses=says(Job, many=True))
def list_jobs(house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """One's own jobs of the last hour; an admin sees everyone's."""
    with house.db.read() as tx:
        all_of_them = may(tx, me, Permission.PERSON_WRITE)
    return answer([job for job in jobs.list() if all_of_them or job.person == me.id])


@router.get("/jobs/{job}", responses=says(Job))
def one_job(job: str, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """How far a job is; its result or its error when it has ended."""
    return answer(_mine(jobs.get(job), house, me))


@router.get("/jobs/{job}/file", responses=says(media="application/octet-stream"))
def file_of_job(job: str, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """The file that a finished job has written."""
    return FileResponse(jobs.file_of(_mine(jobs.get(job), house, me)))


def _mine(job: Job, house: InHouse, me: Asking) -> Job:
    """A job of somebody else is as unknown as one that never was: ids cannot be guessed, so nobody gets here by chance."""
    if job.person != me.id:
        with house.db.read() as tx:
            if not may(tx, me, Permission.PERSON_WRITE):
                raise Jobs.unknown(job.id)
    return job
