"""What becomes of a person who is erased: their items are emptied, and the examples that were made of them."""

from __future__ import annotations

from collections.abc import Collection

import msgspec
import sqlalchemy as sa

from lockgate.annotation.batches import Content
from lockgate.annotation.guide import Guide
from lockgate.annotation.tables import annotation_batches, annotation_guides, annotation_items

_GONE = Content(row=-1, reason="erased", words="the person was erased")


def forget_subject(tx: sa.Connection, subject: str) -> int:
    """Empty the items of a person who is erased (`predictions.subject.subject_of`), and the examples of the instructions that
    came from them; how many items there were."""
    c, gone = annotation_items.c, _text(_GONE)
    query = sa.select(c.batch, c.number, c.body, annotation_batches.c.model).where(c.subject == subject)
    rows = tx.execute(query.join(annotation_batches, annotation_batches.c.id == c.batch)).all()
    for row in rows:
        mine = (c.batch == row.batch, c.number == row.number)
        tx.execute(sa.update(annotation_items).where(*mine).values(body=gone))
    for model in {row.model for row in rows}:
        _forget_examples(tx, model, {f"{row.batch}/{row.number}" for row in rows if row.model == model})
    return sum(row.body != gone for row in rows)


def _forget_examples(tx: sa.Connection, model: str, items: Collection[str]) -> None:
    """In every version of the instructions; why they are labelled so was written by a colleague, and stays."""
    c = annotation_guides.c
    for row in tx.execute(sa.select(c.number, c.body).where(c.model == model)).all():
        made = msgspec.json.decode(row.body, type=Guide)
        kept = tuple(
            msgspec.structs.replace(one, cells={}, pictured=False) if one.item in items else one
            for one in made.examples
        )
        if kept != made.examples:
            body = _text(msgspec.structs.replace(made, examples=kept))
            tx.execute(
                sa.update(annotation_guides).where(c.model == model, c.number == row.number).values(body=body)
            )


def _text(value: object) -> str:
    return msgspec.json.encode(value).decode()
