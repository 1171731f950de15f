"""Work that takes a while: submit, validate, score. Each answers a job to follow at once."""

from __future__ import annotations

import uuid
from typing import Annotated

from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel, ConfigDict

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job, Progress
from lockgate.web.shapes import says
from lockgate.web.uploads import keep, start_job
from lockgate.wiring.backtesting import Stretch, back_test
from lockgate.wiring.moments import moment
from lockgate.wiring.names import resolve
from lockgate.wiring.scoring import Order, score_file
from lockgate.wiring.submitting import may_submit, read_metadata, submit_upload
from lockgate.wiring.validating import validate_version

router = APIRouter(tags=["work"])
Table = Annotated[UploadFile | None, File(description="parquet, csv or jsonl")]


class Wanted(BaseModel):
    """Which suite to run (that of the model's tier when none is named), and where (`local`, `ray://HOST:10001`)."""

    model_config = ConfigDict(extra="forbid")
    suite: str | None = None
    compute: str | None = None


@router.post("/models/{model}/versions", responses=says(Job))
def submit(
    model: str,
    house: InHouse,
    me: Asking,
    jobs: AllJobs,
    *,
    metadata: Annotated[
        str, Form(description="JSON: settings, entry, uri, commit, parameters, metrics, notes, tags")
    ],
    requirements: Annotated[str | None, Form(description="text of a file with exact pins")] = None,
    file: Annotated[
        UploadFile | None, File(alias="model", description="a model file, or a zip of a folder")
    ] = None,
    code: Annotated[list[UploadFile] | None, File(description="Python files, or zips of them")] = None,
    train: Table = None,
    validation: Table = None,
    test: Table = None,
) -> Response:
    """Submit a model: scan, compile, prove, seal. The job's result is `{"version", "new", "remarks"}`."""
    asked = read_metadata(metadata)
    may_submit(house, me, model)
    given = {"model": [file], "train": [train], "validation": [validation], "test": [test]}
    uploads = {name: [each for each in files if each is not None] for name, files in given.items()}
    folder, kept = keep(jobs, {**uploads, "code": code or []})
    return answer(
        start_job(
            jobs, folder,
            lambda tell: submit_upload(house, me, model, asked, files=kept, requirements=requirements, tell=tell),
            kind="submit", subject=model, person=me.id,
        )
    )  # fmt: skip


@router.post("/models/{model}/versions/{version}/validate", responses=says(Job))
def validate(
    model: str, version: str, sent: Wanted, house: InHouse, me: Asking, *, jobs: AllJobs
) -> Response:
    """Run a suite of checks. The job's result is the recorded validation."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_VALIDATE, model)
        found = resolve(tx, model, version)

    def work(tell: Progress) -> object:
        return validate_version(house, me, found, sent.suite, tell, compute=sent.compute)

    return answer(jobs.start("validate", found.name, me.id, work))


@router.post("/models/{model}/versions/{version}/backtest", responses=says(Job))
def backtest(
    model: str,
    version: str,
    house: InHouse,
    me: Asking,
    *,
    jobs: AllJobs,
    since: Annotated[str | None, Form(description="30d, a date: rows from then on")] = None,
    until: Annotated[str | None, Form(description="7d, a date: rows before then")] = None,
    compute: Annotated[str | None, Form(description="local, ray://HOST:10001")] = None,
    file: Annotated[UploadFile | None, File(description="a table with labels, instead of the log")] = None,
) -> Response:
    """Hold a version against the recorded past, or a table of it. The job's result is findings; nothing is recorded."""
    with house.db.read() as tx:
        require(tx, me, Permission.MODEL_VALIDATE, model)
        found = resolve(tx, model, version)
    now_us = house.clock.now_us()
    first, last = (None if each is None else moment(each, now_us) for each in (since, until))
    folder, kept = keep(jobs, {"file": [file] if file else []})
    stretch = Stretch(first, last, next(iter(kept.get("file", [])), None))
    return answer(
        start_job(
            jobs, folder, lambda tell: back_test(house, me, found, stretch, tell, compute=compute),
            kind="backtest", subject=found.name, person=me.id,
        )
    )  # fmt: skip


@router.post("/models/{model}/versions/{version}/score", responses=says(Job))
def score(
    model: str,
    version: str,
    house: InHouse,
    me: Asking,
    *,
    jobs: AllJobs,
    file: Annotated[UploadFile, File()],
    key: Annotated[str | None, Form(description="column of business keys, if not the model's own")] = None,
) -> Response:
    """Score a table. The job's result is counts; its file the table with the answers, as Parquet."""
    with house.db.read() as tx:
        require(tx, me, Permission.PREDICTION_CALL, model)
        found = resolve(tx, model, version)
    folder, kept = keep(jobs, {"file": [file]})
    order = Order(kept["file"][0], jobs.place("scored.parquet"), uuid.uuid4().hex, key)
    return answer(
        start_job(
            jobs, folder, lambda tell: score_file(house, me, found, order, tell=tell),
            kind="score", subject=found.name, person=me.id, file=order.target,
        )
    )  # fmt: skip
