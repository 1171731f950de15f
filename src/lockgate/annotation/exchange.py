"""Batches as files for other tools and back: CSV, and Label Studio's JSON (tasks with predictions; its exports)."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import msgspec
import polars as pl

from lockgate.annotation.answers import class_named
from lockgate.annotation.batches import Batch, Item, Kind, Scalar
from lockgate.clock import SECOND_US
from lockgate.errors import InvalidInput

CSV, LABEL_STUDIO = "csv", "label-studio"
OWN = ("item", "reason", "words", "answered", "label", "person")  # columns of the CSV beside the cells
_NAMES = {Kind.TABLE: "cells", Kind.TEXT: "text", Kind.IMAGE: "image"}
_MOST_SHOWN = 10  # mistakes that are listed
_DIGITS = 10  # of an item's number
_LETTERS = 200  # of an annotator's name


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An answer out of a file. `label` None: skipped. `person`: as the file names them, None where it does not. `at_us` None:
    not told."""

    number: int
    label: Scalar | None
    person: str | None
    at_us: int | None = None


def as_csv(items: Sequence[Item]) -> bytes:
    """A row for each item: its number, why it was picked, its cells, an empty `label` and `person`."""
    names = list(dict.fromkeys(name for item in items for name in item.content.cells))
    rows = []
    for item in items:
        content = item.content
        beside = {"image": content.image} if content.image else {}
        own = {
            "item": item.number,
            "reason": content.reason,
            "words": content.words,
            "answered": content.answered,
        }
        cells = {f"cell.{name}" if name in OWN else name: content.cells.get(name) for name in names}
        rows.append(
            {
                **own,
                **beside,
                **{name: _plain(value) for name, value in cells.items()},
                "label": item.label,
                "person": None,
            }
        )
    plain = [{name: _plain(value) for name, value in row.items()} for row in rows]
    made = pl.DataFrame(plain, infer_schema_length=None, strict=False)
    target = io.BytesIO()
    made.write_csv(target)
    return target.getvalue()


def from_csv(batch: Batch, table: pl.DataFrame) -> list[Answer]:
    """Answers of a table with `item`, `label` and, where somebody else labelled, `person`. Rows without a label are passed
    over. Raises InvalidInput that lists every mistake; nothing is taken then."""
    for name in ("item", "label"):
        if name not in table.columns:
            raise InvalidInput(f"the answers have no column '{name}'", got=", ".join(table.columns[:20]),
                               fix="fill the file that lockgate annotate export writes")  # fmt: skip
    people = table["person"].cast(pl.String).to_list() if "person" in table.columns else [None] * table.height
    found, wrong = [], []
    for place, (number, label, person) in enumerate(
        zip(table["item"], table["label"], people, strict=True), start=2
    ):
        if label is None or not str(label).strip():
            continue
        try:
            found.append(_answer(batch, number, label, person, None))
        except InvalidInput as error:
            wrong.append(f"line {place}: {error.what} ({error.got})")
    _refuse(batch, wrong)
    return found


def label_studio_config(batch: Batch) -> str:
    """The labelling interface, in Label Studio's XML."""
    name = _NAMES[batch.asked.kind]
    tag = {Kind.TABLE: "Table", Kind.TEXT: "Text", Kind.IMAGE: "Image"}[batch.asked.kind]
    choices = "".join(f'<Choice value="{escape(str(one))}"/>' for one in batch.asked.classes)
    return (
        f'<View><Header value="{escape(batch.asked.question)}"/><{tag} name="{name}" value="${name}"/>'
        f'<Choices name="label" toName="{name}" choice="single" showInLine="true">{choices}</Choices></View>'
    )


