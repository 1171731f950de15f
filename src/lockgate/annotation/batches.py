"""Batches of items to label, on record: what was picked, where it lies, how far people are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum

import msgspec
import sqlalchemy as sa

from lockgate.annotation.tables import annotation_batches, annotation_items
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.governance import audit

Scalar = str | int | float | bool
MOST_CLASSES = 1_000


class Kind(StrEnum):
    """What people look at."""

    TABLE = "table"
    TEXT = "text"
    IMAGE = "image"


class BatchState(StrEnum):
    """Whether people still label."""

    OPEN = "open"
    FINISHED = "finished"


class ItemState(StrEnum):
    """How far an item is."""

    OPEN = "open"
    DONE = "done"
    DISPUTED = "disputed"  # people said different things: somebody must settle it


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """What a batch asks. `classes`: the labels that may be given. `source`: `loans@3`, or `log`. `people`: how many must answer
    an item. `show`: columns that people see, in order; `text`: the one that holds the text. `target`: the column of labels.
    `guide`: the instructions that were in force; 0: none."""

    kind: Kind
    question: str
    classes: tuple[Scalar, ...]
    source: str
    target: str
    strategy: str
    people: int = 1
    show: tuple[str, ...] = ()
    text: str | None = None
    personal: tuple[str, ...] = ()
    guide: int = 0
    said: tuple[str, ...] = ()


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """What an item shows. `row`: its place in the data version, from 0; or `request` (that came `at_us`) and the row within it,
    of the log. `cells` hold no personal column. `image`: its path in the data version, or the input of the log that holds it.
    `answered`: what the model said, and how surely."""

    row: int
    reason: str
    words: str
    value: float = 0.0
    cells: dict[str, Scalar | None] = {}
    image: str | None = None
    sha256: str | None = None
    request: str | None = None
    at_us: int | None = None
    answered: Scalar | None = None
    probability: float | None = None
    label: Scalar | None = None  # that it had, where wrong labels are looked for


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """One batch, with how many of its items are in which state."""

    id: int
    model: str
    state: BatchState
    asked: Asked
    author: str
    created_us: int
    finished_us: int | None
    outcome: str
    items: int
    done: int
    disputed: int


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """One item, numbered from 1 within its batch."""

    batch: int
    number: int
    state: ItemState
    content: Content
    label: Scalar | None
    decided_by: str | None


def record_batch(
    tx: sa.Connection,
    model: str,
    asked: Asked,
    items: Sequence[tuple[Content, str | None]],
    *,
    by: str,
    at_us: int,
) -> Batch:
    """Enter a batch; with each item whose row it is (a keyed hash), where that is known. Raises InvalidInput."""
    if not items:
        raise InvalidInput("a batch needs items")
    if not 2 <= len(asked.classes) <= MOST_CLASSES:
        raise InvalidInput("labels are chosen among classes", got=f"{len(asked.classes)} classes",
                           allowed=f"2 to {MOST_CLASSES}", fix="name them: --classes yes,no")  # fmt: skip
    if len({str(one) for one in asked.classes}) < len(asked.classes):
        raise InvalidInput("two classes have one name", got=", ".join(map(str, asked.classes)))
    row = {
        "model": model, "state": BatchState.OPEN.value, "body": _text(asked), "author": by, "created_us": at_us,
        "outcome": "",
    }  # fmt: skip
    number = tx.scalar(sa.insert(annotation_batches).values(**row).returning(annotation_batches.c.id))
    tx.execute(
        sa.insert(annotation_items),
        [
            {"batch": number, "number": place, "state": ItemState.OPEN.value, "body": _text(content), "subject": subject}
            for place, (content, subject) in enumerate(items, start=1)
        ],
    )  # fmt: skip
    audit.append(tx, at_us=at_us, actor=by, action="annotation:batch:made", subject=model,
                 details={"batch": number, "items": len(items), "source": asked.source, "strategy": asked.strategy})  # fmt: skip
    return get_batch(tx, int(number or 0))


def get_batch(tx: sa.Connection, number: int) -> Batch:
    """One batch. Raises NotFound."""
    found = list(_batches(tx, annotation_batches.c.id == number))
    if not found:
        raise NotFound(
            f"there is no batch {number} of items to label", fix="lockgate annotate list names them"
        )
    return found[0]


def batches_of(tx: sa.Connection, models: Iterable[str] | None = None) -> list[Batch]:
    """The batches of some models (None: of all), the newest first."""
    where = sa.true() if models is None else annotation_batches.c.model.in_([*models])
    return sorted(_batches(tx, where), key=lambda batch: -batch.id)


def get_item(tx: sa.Connection, batch: int, number: int) -> Item:
    """One item. Raises NotFound."""
    found = items_of(tx, batch, annotation_items.c.number == number)
    if not found:
        raise NotFound(f"batch {batch} has no item {number}")
    return found[0]


def items_of(tx: sa.Connection, batch: int, where: sa.ColumnElement[bool] | None = None) -> list[Item]:
    """Items of a batch in order."""
    c = annotation_items.c
    query = sa.select(annotation_items).where(c.batch == batch, sa.true() if where is None else where)
    return [
        Item(
            batch=row["batch"], number=row["number"], state=ItemState(row["state"]),
            content=msgspec.json.decode(row["body"], type=Content), decided_by=row["decided_by"],
            label=None if row["label"] is None else msgspec.json.decode(row["label"]),
        )
        for row in tx.execute(query.order_by(c.number)).mappings()
    ]  # fmt: skip


def finish_batch(tx: sa.Connection, number: int, outcome: str, *, by: str, at_us: int) -> Batch:
    """Close a batch with what became of its labels. Raises Conflict when it is closed already."""
    c = annotation_batches.c
    step = sa.update(annotation_batches).where(c.id == number, c.state == BatchState.OPEN.value)
    done = tx.execute(
        step.values(state=BatchState.FINISHED.value, finished_us=at_us, outcome=outcome)
    ).rowcount
    batch = get_batch(tx, number)
    if not done:
        raise Conflict(f"batch {number} is finished already", got=batch.outcome)
    details = {"batch": number, "labels": batch.done, "outcome": outcome}
    audit.append(
        tx, at_us=at_us, actor=by, action="annotation:batch:finished", subject=batch.model, details=details
    )
    return batch


def _batches(tx: sa.Connection, where: sa.ColumnElement[bool]) -> Iterable[Batch]:
    counted = (
        sa.select(
            annotation_items.c.batch,
            sa.func.count().label("items"),
            *(
                sa.func.sum(sa.case((annotation_items.c.state == state.value, 1), else_=0)).label(state.value)
                for state in (ItemState.DONE, ItemState.DISPUTED)
            ),
        )
        .group_by(annotation_items.c.batch)
        .subquery()
    )
    query = sa.select(annotation_batches, counted).join(counted, counted.c.batch == annotation_batches.c.id)
    for row in tx.execute(query.where(where)).mappings():
        yield Batch(
            id=row["id"], model=row["model"], state=BatchState(row["state"]), author=row["author"],
            asked=msgspec.json.decode(row["body"], type=Asked), created_us=row["created_us"],
            finished_us=row["finished_us"], outcome=row["outcome"], items=int(row["items"]), done=int(row["done"]),
            disputed=int(row["disputed"]),
        )  # fmt: skip


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
