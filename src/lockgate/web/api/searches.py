"""Searches for better parameters: begun, going on, stopped, looked at, and their best trials made versions."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, File, Form, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict

from lockgate.access import EVERY_MODEL
from lockgate.config_tuning import TuneConfig
from lockgate.errors import InvalidInput
from lockgate.governance.people import models_with, require
from lockgate.governance.permissions import Permission
from lockgate.pipelines.sources import MOST_BYTES, unzipped_sources
from lockgate.tuning.report import html_report
from lockgate.tuning.store import get_search, newest_search, searches_of
from lockgate.tuning.trial import SearchRow
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job, Progress
from lockgate.web.shapes import says
from lockgate.wiring import tune
from lockgate.wiring.codestore import store_code
from lockgate.wiring.submitting import may_submit
from lockgate.wiring.training import TrainOrder
from lockgate.wiring.tune_use import use

router = APIRouter(tags=["searches"])


class Further(BaseModel):
    """What changes when a search goes on; what is left out stays as it was."""

    model_config = ConfigDict(extra="forbid")
    trials: Annotated[int | None, Query(ge=1)] = None
    time: str | None = None
    cost: float | None = None
    price_per_hour: float | None = None
    workers: Annotated[int | None, Query(ge=1)] = None
    compute: str | None = None


class Wanted(BaseModel):
    """Which trial becomes a version: the best when none is named. `shadow`: so many of the best go to shadow together."""

    model_config = ConfigDict(extra="forbid")
    trial: int | None = None
    shadow: Annotated[int, Query(ge=0, le=10)] = 0


@router.post("/models/{model}/searches", responses=says(Job))
def new_search(
    model: str,
    house: InHouse,
    me: Asking,
    jobs: AllJobs,
    *,
    order: Annotated[str, Form(description="JSON: training (an order of a training), tune, compute")],
    code: Annotated[UploadFile, File(description="a zip of the files that the pipeline is made of")],
) -> Response:
    """Search a pipeline's parameters. The job's result is the search."""
    may_submit(house, me, model)
    digest = store_code(house, unzipped_sources(code.file.read(MOST_BYTES + 1)))
    asked = _asked(order, model, digest)
    return answer(
        jobs.start("tune", model, me.id, lambda tell: tune.start(house, me, asked, tell), apart=True)
    )


@router.get("/searches", responses=says(SearchRow, many=True))
def list_searches(
    house: InHouse,
    me: Asking,
    model: Annotated[str | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 50,
) -> Response:
    """Searches, the newest first, of the models that the person may see."""
    tune.end_lost(house, model)
    with house.db.read() as tx:
        if model is not None:
            require(tx, me, Permission.MODEL_READ, model)
        seen = models_with(tx, me, Permission.MODEL_READ)
        found = searches_of(tx, model, among=None if EVERY_MODEL in seen else seen, limit=limit)
    return answer(found)


@router.get("/models/{model}/searches/newest", responses=says(SearchRow))
def newest(model: str, house: InHouse, me: Asking) -> Response:
    """The newest search of a model."""
    tune.end_lost(house, model)
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_READ, model)
        return answer(newest_search(tx, model))


@router.get("/searches/{search}", responses=says(tune.SearchShown))
def one_search(search: int, house: InHouse, me: Asking) -> Response:
    """A search with its trials."""
    return answer(tune.shown(house, me, search))


@router.get("/searches/{search}/report", responses=says())
def report(search: int, house: InHouse, me: Asking) -> Response:
    """The search as an HTML page: history, importances, parallel coordinates, trials."""
    found = tune.shown(house, me, search)
    kept = {
        "content-disposition": f"attachment; filename=search-{search}.html"
    }  # the console allows no styles of a page's own
    return Response(html_report(found.search, found.trials), media_type="text/html", headers=kept)


@router.post("/searches/{search}/resume", responses=says(Job))
def resume(search: int, sent: Further, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """Let a search go on. The job's result is the search."""
    with house.db.read() as tx:
        row = get_search(tx, search)
    may_submit(house, me, row.model)
    more = msgspec.convert(sent.model_dump(), tune.More)

    def work(tell: Progress) -> Any:
        return tune.resume(house, me, search, more, tell)

    return answer(jobs.start("tune", row.model, me.id, work, apart=True))


@router.post("/searches/{search}/stop", responses=says(SearchRow))
def stop(search: int, house: InHouse, me: Asking) -> Response:
    """Ask a running search to stop."""
    return answer(tune.stop(house, me, search))


@router.post("/searches/{search}/use", responses=says(Job))
def use_trial(search: int, sent: Wanted, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """Train with a trial's parameters on all training data, and submit. The job's result says what became of each."""
    with house.db.read() as tx:
        row = get_search(tx, search)
    may_submit(house, me, row.model)

    def work(tell: Progress) -> Any:
        return use(house, me, search, tell, trial=sent.trial, shadow=sent.shadow)

    return answer(jobs.start("train", row.model, me.id, work))


def _asked(order: str, model: str, digest: str) -> tune.Asked:
    try:
        said = msgspec.json.decode(order)
        training = msgspec.convert(
            {**said["training"], "model": model, "code": digest, "submit": False}, TrainOrder
        )
        wanted = msgspec.convert(said.get("tune"), TuneConfig | None)
        compute = msgspec.convert(said.get("compute"), str | None)
    except (msgspec.MsgspecError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput("the order of the search cannot be read", got=error,
                           allowed="training, tune, compute") from error  # fmt: skip
    return tune.Asked(training=training, tune=wanted, compute=compute)
