"""Labelling: batches of items are picked, labelled, settled, taken out and brought back, finished."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, File, Query, Response, UploadFile
from pydantic import BaseModel, ConfigDict

from lockgate.annotation.batches import Batch, Item, items_of
from lockgate.annotation.guide import Guide
from lockgate.errors import InvalidInput
from lockgate.governance.people import require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.web.answers import answer
from lockgate.web.api.jobs import AllJobs
from lockgate.web.auth import Asking, InHouse
from lockgate.web.jobs import Job
from lockgate.web.shapes import says
from lockgate.web.uploads import keep, start_job
from lockgate.wiring.annotation import learning_curve, require_known, select_batch
from lockgate.wiring.annotation_files import TakenIn, exported, picture, take_in
from lockgate.wiring.annotation_shown import Order
from lockgate.wiring.annotation_work import (
    BatchShown,
    batches_for,
    finish,
    instructions_of,
    label_item,
    may_label,
    settle_item,
    shown_of,
    write_instructions,
)

router = APIRouter(tags=["annotation"])
Scalar = str | int | float | bool | None
AnswerFile = Annotated[UploadFile, File(description="CSV, or Label Studio's JSON export")]
Wish = Annotated[
    dict[str, Any],
    Body(description="budget, or money and price; pool, since, strategy, version, classes ..."),
]


class Labelled(BaseModel):
    """One answer; null: skip, or take back."""

    model_config = ConfigDict(extra="forbid", strict=True)
    label: Scalar


class Settled(BaseModel):
    """A decision on an item. `example`: put it into the instructions."""

    model_config = ConfigDict(extra="forbid", strict=True)
    label: str | int | float | bool
    reason: str
    example: bool = True


class Written(BaseModel):
    """The text of the instructions."""

    model_config = ConfigDict(extra="forbid")
    text: str


@router.post("/models/{model}/batches", responses=says(Job))
def pick(model: str, sent: Wish, house: InHouse, me: Asking, jobs: AllJobs) -> Response:
    """Pick items to label. The job's result is the batch, how it was picked, and what was seen on the way."""
    order = _order(sent)
    with house.db.read() as tx:
        require(tx, me, Permission.LABELS_WRITE, model)
        require_known(tx, me, model, order)
    return answer(
        jobs.start("annotate", model, me.id, lambda tell: select_batch(house, me, model, order, tell))
    )


@router.post("/models/{model}/label-worth", responses=says(Job))
def worth(
    model: str,
    sent: Wish,
    house: InHouse,
    me: Asking,
    *,
    jobs: AllJobs,
    more: Annotated[int, Query(ge=1, le=1_000_000)] = 100,
) -> Response:
    """What `more` labels are worth. The job's result is the learning curve, in words too."""
    order = _order(sent)
    with house.db.read() as tx:
        require(tx, me, Permission.LABELS_WRITE, model)
    return answer(
        jobs.start(
            "annotate", model, me.id, lambda tell: learning_curve(house, me, model, order, tell, more=more)
        )
    )


@router.get("/batches", responses=says(Batch, many=True))
def every_batch(house: InHouse, me: Asking, model: str | None = None) -> Response:
    """The batches that one may label, the newest first."""
    with house.db.read() as tx:
        return answer(batches_for(tx, me, model))


@router.get("/batches/{number}", responses=says(BatchShown))
def one_batch(number: int, house: InHouse, me: Asking) -> Response:
    """A batch, how far each person is, how far they agree, which items are disputed."""
    with house.db.read() as tx:
        return answer(shown_of(tx, me, number))


@router.get("/batches/{number}/items", responses=says(Item, many=True))
def every_item(number: int, house: InHouse, me: Asking) -> Response:
    """Its items."""
    with house.db.read() as tx:
        may_label(tx, me, number)
        return answer(items_of(tx, number))


@router.post("/batches/{number}/items/{item}", responses=says(Item))
def label(number: int, item: int, sent: Labelled, house: InHouse, me: Asking) -> Response:
    """Label an item; a second answer of the same person corrects the first."""
    return answer(label_item(house, me, number, item, sent.label))


@router.post("/batches/{number}/items/{item}/settle", responses=says(Item))
def settle(number: int, item: int, sent: Settled, house: InHouse, me: Asking) -> Response:
    """Settle an item by one word, with a reason."""
    return answer(
        settle_item(house, me, number, item, label=sent.label, reason=sent.reason, example=sent.example)
    )


@router.get("/batches/{number}/export", responses=says())
def export(number: int, house: InHouse, me: Asking, form: str = "csv", embed: bool = False) -> Response:
    """The open items for another tool: `csv`, `label-studio` (tasks), `label-studio-config`."""
    return Response(exported(house, me, number, form, embed=embed), media_type="application/octet-stream")


@router.get("/batches/{number}/items/{item}/image", responses=says(media="application/octet-stream"))
def image(number: int, item: int, house: InHouse, me: Asking) -> Response:
    """An item's picture, as it was sent or added."""
    body, media = picture(house, me, number, item)
    return Response(body, media_type=media)


@router.post("/batches/{number}/answers", responses=says(TakenIn))
def bring(
    number: int,
    house: InHouse,
    me: Asking,
    *,
    jobs: AllJobs,
    file: AnswerFile,
) -> Response:
    """Answers out of a file: all of them, or none and the list of mistakes."""
    with house.db.read() as tx:
        may_label(tx, me, number)
    folder, kept = keep(jobs, {"file": [file]})
    return answer(start_job(jobs, folder, lambda _tell: take_in(house, me, number, kept["file"][0]),
                            kind="annotate", subject=f"batch {number}", person=me.id))  # fmt: skip


@router.post("/batches/{number}/finish", responses=says(Job))
def end(number: int, house: InHouse, me: Asking, *, jobs: AllJobs) -> Response:
    """Hand on the labels. The job's result says where they are."""
    with house.db.read() as tx:
        may_label(tx, me, number)
    return answer(
        jobs.start("annotate", f"batch {number}", me.id, lambda tell: finish(house, me, number, tell=tell))
    )


@router.get("/models/{model}/guide", responses=says(Guide))
def guide(
    model: str, house: InHouse, me: Asking, number: Annotated[int | None, Query(ge=1)] = None
) -> Response:
    """The instructions for those who label, the newest or a version of them; null while there are none."""
    with house.db.read() as tx:
        return answer(instructions_of(tx, me, model, number))


@router.put("/models/{model}/guide", responses=says(Guide))
def write(model: str, sent: Written, house: InHouse, me: Asking) -> Response:
    """Write the next version of the instructions; their examples stay."""
    with house.db.read() as tx:
        get_model(tx, model)
    return answer(write_instructions(house, me, model, sent.text))


def _order(sent: dict[str, Any]) -> Order:
    try:
        return msgspec.convert(sent, Order)
    except msgspec.ValidationError as error:
        raise InvalidInput("this is no order for items to label", got=error,
                           allowed=", ".join(Order.__struct_fields__)) from error  # fmt: skip
