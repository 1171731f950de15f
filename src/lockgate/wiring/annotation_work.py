"""What people do with a batch: label, undo, settle, finish. Each asks who may first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
import polars as pl
import sqlalchemy as sa

from lockgate.annotation.agreement import Agreement, agreement_of
from lockgate.annotation.annotators import is_unknown
from lockgate.annotation.answers import (
    decide,
    labels_by_item,
    progress_of,
    record_answer,
    stated_of,
)
from lockgate.annotation.batches import (
    Batch,
    BatchState,
    Item,
    ItemState,
    Scalar,
    batches_of,
    finish_batch,
    get_batch,
    items_of,
)
from lockgate.annotation.guide import Guide, add_example, guide_of, write_guide
from lockgate.datasets.versions import DataKind, Origin, Source
from lockgate.errors import Conflict, InvalidInput
from lockgate.governance.people import Person, models_with, require
from lockgate.governance.permissions import Permission
from lockgate.predictions.label_import import Naming
from lockgate.registry.store import list_models
from lockgate.wiring.annotation_pool import with_labels
from lockgate.wiring.annotation_shown import LOG
from lockgate.wiring.datasets import add_table, frame_of, resolve_data
from lockgate.wiring.house import House
from lockgate.wiring.labelling import hand_in

Tell = Callable[..., None]


class BatchShown(msgspec.Struct, frozen=True, kw_only=True):
    """A batch with how far each person is and how far they agree. `stated`: of people whose answers others brought in files, who
    did; `unknown`: those whom nobody knows here."""

    batch: Batch
    progress: dict[str, int]
    agreement: Agreement
    disputed: tuple[int, ...]
    stated: dict[str, tuple[str, ...]] = {}
    unknown: tuple[str, ...] = ()


class Finished(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a batch's labels: a data version, or labels of the log; and items that have none."""

    batch: Batch
    labels: int
    without: int
    data: str | None = None


def may_label(tx: sa.Connection, person: Person, number: int) -> Batch:
    """The batch, for who may label it. Raises Forbidden, NotFound."""
    batch = get_batch(tx, number)
    require(tx, person, Permission.LABELS_WRITE, batch.model)
    return batch


def batches_for(tx: sa.Connection, person: Person, model: str | None = None) -> list[Batch]:
    """The batches that somebody may label (of one model), the newest first."""
    mine = models_with(tx, person, Permission.LABELS_WRITE)
    names = [each.name for each in list_models(tx) if "*" in mine or each.name in mine]
    return batches_of(tx, [name for name in names if model in {None, name}])


def shown_of(tx: sa.Connection, person: Person, number: int) -> BatchShown:
    """A batch as people look at it. Raises Forbidden, NotFound."""
    batch = may_label(tx, person, number)
    disputed = tuple(item.number for item in items_of(tx, number) if item.state is ItemState.DISPUTED)
    labels, progress, stated = labels_by_item(tx, number), progress_of(tx, number), stated_of(tx, number)
    return BatchShown(
        batch=batch, progress=progress, disputed=disputed, stated=stated,
        unknown=tuple(who for who in {**progress, **stated} if is_unknown(who)),
        agreement=agreement_of([{who: str(label) for who, label in each.items()} for each in labels.values()]),
    )  # fmt: skip


def label_item(house: House, person: Person, number: int, item: int, label: Scalar | None) -> Item:
    """One answer (None: skip, or take back). Raises Forbidden, NotFound, Conflict, InvalidInput."""
    with house.db.write() as tx:
        batch = may_label(tx, person, number)
        return record_answer(tx, batch, item, person.id, label, at_us=house.clock.now_us())


def settle_item(
    house: House, person: Person, number: int, item: int, *, label: Scalar, reason: str, example: bool
) -> Item:
    """Settle a dispute by one word, and put it into the instructions. Raises as `label_item`."""
    if not reason.strip():
        raise InvalidInput(
            "a decision needs a reason: those who labelled otherwise read it", fix='--reason "..."'
        )
    with house.db.write() as tx:
        batch, now_us = may_label(tx, person, number), house.clock.now_us()
        made = decide(tx, batch, item, label, by=person.id, reason=reason, at_us=now_us)
        if example and made.label is not None:
            add_example(tx, batch, made, made.label, reason, by=person.id, at_us=now_us)
        return made


