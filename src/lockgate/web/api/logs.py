"""The prediction log: asked with a condition, answered as JSON lines, Arrow or Parquet; labels handed in."""

from __future__ import annotations

import io
from enum import StrEnum
from typing import Annotated

import polars as pl
from fastapi import APIRouter, File, Form, Query, Response, UploadFile

from lockgate.datasets.dataset import read_table
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.predictions.labels import Imported, import_labels
from lockgate.predictions.query import frame
from lockgate.predictions.record import Kind
from lockgate.registry.store import get_model
from lockgate.web.answers import answer
from lockgate.web.auth import Asking, InHouse
from lockgate.web.shapes import says
from lockgate.wiring.moments import moment

router = APIRouter(tags=["log"])


class Format(StrEnum):
    """How rows are sent."""

    JSON = "json"  # one object a line
    ARROW = "arrow"
    PARQUET = "parquet"


MEDIA = {
    Format.JSON: "application/x-ndjson",
    Format.ARROW: "application/vnd.apache.arrow.file",
    Format.PARQUET: "application/vnd.apache.parquet",
}


@router.get("/models/{model}/log", responses=says(media="application/octet-stream"))
def log(
    model: str,
    house: InHouse,
    me: Asking,
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
    rows = frame(
        house.home,
        house.blobs,
        model,
        since_us=moment(since, now_us) if since else None,
        until_us=moment(until, now_us) if until else None,
        where=where,
        version=version,
        limit=limit,
        database=house.db,
        **({"kinds": kind} if kind else {}),
    )
    return Response(written(rows, format), media_type=MEDIA[format])


@router.post("/models/{model}/labels", responses=says(Imported))
def labels(
    model: str,
    house: InHouse,
    me: Asking,
    file: Annotated[UploadFile, File(description="CSV, Parquet or JSON lines")],
    *,
    label: Annotated[str, Form(description="the column with what happened")],
    on: Annotated[str, Form(description="what is matched: key, inference_id, id or in.<input>")] = "key",
    key: Annotated[str | None, Form(description="the column with the value to match")] = None,
    at: Annotated[str | None, Form(description="the column that says when it became known")] = None,
    row: Annotated[str | None, Form(description="the column with the row within the request")] = None,
) -> Response:
    """Hand in labels, late, repeated or corrected: the newest counts, all are kept."""
    name = file.filename or "labels.csv"
    table = read_table(file.file.read(), name)
    with house.db.write() as tx:
        require(tx, me, Permission.LABELS_WRITE, model)
        get_model(tx, model)
        done = import_labels(
            tx, model, table, on=on, label=label, by=me.id, now_us=house.clock.now_us(),
            key=key, at=at, row=row, source=name,
        )  # fmt: skip
    return answer(done)


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
