"""A batch as files: taken out for other tools, brought back with what people said there; pictures. Each asks who may first."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import sqlalchemy as sa

from lockgate.annotation.annotators import people_named, unknown
from lockgate.annotation.answers import Given, answers_of, is_own_word, name_person, record_answer
from lockgate.annotation.batches import Batch, Item, ItemState, Kind, Scalar, get_item, items_of
from lockgate.annotation.exchange import (
    CSV,
    LABEL_STUDIO,
    Answer,
    as_csv,
    from_csv,
    from_label_studio,
    label_studio_config,
    label_studio_tasks,
)
from lockgate.datasets.dataset import read_table
from lockgate.datasets.versions import get_data, parse_data
from lockgate.errors import InvalidInput
from lockgate.governance import audit
from lockgate.governance.people import Person, list_people, require
from lockgate.governance.permissions import Permission
from lockgate.registry.store import get_model
from lockgate.wiring.annotation_log import logged_cells, logged_picture
from lockgate.wiring.annotation_pool import picture_of
from lockgate.wiring.annotation_shown import LOG
from lockgate.wiring.annotation_work import may_label
from lockgate.wiring.datasets import frame_of
from lockgate.wiring.house import House

_MEDIA = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".gif": "image/gif", ".bmp": "image/bmp",
          ".webp": "image/webp", ".tif": "image/tiff", ".tiff": "image/tiff"}  # fmt: skip


class TakenIn(msgspec.Struct, frozen=True, kw_only=True):
    """What became of answers out of a file. `stood`: others than the person gave here themselves, which stand."""

    new: int = 0
    corrected: int = 0
    repeated: int = 0
    skipped: int = 0
    stood: int = 0


def exported(house: House, person: Person, number: int, form: str, *, embed: bool = False) -> bytes:
    """The open items of a batch for another tool. `embed`: pictures within the file instead of their paths.

    Raises InvalidInput for an unknown form.
    """
    with house.db.read() as tx:
        batch = may_label(tx, person, number)
        items = [item for item in items_of(tx, number) if item.state is not ItemState.DONE]
    if form == CSV:
        return as_csv(items) if items else b"item,label,person\n"
    if form == LABEL_STUDIO:
        logged = batch.asked.kind is Kind.IMAGE and batch.asked.source == LOG  # no other tool can fetch these
        embedded = (lambda item: _data_address(house, person, batch, item)) if embed or logged else None
        return json.dumps(label_studio_tasks(batch, items, embedded), ensure_ascii=False).encode()
    if form == "label-studio-config":
        return label_studio_config(batch).encode()
    raise InvalidInput(
        "batches are not written in this form",
        got=form,
        allowed=f"{CSV}, {LABEL_STUDIO}, label-studio-config",
    )


def take_in(house: House, person: Person, number: int, file: Path) -> TakenIn:
    """Answers out of a CSV (or other table), or Label Studio's JSON export. All of them, or none: raises InvalidInput with the
    list of mistakes. Who gave them is as the file says; who brought it is on record with each."""
    with house.db.read() as tx:
        batch = may_label(tx, person, number)
    if file.suffix.lower() == ".json":
        answers, via = from_label_studio(batch, file.read_bytes()), LABEL_STUDIO
    else:
        answers, via = from_csv(batch, read_table(file)), CSV
    now_us = house.clock.now_us()
    with house.db.write() as tx:
        batch = may_label(tx, person, number)
        done = _recorded(tx, batch, answers, by=person.id, via=via, now_us=now_us)
        audit.append(tx, at_us=now_us, actor=person.id, action="annotation:batch:imported", subject=batch.model,
                     details={"batch": number, "via": via, **msgspec.to_builtins(done)})  # fmt: skip
    return done


def picture(house: House, person: Person, number: int, item: int) -> tuple[bytes, str]:
    """An item's picture and its media type. Raises Forbidden, for a personal one also to who may not read the log; NotFound."""
    with house.db.read() as tx:
        batch = may_label(tx, person, number)
        found = get_item(tx, number, item)
        content = found.content
        if content.image is None or content.sha256 is None:
            raise InvalidInput(f"item {item} of batch {number} has no picture")
        if content.image in batch.asked.personal:
            require(tx, person, Permission.LOG_READ, batch.model)
        data = None if content.request is not None else get_data(tx, *parse_data(batch.asked.source))
    if data is None:
        logged = logged_picture(house, batch, found)
        return logged.body, logged.media
    folder = Path(data.source.path) if data.source.path else None
    media = _MEDIA.get(Path(content.image).suffix.lower(), "application/octet-stream")
    return picture_of(house, folder, content.image, content.sha256), media


def personal_cells(house: House, batch: Batch, item: Item) -> dict[str, str]:
    """The personal columns of an item, read where they lie: a batch keeps none of them. Empty where they are gone."""
    content = item.content
    names = tuple(name for name in batch.asked.personal if name != content.image)
    if content.request is not None:
        return logged_cells(house, batch, item, names)
    if content.row < 0:
        return {}
    with house.db.read() as tx:
        data = get_data(tx, *parse_data(batch.asked.source))
    found = frame_of(house, data)[content.row : content.row + 1]
    return {name: str(found[name][0]) for name in names if name in found.columns and found.height}


def _data_address(house: House, person: Person, batch: Batch, item: Item) -> str:
    if item.content.image in batch.asked.personal:
        raise InvalidInput(f"the pictures of '{item.content.image}' are personal: no other tool gets them",
                           fix="label them in the console, which shows them to who may read the log")  # fmt: skip
    body, media = picture(house, person, batch.id, item.number)
    return f"data:{media};base64,{base64.b64encode(body).decode()}"


def _recorded(
    tx: sa.Connection, batch: Batch, answers: Sequence[Answer], *, by: str, via: str, now_us: int
) -> TakenIn:
    declared, known = get_model(tx, batch.model).settings.annotators, {each.id for each in list_people(tx)}
    names = people_named({each.person for each in answers if each.person}, declared, known, via)
    for said, person in names.items():
        if person in known:
            name_person(tx, batch, unknown(said, via), person)
    counts = dict.fromkeys(TakenIn.__struct_fields__, 0)
    for each in answers:
        who = names[each.person] if each.person else by
        kind = _kind(answers_of(tx, batch.id, each.number).get(who), each.label, own=who == by)
        counts[kind] += 1
        if kind not in {"repeated", "stood"}:
            record_answer(
                tx, batch, each.number, who, each.label, at_us=each.at_us or now_us, via=via, brought_by=by
            )
    return TakenIn(**counts)


def _kind(before: Given | None, label: Scalar | None, *, own: bool) -> str:
    """What an answer out of a file is beside what the person said before; nobody's own word is overruled by another's file."""
    if before is not None and before.label == label and type(before.label) is type(label):
        return "repeated"
    if before is not None and is_own_word(before) and not own:
        return "stood"
    if label is None:
        return "skipped"
    return "corrected" if before is not None and before.label is not None else "new"
