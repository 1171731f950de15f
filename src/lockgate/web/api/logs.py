"""The prediction log: asked with a condition, answered as JSON lines, Arrow or Parquet."""

from __future__ import annotations

import io
from typing import Annotated

import polars as pl
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict
from starlette.background import BackgroundTask
from starlette.responses import FileResponse

from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.predictions.check import check_archive
from lockgate.predictions.export import Format, export
from lockgate.predictions.query import PREDICTED, frame
from lockgate.predictions.record import Kind
from lockgate.predictions.stored import Asked
from lockgate.predictions.table import Archive
from lockgate.registry.store import get_model
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job
from lockgate.web.shapes import says
from lockgate.wiring.moments import moment

router = APIRouter(tags=["log"])


MEDIA = {
    Format.JSON: "application/x-ndjson",
    Format.ARROW: "application/vnd.apache.arrow.file",
    Format.PARQUET: "application/vnd.apache.parquet",
}


class Wanted(BaseModel):
    """Which rows to export. Times as `1h`, `7d` or `2026-03-01`; `where` is an SQL expression."""

    model_config = ConfigDict(extra="forbid")
    since: str | None = None
    until: str | None = None
    where: str | None = None
    version: int | None = None
    kinds: list[Kind] = list(PREDICTED)
    format: Format = Format.PARQUET


@router.post("/models/{model}/log/export", responses=says(Job))
def export_log(model: str, sent: Wanted, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """Write any number of rows into a file. The job's result is `{"rows"}`; its file what was asked for."""
    with house.db.read() as tx:
        require(tx, me, Permission.LOG_READ, model)
        get_model(tx, model)
    now_us = house.clock.now_us()
    since_us = moment(sent.since, now_us) if sent.since else None
    until_us = moment(sent.until, now_us) if sent.until else None
    asked = Asked(model, since_us, until_us, sent.version, tuple(sent.kinds))
    target = jobs.place(f"log.{sent.format}")
    return answer(
        jobs.start(
            "export", model, me.id,
            lambda tell: {"rows": export(house.home, house.blobs, asked, target, sent.format,
                                         where=sent.where, database=house.db, tell=tell)},
            file=target,
        )
    )  # fmt: skip


@router.get("/models/{model}/log", responses=says(media="application/octet-stream"))
def log(
    model: str,
    house: InHouse,
    me: Asking,
    jobs: AllJobs,
    *,
    since: Annotated[str | None, Query(description="1h, 7d, 2026-03-01")] = None,
    until: Annotated[str | None, Query()] = None,
    where: Annotated[str | None, Query(description="an SQL expression: status >= 400")] = None,
    version: Annotated[int | None, Query(ge=1)] = None,
    kind: Annotated[list[Kind] | None, Query(description="answers and batches when not said")] = None,
    limit: Annotated[int | None, Query(ge=1, description="the newest so many rows")] = None,
    format: Annotated[Format, Query()] = Format.JSON,
) -> Response:
    """One row per predicted row, oldest first, hot and archived as one, with labels where they are known."""
    with house.db.read() as tx:
        require(tx, me, Permission.LOG_READ, model)
        get_model(tx, model)
    now_us = house.clock.now_us()
    since_us, until_us = (moment(when, now_us) if when else None for when in (since, until))
    kinds = tuple(kind or PREDICTED)
    if limit is None:
        target = jobs.place(f"log.{format}")
        asked = Asked(model, since_us, until_us, version, kinds)
        export(house.home, house.blobs, asked, target, format, where=where, database=house.db)
        return FileResponse(target, media_type=MEDIA[format], background=BackgroundTask(target.unlink))
    rows = frame(
        house.home, house.blobs, model, since_us=since_us, until_us=until_us, where=where, version=version,
        limit=limit, kinds=kinds, database=house.db,
    )  # fmt: skip
    return Response(written(rows, format), media_type=MEDIA[format])


@router.post("/log/check", responses=says(Job))
def check_log(house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """Read every file of the archive. The job's result is `{"files", "damaged"}`."""
    with house.db.read() as tx:
        require(tx, me, Permission.AUDIT_READ)
    archive = Archive(house.home.log, house.blobs)
    return answer(jobs.start("check", "log", me.id, lambda tell: check_archive(archive, tell)))


def written(rows: pl.DataFrame, how: Format) -> bytes:
    """A frame in one of the formats."""
    if how is Format.JSON:
        return rows.write_ndjson().encode()
    body = io.BytesIO()
    if how is Format.ARROW:
        rows.write_ipc(body)
    else:
        rows.write_parquet(body)
    return body.getvalue()