def write_instructions(house: House, person: Person, model: str, text: str) -> Guide:
    """The next version of a model's instructions. Raises Forbidden, InvalidInput."""
    with house.db.write() as tx:
        require(tx, person, Permission.LABELS_WRITE, model)
        return write_guide(tx, model, text, by=person.id, at_us=house.clock.now_us())


def instructions_of(tx: sa.Connection, person: Person, model: str, number: int | None = None) -> Guide | None:
    """The newest instructions, or a version of them. Raises Forbidden, NotFound."""
    require(tx, person, Permission.LABELS_WRITE, model)
    return guide_of(tx, model, number)


def finish(house: House, person: Person, number: int, *, tell: Tell) -> Finished:
    """Hand on the labels that are settled: of the log as labels of its requests, of a data version as its next version.

    Raises Conflict while items are disputed, when nothing is labelled, when labels came meanwhile, and when it is finished
    already. Repeating after a crash does no harm: the same labels, the same rows are there already.
    """
    with house.db.read() as tx:
        batch = may_label(tx, person, number)
        items = items_of(tx, number)
    done = [item for item in items if item.state is ItemState.DONE and item.content.row >= 0]
    if batch.state is BatchState.FINISHED:
        raise Conflict(f"batch {number} is finished already", got=batch.outcome)
    if batch.disputed:
        raise Conflict(f"{batch.disputed} items of batch {number} are disputed",
                       fix=f"settle them: lockgate annotate settle {number} ITEM LABEL --reason ...")  # fmt: skip
    if not done:
        raise Conflict(f"nothing of batch {number} is labelled yet", got=f"0 of {batch.items}")
    data = None
    if batch.asked.source == LOG:
        _to_log(house, person, batch, done)
    else:
        data = _to_data(house, person, batch, done, tell)
    outcome = data or f"{len(done)} labels of the log"
    with house.db.write() as tx:
        batch = finish_batch(tx, number, outcome, by=person.id, at_us=house.clock.now_us())
        if items_of(tx, number) != items:
            raise Conflict(
                f"labels of batch {number} came or changed while it was finished", fix="finish it once more"
            )
    return Finished(batch=batch, labels=len(done), without=len(items) - len(done), data=data)


def _to_log(house: House, person: Person, batch: Batch, done: Sequence[Item]) -> None:
    table = pl.DataFrame(
        {
            "id": [item.content.request for item in done],
            "row": [item.content.row for item in done],
            "label": pl.Series([item.label for item in done], strict=False),
        }
    )
    hand_in(house, person, batch.model, table, Naming(label="label", on="id", key="id", row="row"),
            source=f"annotation: batch {batch.id}")  # fmt: skip


def _to_data(house: House, person: Person, batch: Batch, done: Sequence[Item], tell: Tell) -> str:
    """The next version: the same rows with the labels. Of images a table of paths and labels, under `NAME-labels`."""
    with house.db.read() as tx:
        data = resolve_data(tx, batch.asked.source)
        images = data.kind is DataKind.IMAGES
        name = f"{data.name}-labels" if images else data.name
        before = with_labels(tx, data, name)
    frame = frame_of(house, before)
    column = "label" if images else batch.asked.target
    labels: list[object] = frame[column].to_list() if column in frame.columns else [None] * frame.height
    for item in done:
        labels[item.content.row] = item.label
    made = pl.Series(column, labels, strict=False)
    if column in frame.columns:
        try:
            made = made.cast(frame[column].dtype)
        except pl.exceptions.PolarsError:
            made = pl.Series(
                column, [None if label is None else str(label) for label in labels], dtype=pl.String
            )
    source = Source(origin=Origin.LABELS, said=f"batch {batch.id} of {batch.model}", parent=before.full)
    added = add_table(house, person, name, frame.with_columns(made), source=source, tell=tell)
    return added.data.full
