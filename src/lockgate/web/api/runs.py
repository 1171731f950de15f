"""Training: pipelines that run here, their runs on record, and versions built again."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, File, Form, Query, Response, UploadFile

from lockgate.access import EVERY_MODEL
from lockgate.errors import InvalidInput
from lockgate.governance.people import models_with, require
from lockgate.governance.permissions import Permission
from lockgate.pipelines.place import cache_of, words_of
from lockgate.pipelines.run import Run
from lockgate.pipelines.sources import MOST_BYTES, unzipped_sources
from lockgate.pipelines.store import get_run, runs_of
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job, Progress
from lockgate.web.shapes import says
from lockgate.wiring.codestore import store_code
from lockgate.wiring.lineage import VersionLineage, version_lineage
from lockgate.wiring.names import resolve
from lockgate.wiring.reproducing import reproduce
from lockgate.wiring.submitting import may_submit
from lockgate.wiring.training import TrainOrder, end_lost, train

router = APIRouter(tags=["runs"])


@router.post("/models/{model}/runs", responses=says(Job))
def new_run(
    model: str,
    house: InHouse,
    me: Asking,
    jobs: AllJobs,
    *,
    order: Annotated[
        str, Form(description="JSON: pipeline, code_commit, data, parameters, seed, settings, requirements")
    ],
    code: Annotated[UploadFile, File(description="a zip of the files that the pipeline is made of")],
) -> Response:
    """Run a pipeline, confined, and submit what it made. The job's result is `{"run", "version", "new", "remarks"}`."""
    may_submit(house, me, model)
    body = code.file.read(MOST_BYTES + 1)
    digest = store_code(house, unzipped_sources(body))
    try:
        asked = msgspec.convert({**msgspec.json.decode(order), "model": model, "code": digest}, TrainOrder)
    except (msgspec.MsgspecError, TypeError) as error:
        raise InvalidInput("the order of the training cannot be read", got=error,
                           allowed=", ".join(TrainOrder.__struct_fields__)) from error  # fmt: skip
    return answer(jobs.start("train", model, me.id, lambda tell: train(house, me, asked, tell)))


@router.get("/runs", responses=says(Run, many=True))
def list_runs(
    house: InHouse,
    me: Asking,
    model: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Runs, the newest first, of the models that the person may see."""
    end_lost(house, model)
    with house.db.read() as tx:
        if model is not None:
            require(tx, me, Permission.MODEL_READ, model)
        seen = models_with(tx, me, Permission.MODEL_READ)
        found = runs_of(tx, model, among=None if EVERY_MODEL in seen else seen, limit=limit)
    return answer(found)


@router.get("/runs/{run}", responses=says(Run))
def one_run(run: int, house: InHouse, me: Asking) -> Response:
    """A run: what it was made of, its steps, how it ended."""
    end_lost(house)
    return answer(_run(run, house, me))


@router.get("/runs/{run}/words", responses=says())
def run_words(run: int, house: InHouse, me: Asking) -> Response:
    """The last of what a run's steps printed."""
    found = _run(run, house, me)
    return answer({"run": found.id, "words": words_of(house.home, found.model, found.id)})


@router.delete("/models/{model}/steps", responses=says())
def clean_steps(
    model: str,
    house: InHouse,
    me: Asking,
    days: Annotated[float, Query(ge=0, description="not wanted for that long")] = 30.0,
) -> Response:
    """Let go of kept results of steps."""
    may_submit(house, me, model)
    return answer({"removed": cache_of(house.home, model).clean(days)})


@router.post("/models/{model}/versions/{version}/reproduce", responses=says(Job))
def new_reproduction(
    model: str,
    version: str,
    house: InHouse,
    me: Asking,
    jobs: AllJobs,
    *,
    here: Annotated[bool, Query()] = False,
) -> Response:
    """Build a version again and compare it. `here`: in the environment there is, when it fits. The result says what differs."""
    may_submit(house, me, model)
    with house.db.read() as tx:
        found = resolve(tx, model, version)

    def work(tell: Progress) -> Any:
        return reproduce(house, me, found, tell, clean=not here)

    return answer(jobs.start("reproduce", found.name, me.id, work))


@router.get("/models/{model}/versions/{version}/lineage", responses=says(VersionLineage))
def lineage(model: str, version: str, house: InHouse, me: Asking) -> Response:
    """What a version was made from: run, data versions, commit."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        found = resolve(tx, model, version)
    return answer(version_lineage(house, found))


def _run(number: int, house: InHouse, me: Asking) -> Run:
    with house.db.read() as tx:
        found = get_run(tx, number)
        require(tx, me, Permission.MODEL_READ, found.model)
    return found