def label_studio_tasks(
    batch: Batch, items: Sequence[Item], image: Callable[[Item], str] | None = None
) -> list[dict[str, Any]]:
    """Tasks for its import, each with the model's answer as a prediction. `image`: the address of an item's picture, or the
    picture itself as a `data:` address."""
    name = _NAMES[batch.asked.kind]
    made = []
    for item in items:
        content = item.content
        shown: Any = dict(content.cells)
        if batch.asked.kind is Kind.TEXT:
            shown = str(content.cells.get(batch.asked.text or "") or "")
        elif batch.asked.kind is Kind.IMAGE:
            shown = image(item) if image is not None else content.image
        task: dict[str, Any] = {"data": {name: shown, "lockgate_batch": batch.id, "lockgate_item": item.number,
                                         "why": content.words}}  # fmt: skip
        if content.answered is not None:
            result = {
                "from_name": "label",
                "to_name": name,
                "type": "choices",
                "value": {"choices": [str(content.answered)]},
            }
            task["predictions"] = [
                {"model_version": batch.model, "score": content.probability or 0.0, "result": [result]}
            ]
        made.append(task)
    return made


def from_label_studio(batch: Batch, body: bytes) -> list[Answer]:
    """Answers of its JSON export: of every annotation the choice, who made it and when; skipped ones as such.

    Raises InvalidInput that lists every mistake; nothing is taken then.
    """
    try:
        tasks = json.loads(body)
    except ValueError as error:
        raise InvalidInput("this is no JSON export of Label Studio", got=str(error)) from error
    if not isinstance(tasks, list) or not all(
        isinstance(task, dict) and isinstance(task.get("data"), dict) for task in tasks
    ):
        raise InvalidInput("this is no JSON export of Label Studio", allowed="a list of tasks with data and annotations",
                           fix="export as JSON, not as JSON-MIN or CSV")  # fmt: skip
    found, wrong = [], []
    for place, task in enumerate(tasks, start=1):
        of, number = task["data"].get("lockgate_batch"), task["data"].get("lockgate_item")
        if of != batch.id:
            wrong.append(f"task {place}: it belongs to batch {of}, not to {batch.id}")
            continue
        for annotation in task.get("annotations") or ():
            try:
                found.append(_annotated(batch, number, annotation))
            except InvalidInput as error:
                wrong.append(f"task {place}: {error.what} ({error.got})")
            except (AttributeError, TypeError) as error:  # a word where there must be an object
                wrong.append(f"task {place}: its annotations are not as Label Studio writes them ({error})")
    _refuse(batch, wrong)
    return found


def _annotated(batch: Batch, number: object, annotation: Mapping[str, Any]) -> Answer:
    who = annotation.get("completed_by")
    if isinstance(who, Mapping):
        who = who.get("email") or who.get("id")
    person = None if who is None else str(who)
    at_us = _moment(annotation.get("updated_at") or annotation.get("created_at"))
    choices = [choice for each in annotation.get("result") or () if each.get("type") == "choices"
               for choice in (each.get("value") or {}).get("choices") or ()]  # fmt: skip
    if annotation.get("was_cancelled") or not choices:
        return _answer(batch, number, None, person, at_us)
    if len(choices) > 1:
        raise InvalidInput("an item has one label", got=", ".join(map(str, choices)))
    return _answer(batch, number, choices[0], person, at_us)


def _answer(batch: Batch, number: object, label: object, person: str | None, at_us: int | None) -> Answer:
    text = str(number).removesuffix(".0")
    if not (text.isascii() and text.isdigit()) or len(text) > _DIGITS or not 1 <= int(text) <= batch.items:
        raise InvalidInput("the batch has no such item", got=str(number)[:40])
    known = None if label is None else class_named(batch, label)
    who = (person or "").strip()[:_LETTERS]
    if not who.isprintable():  # steers a terminal, or no database takes it
        raise InvalidInput("this is nobody's name", got=ascii(who[:40]))
    return Answer(number=int(text), label=known, person=who or None, at_us=at_us)


def _refuse(batch: Batch, wrong: Sequence[str]) -> None:
    if wrong:
        more = f" and {len(wrong) - _MOST_SHOWN} more" if len(wrong) > _MOST_SHOWN else ""
        classes = ", ".join(map(str, batch.asked.classes[:50]))
        raise InvalidInput(f"{len(wrong)} answers cannot be taken, so none was", got="; ".join(wrong[:_MOST_SHOWN]) + more,
                           allowed=f"items 1 to {batch.items}; classes {classes}")  # fmt: skip


def _moment(text: object) -> int | None:
    try:
        moment = dt.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)
    return round(moment.timestamp() * SECOND_US)


def _plain(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
