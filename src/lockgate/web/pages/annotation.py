"""Labelling in the browser: batches, and one item after another with the instructions beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, Query
from markupsafe import Markup
from starlette.responses import Response

from lockgate.annotation.answers import Given, answers_of, class_named, last_of, next_item
from lockgate.annotation.batches import Batch, BatchState, Scalar, get_item
from lockgate.annotation.guide import Guide, guide_of
from lockgate.errors import Conflict, LockgateError, http_status
from lockgate.governance.people import may
from lockgate.governance.permissions import Permission
from lockgate.reports.charts import draw
from lockgate.web.pages.shell import Looking, PageRoute, Viewer, go, page
from lockgate.web.pages.words import shown
from lockgate.wiring.annotation import curve_drawn, learning_curve, order_like
from lockgate.wiring.annotation_files import personal_cells, picture
from lockgate.wiring.annotation_work import batches_for, label_item, may_label, settle_item, shown_of

router = APIRouter(route_class=PageRoute)
KEYS = "123456789"
MOST_EXAMPLES, MOST_CELLS, MOST_LETTERS = 10, 4, 160  # of the instructions, beside an item


@router.get("/annotate")
def batches(looking: Looking) -> Response:
    """Every batch that one may label."""
    with looking.house.db.read() as tx:
        found = batches_for(tx, looking.person)
    return page(looking, "annotate.html", batches=found)


@router.get("/annotate/{number}")
def label(
    number: int,
    looking: Looking,
    item: int | None = None,
    personal: Annotated[bool, Query(description="show personal columns, to who may read the log")] = False,
) -> Response:
    """The next item that waits for this person, or the one that is named."""
    return _show(looking, number, item, personal=personal)


@router.post("/annotate/{number}/items/{item}")
def answer(number: int, item: int, looking: Looking, label: Annotated[str, Form()] = "") -> Response:
    """One answer, and on to the next; without a label: skipped."""
    try:
        with looking.house.db.read() as tx:
            known = class_named(may_label(tx, looking.person, number), label) if label else None
        label_item(looking.house, looking.person, number, item, known)
    except LockgateError as error:
        return _show(looking, number, item, problem=error)
    return go(f"/annotate/{number}")


@router.post("/annotate/{number}/undo")
def undo(number: int, looking: Looking) -> Response:
    """Take the last answer back and show its item again."""
    with looking.house.db.read() as tx:
        may_label(tx, looking.person, number)
        last = last_of(tx, number, looking.person.id)
    if last is None:
        return _show(looking, number, None, problem=Conflict("there is nothing to undo in this batch"))
    label_item(looking.house, looking.person, number, last.number, None)
    return go(f"/annotate/{number}?item={last.number}")


@router.post("/annotate/{number}/items/{item}/settle")
def settle(
    number: int,
    item: int,
    looking: Looking,
    label: Annotated[str, Form()] = "",
    reason: Annotated[str, Form()] = "",
) -> Response:
    """Settle a dispute; it becomes an example of the instructions."""
    try:
        settle_item(looking.house, looking.person, number, item, label=label, reason=reason, example=True)
    except LockgateError as error:
        return _show(looking, number, item, problem=error)
    return go(f"/annotate/{number}")


@router.get("/annotate/{number}/worth")
def worth(number: int, looking: Looking) -> Response:
    """The learning curve of where the batch came from: measured while the page loads."""
    with looking.house.db.read() as tx:
        batch = may_label(tx, looking.person, number)
    try:
        curve = learning_curve(looking.house, looking.person, batch.model, order_like(batch), lambda *_: None)
    except LockgateError as error:
        return page(looking, "annotate_worth.html", status=http_status(error), batch=batch, problem=error)
    chart = Markup(draw(curve_drawn(curve))) if curve.points else None  # noqa: S704 - drawn by us
    return page(looking, "annotate_worth.html", batch=batch, curve=curve, chart=chart, problem=None)


@router.get("/annotate/{number}/items/{item}/image")
def image(number: int, item: int, looking: Looking) -> Response:
    """An item's picture. No browser keeps it: it may be personal, and who may see it can change."""
    body, media = picture(looking.house, looking.person, number, item)
    return Response(body, media_type=media, headers={"cache-control": "no-store"})


def _show(
    looking: Viewer,
    number: int,
    item: int | None,
    *,
    personal: bool = False,
    problem: LockgateError | None = None,
) -> Response:
    with looking.house.db.read() as tx:
        standing = shown_of(tx, looking.person, number)
        batch = standing.batch
        waits = next_item(tx, batch, looking.person.id) if batch.state is BatchState.OPEN else None
        one = get_item(tx, number, item) if item is not None else waits
        guide = guide_of(tx, batch.model)
        given = answers_of(tx, number, one.number) if one is not None else {}
        may_see = bool(batch.asked.personal) and may(tx, looking.person, Permission.LOG_READ, batch.model)
        undoable = batch.state is BatchState.OPEN and last_of(tx, number, looking.person.id) is not None
    hidden = personal_cells(looking.house, batch, one) if personal and may_see and one is not None else {}
    disputed = one is not None and one.number in standing.disputed
    return page(
        looking, "annotate_item.html", status=200 if problem is None else http_status(problem), shown=standing,
        batch=batch, item=one, choices=_choices(batch), guide=guide, examples=_examples(guide), personal=personal,
        given=given if disputed else {}, disputed=disputed,
        hidden=hidden, may_see=may_see and not personal, undoable=undoable, mine=_mine(given, looking), problem=problem,
    )  # fmt: skip


def _examples(guide: Guide | None) -> list[dict[str, object]]:
    """The newest examples of the instructions, with what they were of: the text, some cells, or the picture."""
    found: list[dict[str, object]] = []
    for each in guide.examples[-MOST_EXAMPLES:][::-1] if guide is not None else ():
        batch, _, item = (each.item or "").partition("/")
        if each.text is not None:
            words = shown(each.cells.get(each.text)).strip() or "(empty)"
        else:
            words = ", ".join(
                f"{name} {shown(value)}" for name, value in list(each.cells.items())[:MOST_CELLS]
            )
        picture = f"/annotate/{batch}/items/{item}/image" if each.pictured and item else None
        found.append(
            {"label": each.label, "why": each.why, "words": words[:MOST_LETTERS], "picture": picture}
        )
    return found


def _mine(given: Mapping[str, Given], looking: Viewer) -> Scalar | None:
    mine = given.get(looking.person.id)
    return None if mine is None else mine.label


def _choices(batch: Batch) -> list[tuple[str, Scalar]]:
    """Each class with the key that picks it; further ones without."""
    return [
        (KEYS[place] if place < len(KEYS) else "", name) for place, name in enumerate(batch.asked.classes)
    ]
