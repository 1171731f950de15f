"""Instructions for those who label: versions of a text with examples, which grow from what was settled."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa

from lockgate.annotation.batches import Batch, Item, Scalar
from lockgate.annotation.tables import annotation_guides
from lockgate.errors import InvalidInput, NotFound
from lockgate.governance import audit

MOST_LETTERS = 20_000
MOST_EXAMPLES = 200


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A case and how it is labelled. `item`: `12/7`, the batch and the item that it comes from; `pictured`: whether that is a
    picture; `text`: which of the cells people read."""

    label: Scalar
    why: str
    cells: dict[str, Scalar | None] = {}
    item: str | None = None
    pictured: bool = False
    text: str | None = None


class Guide(msgspec.Struct, frozen=True, kw_only=True):
    """One version of the instructions."""

    model: str
    number: int
    text: str
    examples: tuple[Example, ...] = ()
    author: str = ""
    created_us: int = 0


def guide_of(tx: sa.Connection, model: str, number: int | None = None) -> Guide | None:
    """One version of a model's instructions, or the newest; None while there is none. Raises NotFound."""
    c = annotation_guides.c
    query = sa.select(annotation_guides).where(c.model == model)
    query = (
        query.where(c.number == number) if number is not None else query.order_by(c.number.desc()).limit(1)
    )
    row = tx.execute(query).mappings().first()
    if row is None:
        if number is not None:
            raise NotFound(f"the instructions of {model} have no version {number}")
        return None
    made = msgspec.json.decode(row["body"], type=Guide)
    return msgspec.structs.replace(
        made, number=row["number"], author=row["author"], created_us=row["created_us"]
    )


def write_guide(
    tx: sa.Connection,
    model: str,
    text: str,
    *,
    by: str,
    at_us: int,
    examples: tuple[Example, ...] | None = None,
) -> Guide:
    """The next version of the instructions; examples stay unless new ones are given. The same again is the version that is
    there. Raises InvalidInput."""
    if len(text) > MOST_LETTERS:
        raise InvalidInput(
            "the instructions are too long", got=f"{len(text)} letters", allowed=f"at most {MOST_LETTERS}"
        )
    before = guide_of(tx, model)
    kept = (before.examples if before else ()) if examples is None else examples
    if len(kept) > MOST_EXAMPLES:
        raise InvalidInput(
            "the instructions hold too many examples", got=len(kept), allowed=f"at most {MOST_EXAMPLES}"
        )
    if before is not None and (before.text, before.examples) == (text, kept):
        return before
    number = before.number + 1 if before else 1
    made = Guide(model=model, number=number, text=text, examples=kept, author=by, created_us=at_us)
    tx.execute(
        sa.insert(annotation_guides).values(
            model=model, number=number, body=msgspec.json.encode(made).decode(), author=by, created_us=at_us
        )
    )
    audit.append(tx, at_us=at_us, actor=by, action="annotation:guide:written", subject=model,
                 details={"number": number, "examples": len(kept)})  # fmt: skip
    return made


def add_example(
    tx: sa.Connection, batch: Batch, item: Item, label: Scalar, why: str, *, by: str, at_us: int
) -> Guide:
    """A settled item as an example: a new version of the instructions. A second word on the same item replaces the first."""
    model, content = batch.model, item.content
    if not why.strip():
        raise InvalidInput("an example says why it is labelled so", fix="give a reason")
    before = guide_of(tx, model)
    place = f"{item.batch}/{item.number}"
    others = tuple(each for each in (before.examples if before else ()) if each.item != place)
    made = Example(
        label=label, why=why.strip()[:2000], cells=content.cells, item=place, text=batch.asked.text,
        pictured=content.image is not None and content.image not in batch.asked.personal,
    )  # fmt: skip
    return write_guide(tx, model, before.text if before else "", by=by, at_us=at_us, examples=(*others, made))
