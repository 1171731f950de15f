"""What a batch asks and shows: its kind, its question, what people see of a row. Personal columns are not among it."""

from __future__ import annotations

from typing import Annotated

import msgspec
import numpy as np
import polars as pl
import sqlalchemy as sa
from msgspec import Meta

from lockgate.annotation.batches import Asked, Content, Kind, Scalar
from lockgate.annotation.guide import guide_of
from lockgate.annotation.picking import Picked, Pool, Strategy
from lockgate.config import ModelConfig
from lockgate.datasets.versions import DataVersion
from lockgate.errors import InvalidInput
from lockgate.predictions.subject import key_text, log_secret, subject_of
from lockgate.registry.store import Version
from lockgate.wiring.annotation_pool import SHA256, Rows
from lockgate.wiring.house import House

LOG = "log"
_TEXT_LETTERS = 60  # on the median: longer ones are read as text
_MOST_CELL = 20_000  # letters that a batch keeps of one cell


class Order(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is asked for. `pool`: `loans@3`; None: the log, of the last `since`. `version`: whose answers (`live`, `3`, `none`);
    None: the live one, else the newest. `classes`: None: those of the model, or of the labels that are there. `text`: the column
    that people read; `picture`: the input of the log that they look at; None: told by what is there. `new`: the model may be
    one that is yet to come: it is entered with the batch."""

    budget: int | None = None
    money: float | None = None
    price: float | None = None
    people: int = 1
    pool: str | None = None
    since: str | None = "30d"
    until: str | None = None
    strategy: Strategy = Strategy.MIXTURE
    version: str | None = None
    target: str | None = None
    classes: tuple[Scalar, ...] | None = None
    text: str | None = None
    picture: str | None = None
    question: str | None = None
    seed: Annotated[int, Meta(ge=0, lt=2**32)] = 0
    new: bool = False


class Ground(msgspec.Struct, frozen=True):
    """What a selection stands on."""

    model: str
    settings: ModelConfig
    target: str
    data: DataVersion | None
    version: Version | None
    others: tuple[Version, ...]
    versions: tuple[Version, ...]


def asked_of(
    tx: sa.Connection,
    ground: Ground,
    rows: Rows,
    *,
    classes: tuple[Scalar, ...],
    order: Order,
    said: tuple[str, ...],
) -> Asked:
    """What is asked of people, for rows of a pool."""
    columns = [*([rows.picture] if rows.picture is not None else []), *rows.inputs.columns]
    personal = tuple(name for name in columns if name in ground.settings.personal)
    text = text_of(rows, ground.settings, order)
    kind = Kind.IMAGE if rows.pictures else Kind.TEXT if text is not None else Kind.TABLE
    guide = guide_of(tx, ground.model)
    return Asked(
        kind=kind, question=order.question or f"What is {ground.target}?", classes=classes, people=order.people,
        source=ground.data.full if ground.data is not None else LOG, target=ground.target, strategy=order.strategy.value,
        show=tuple(name for name in rows.inputs.columns if name not in {*personal, SHA256}), text=text, personal=personal,
        guide=guide.number if guide is not None else 0, said=said,
    )  # fmt: skip


def text_of(rows: Rows, settings: ModelConfig, order: Order) -> str | None:
    """The one column that people must read, where there is one: named, else the only one of long text. Raises InvalidInput."""
    shown = [name for name in rows.inputs.columns if name not in {*settings.personal, SHA256}]
    texts = [name for name in shown if rows.inputs[name].dtype == pl.String]
    if order.text is not None:
        if order.text not in texts:
            raise InvalidInput(f"the pool has no column '{order.text}' that people may see as text",
                               allowed=", ".join(texts[:20]) or "none here")  # fmt: skip
        return order.text
    long = [name for name in texts if _usual_letters(rows.inputs[name]) >= _TEXT_LETTERS]
    return long[0] if len(long) == 1 and not rows.pictures else None


def _usual_letters(texts: pl.Series) -> float:
    middle = texts.str.len_chars().median()
    return float(middle) if isinstance(middle, int | float) else 0.0


def content_of(one: Picked, rows: Rows, pool: Pool, asked: Asked, *, answered_by: Version | None) -> Content:
    """What an item keeps of a row, and what the version `answered_by` said of it."""
    row = rows.inputs.row(one.row, named=True)
    cells = {name: _cell(row[name]) for name in asked.show}
    answered, sure = None, None
    if pool.answers and answered_by is not None and np.ptp(pool.answers[0][one.row]) > 0:
        place = int(pool.answers[0][one.row].argmax())
        answered, sure = asked.classes[place], float(pool.answers[0][one.row, place])
    code = int(pool.codes[one.row])
    return Content(
        row=int(rows.places[one.row]) if not rows.ids else int(rows.within[one.row]), reason=one.reason.value, words=one.words,
        value=one.value, cells=cells, image=rows.files["path"][one.row] if rows.files is not None else rows.picture,
        sha256=row[SHA256] if rows.pictures else None, request=rows.ids[one.row] if rows.ids else None,
        at_us=rows.at_us[one.row] if rows.at_us else None, answered=answered, probability=sure,
        label=asked.classes[code] if code >= 0 else None,
    )  # fmt: skip


def _cell(value: object) -> Scalar | None:
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int) else str(value)[:_MOST_CELL]


def subject_at(house: House, model: str, rows: Rows, row: int) -> str | None:
    """Whose row it is, as a keyed hash; None where nobody knows."""
    key = rows.keys[row] if rows.keys else None
    return None if key is None else subject_of(log_secret(house.home.secrets), model, key_text(key))
