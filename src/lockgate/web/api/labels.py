"""What really happened, handed in: a table as a file, or rows as JSON; late, repeated and corrected."""

from __future__ import annotations

from typing import Annotated

import polars as pl
from fastapi import APIRouter, File, Form, Response, UploadFile
from pydantic import BaseModel, ConfigDict, Field

from lockgate.datasets.dataset import read_table
from lockgate.errors import InvalidInput
from lockgate.governance.people import Person, require
from lockgate.governance.permissions import Permission
from lockgate.predictions.label_import import Imported, Naming
from lockgate.predictions.labels import EVERY_ROW
from lockgate.registry.store import get_model
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job
from lockgate.web.shapes import says
from lockgate.wiring.house import House
from lockgate.wiring.labelling import hand_in

router = APIRouter(tags=["labels"])

Scalar = str | int | float | bool | None
LabelColumn = Annotated[str, Form(description="the column with what happened")]
OnColumn = Annotated[str, Form(description="what is matched: key, inference_id, id or in.<input>")]
KeyColumn = Annotated[str | None, Form(description="the column with the value to match")]
AtColumn = Annotated[str | None, Form(description="the column that says when it became known")]
RowColumn = Annotated[str | None, Form(description="the column with the row within the request")]
MetricName = Annotated[
    str, Form(description="the column holds numbers of this business metric", max_length=64)
]
TableFile = Annotated[UploadFile, File(description="CSV, Parquet or JSON lines")]


class OneLabel(BaseModel):
    """What happened to one prediction. `at`: when it became known, ISO 8601; `row`: within its request."""

    model_config = ConfigDict(extra="forbid", strict=True)
    value: str | int | float
    label: Scalar
    at: str | None = None
    row: int | None = None


class SomeLabels(BaseModel):
    """Labels as a program sends them. `on`: what their values are matched with; `metric`: they are numbers of that one."""

    model_config = ConfigDict(extra="forbid")
    labels: list[OneLabel]
    on: str = "key"
    metric: str = Field("", max_length=64)


@router.post("/models/{model}/labels", responses=says(Imported))
def labels(
    model: str, house: InHouse, me: Asking, file: TableFile, *,
    label: LabelColumn, on: OnColumn = "key", key: KeyColumn = None, at: AtColumn = None, row: RowColumn = None,
    metric: MetricName = "",
) -> Response:  # fmt: skip
    """Hand in a table of labels and wait for it: the newest counts, all are kept."""
    _check(house, me, model)
    name = file.filename or "labels.csv"
    table = read_table(file.file.read(), name)
    return answer(hand_in(house, me, model, table, Naming(label, on, key, at, row, metric), source=name))


@router.post("/models/{model}/labels/import", responses=says(Job))
def import_labels(
    model: str, house: InHouse, me: Asking, jobs: AllJobs, file: TableFile, *,
    label: LabelColumn, on: OnColumn = "key", key: KeyColumn = None, at: AtColumn = None, row: RowColumn = None,
    metric: MetricName = "",
) -> Response:  # fmt: skip
    """The same as a job, for tables of any size; its result is what was done."""
    _check(house, me, model)
    name, naming = file.filename or "labels.csv", Naming(label, on, key, at, row, metric)
    body = file.file.read()

    def work(tell) -> Imported:  # type: ignore[no-untyped-def]
        tell("reading the table", 0, 0)
        return hand_in(house, me, model, read_table(body, name), naming, source=name, tell=tell)

    return answer(jobs.start("labels", model, me.id, work))


@router.post("/models/{model}/labels/rows", responses=says(Imported))
def send_labels(model: str, sent: SomeLabels, house: InHouse, me: Asking) -> Response:
    """Hand in labels as JSON, from a program: `{"on": "key", "labels": [{"value": "4711", "label": 1}]}`."""
    _check(house, me, model)
    if not sent.labels:
        raise InvalidInput("no labels were sent", allowed='{"labels": [{"value": "4711", "label": 1}]}')
    told = {each.at is not None for each in sent.labels}
    if len(told) > 1:
        raise InvalidInput(
            "some labels say when they became known and some do not", fix="send these in two requests"
        )
    naming = Naming("label", sent.on, "value", "at" if True in told else None, "row", sent.metric)
    return answer(hand_in(house, me, model, _table(sent.labels), naming, source="api"))


def _check(house: House, me: Person, model: str) -> None:
    """Raise Forbidden or NotFound before anything that was sent is read."""
    with house.db.read() as tx:
        require(tx, me, Permission.LABELS_WRITE, model)
        get_model(tx, model)


def _table(some: list[OneLabel]) -> pl.DataFrame:
    """Labels as a table. Raises InvalidInput for labels of unlike kinds, which no model answers."""
    kinds = {type(each.label) for each in some if each.label is not None}
    if len(kinds - {int, float}) + bool(kinds & {int, float}) > 1:
        raise InvalidInput("labels of one request are of one kind", got=", ".join(sorted(k.__name__ for k in kinds)),
                           allowed="all text, all numbers, or all true and false")  # fmt: skip
    columns = {
        "value": [_text(each.value) for each in some],
        "label": [each.label for each in some],
        "at": [each.at for each in some],
        "row": [EVERY_ROW if each.row is None else each.row for each in some],
    }
    return pl.DataFrame(
        columns, schema_overrides={"value": pl.String, "at": pl.String, "row": pl.Int64}, strict=False
    )


def _text(value: str | float) -> str:
    """A key as the log writes it: 12.0 is 12."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
