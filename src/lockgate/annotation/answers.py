"""What people answered: every answer stays on record, a person's last one counts, and together they settle an item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
import sqlalchemy as sa

from lockgate.annotation.batches import Batch, BatchState, Item, ItemState, Scalar, get_item
from lockgate.annotation.tables import annotation_answers, annotation_batches, annotation_items
from lockgate.datasets.classes import class_name
from lockgate.errors import Conflict, InvalidInput
from lockgate.governance import audit

CONSOLE = "console"


class Given(msgspec.Struct, frozen=True, kw_only=True):
    """An answer on record. `label` None: skipped. `brought_by`: who brought the file that says so; None: their own word."""

    id: int
    number: int
    person: str
    label: Scalar | None
    at_us: int
    via: str
    brought_by: str | None = None


def class_named(batch: Batch, text: object) -> Scalar:
    """The class of a batch that a text (or value) names, spelt as the batch has it. Raises InvalidInput."""
    wanted = class_name(str(text).strip())
    for name in batch.asked.classes:
        if class_name(str(name)) == wanted:
            return name
    raise InvalidInput("this is none of the batch's classes", got=str(text)[:80],
                       allowed=", ".join(map(str, batch.asked.classes[:50])))  # fmt: skip


def settled(answers: Mapping[str, Scalar], people: int) -> tuple[ItemState, Scalar | None]:
    """What the answers of an item come to when `people` are asked: the label that more than half of those who answered gave,
    once enough did.

    >>> settled({"ann": "a"}, 2), settled({"ann": "a", "bob": "b"}, 2)[0].value
    ((<ItemState.OPEN: 'open'>, None), 'disputed')
    >>> settled({"ann": "a", "bob": "b", "cy": "a"}, 3)
    (<ItemState.DONE: 'done'>, 'a')
    """
    if len(answers) < people:
        return ItemState.OPEN, None
    counts = Counter((type(label).__name__, label) for label in answers.values())
    (_, label), most = counts.most_common(1)[0]
    if 2 * most > len(answers):
        return ItemState.DONE, label
    return ItemState.DISPUTED, None


def record_answer(
    tx: sa.Connection,
    batch: Batch,
    number: int,
    person: str,
    label: Scalar | None,
    *,
    at_us: int,
    via: str = CONSOLE,
    brought_by: str | None = None,
) -> Item:
    """Put one answer on record (None: skipped, or taken back); a second one of the same person corrects the first.
    `brought_by`: who brought it in a file.

    Raises Conflict when the batch is finished, InvalidInput for a label that is none of its classes, NotFound.
    """
    _require_open(tx, batch)
    get_item(tx, batch.id, number)
    known = None if label is None else class_named(batch, label)
    tx.execute(
        sa.insert(annotation_answers).values(
            batch=batch.id, number=number, person=person, at_us=at_us, via=via, brought_by=brought_by,
            label=None if known is None else msgspec.json.encode(known).decode(),
        )
    )  # fmt: skip
    return _settle(tx, batch, number)


def decide(
    tx: sa.Connection, batch: Batch, number: int, label: Scalar, *, by: str, reason: str, at_us: int
) -> Item:
    """Settle an item by one word, whatever was answered. Raises as `record_answer`."""
    _require_open(tx, batch)
    get_item(tx, batch.id, number)
    known = class_named(batch, label)
    _put(tx, batch.id, number, ItemState.DONE, label=known, by=by)
    audit.append(tx, at_us=at_us, actor=by, action="annotation:item:decided", subject=batch.model,
                 details={"batch": batch.id, "item": number, "label": known, "reason": reason})  # fmt: skip
    return get_item(tx, batch.id, number)


def history_of(tx: sa.Connection, batch: int) -> list[Given]:
    """Every answer of a batch, in the order in which they came."""
    query = sa.select(annotation_answers).where(annotation_answers.c.batch == batch)
    return [_given(row) for row in tx.execute(query.order_by(annotation_answers.c.id)).mappings()]


def answers_of(tx: sa.Connection, batch: int, number: int) -> dict[str, Given]:
    """Of each person the answer that counts."""
    c = annotation_answers.c
    query = sa.select(annotation_answers).where(c.batch == batch, c.number == number).order_by(c.id)
    return _that_count(_given(row) for row in tx.execute(query).mappings())


def labels_by_item(tx: sa.Connection, batch: int) -> dict[int, dict[str, Scalar]]:
    """Of each item the labels that count, by person; for agreement."""
    found: dict[int, list[Given]] = {}
    for each in history_of(tx, batch):
        found.setdefault(each.number, []).append(each)
    return {number: _labels(_that_count(answers)) for number, answers in found.items()}


def next_item(tx: sa.Connection, batch: Batch, person: str) -> Item | None:
    """The first item that this person has not seen and that still needs answers; then those that they skipped; else None."""
    c = annotation_answers.c
    open_ = [
        row.number
        for row in tx.execute(
            sa.select(annotation_items.c.number)
            .where(annotation_items.c.batch == batch.id, annotation_items.c.state == ItemState.OPEN.value)
            .order_by(annotation_items.c.number)
        )
    ]
    query = sa.select(c.number, c.label).where(c.batch == batch.id, c.person == person).order_by(c.id)
    mine = {row.number: row.label for row in tx.execute(query)}
    waiting = [number for number in open_ if number not in mine]
    skipped = [number for number in open_ if number in mine and mine[number] is None]
    chosen = (waiting or skipped)[:1]
    return get_item(tx, batch.id, chosen[0]) if chosen else None


def last_of(tx: sa.Connection, batch: int, person: str) -> Given | None:
    """What a person answered last in a batch, to be undone."""
    c = annotation_answers.c
    query = sa.select(annotation_answers).where(c.batch == batch, c.person == person).order_by(c.id.desc())
    row = tx.execute(query.limit(1)).mappings().first()
    return None if row is None else _given(row)


def progress_of(tx: sa.Connection, batch: int) -> dict[str, int]:
    """How many items each person has labelled, most first."""
    by_item = labels_by_item(tx, batch)
    counts = Counter(person for labels in by_item.values() for person in labels)
    return dict(counts.most_common())


def stated_of(tx: sa.Connection, batch: int) -> dict[str, tuple[str, ...]]:
    """Of each person whose answers were brought by somebody else: by whom. That these are theirs only the files say."""
    c = annotation_answers.c
    query = sa.select(c.person, c.brought_by).distinct().where(c.batch == batch, c.brought_by != c.person)
    found: dict[str, tuple[str, ...]] = {}
    for row in tx.execute(query.order_by(c.person, c.brought_by)):
        found[row.person] = (*found.get(row.person, ()), row.brought_by)
    return found


def name_person(tx: sa.Connection, batch: Batch, before: str, person: str) -> None:
    """Answers of a batch that were kept under the name of somebody unknown are a person's, now that it is declared who it is.
    Where both had answered, it was one person: items of an open batch are settled anew.
    """
    c = annotation_answers.c
    open_, theirs = _is_open(tx, batch), (c.batch == batch.id, c.person == before)
    numbers = tx.scalars(sa.select(c.number).distinct().where(*theirs)).all()
    tx.execute(sa.update(annotation_answers).where(*theirs).values(person=person))
    for number in numbers if open_ else ():
        _settle(tx, batch, number)


def is_own_word(given: Given) -> bool:
    """Whether somebody gave this label here themselves: what another's file says of them does not overrule it."""
    return given.label is not None and given.via == CONSOLE


def _that_count(answers: Iterable[Given]) -> dict[str, Given]:
    """Of each person the answer that counts, of those to one item in the order in which they came: the last, but none that
    another brought after their own word.
    """
    found: dict[str, Given] = {}
    for each in answers:
        before = found.get(each.person)
        if before is None or not is_own_word(before) or each.brought_by in (None, each.person):
            found[each.person] = each
    return found


def _settle(tx: sa.Connection, batch: Batch, number: int) -> Item:
    """The item as its answers have it; a settled dispute stays as it was settled."""
    item = get_item(tx, batch.id, number)
    if item.decided_by is not None:
        return item
    state, agreed = settled(_labels(answers_of(tx, batch.id, number)), batch.asked.people)
    _put(tx, batch.id, number, state, label=agreed, by=None)
    return get_item(tx, batch.id, number)


def _is_open(tx: sa.Connection, batch: Batch) -> bool:
    """One answer to a batch at a time: two at once would not see each other, and both leave the item open."""
    c = annotation_batches.c
    state = tx.scalar(sa.select(c.state).where(c.id == batch.id).with_for_update())
    return bool(state == BatchState.OPEN.value)


def _require_open(tx: sa.Connection, batch: Batch) -> None:
    if not _is_open(tx, batch):
        raise Conflict(
            f"batch {batch.id} is finished: its labels are handed on",
            fix="select a new batch for corrections",
        )


def _labels(answers: Mapping[str, Given]) -> dict[str, Scalar]:
    return {person: given.label for person, given in answers.items() if given.label is not None}


def _given(row: sa.RowMapping) -> Given:
    label = None if row["label"] is None else msgspec.json.decode(row["label"])
    fields = {name: row[name] for name in ("id", "number", "person", "at_us", "via", "brought_by")}
    return Given(label=label, **fields)


def _put(
    tx: sa.Connection, batch: int, number: int, state: ItemState, *, label: Scalar | None, by: str | None
) -> None:
    c = annotation_items.c
    text = None if label is None else msgspec.json.encode(label).decode()
    step = sa.update(annotation_items).where(c.batch == batch, c.number == number)
    tx.execute(step.values(state=state.value, label=text, decided_by=by))
