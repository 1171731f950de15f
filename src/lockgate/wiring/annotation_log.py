"""A stretch of the log as a pool: rows with what versions answered, and pictures, which are looked at and not kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from lockgate.annotation.batches import Batch, Item
from lockgate.annotation.logged import Logged, picture_fields, read_cell, seen
from lockgate.annotation.pictures import Look
from lockgate.datasets.classes import class_names
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.predictions.query import PREDICTED, frames, join
from lockgate.predictions.query import frame as log_frame
from lockgate.predictions.record import Kind
from lockgate.predictions.stored import Asked
from lockgate.registry.manifest import Manifest
from lockgate.registry.store import get_model
from lockgate.wiring.annotation_pool import MOST_ROWS, SHA256, Answered, Rows, Tell
from lockgate.wiring.house import House

MOST_PICTURES = 5_000  # of the newest requests: each is decoded
_AT_ONCE = 200  # rows of the first stretch that is read, where rows hold pictures


@dataclass(frozen=True)
class Stretch:
    """What of the log is wanted: times in microseconds; `picture`: the input that people look at, where several could be;
    `answered`: whether what versions answered plays a part."""

    since_us: int | None = None
    until_us: int | None = None
    picture: str | None = None
    answered: bool = True


def log_rows(
    house: House, model: str, versions: Mapping[int, Manifest], stretch: Stretch, tell: Tell
) -> Rows:
    """The newest answered requests of a stretch of the log, with what versions in shadow answered to the same.

    Raises NotFound where there are none, InvalidInput for an input that holds no pictures.
    """
    picture = _picture(versions, stretch.picture)
    looked = _Looked() if picture is None else _look(house, model, stretch, picture, tell)
    if looked.broken and not looked.looks:
        raise InvalidInput(f"no answered request of {model} holds a picture in '{picture}' that can be read",
                           got=f"{looked.broken:,} requests", fix="--picture names another input")  # fmt: skip
    rows = looked.rows if picture is not None else _logged(house, model, stretch, PREDICTED)
    with house.db.read() as tx:
        settings = get_model(tx, model).settings
    beside = {f"in.{name}" for name in (settings.target, settings.time, settings.key)}
    names = {
        name: name.removeprefix("in.")
        for name in rows.columns
        if name.startswith("in.") and name not in beside
    }
    if rows.is_empty() or not (names or picture):
        raise NotFound(f"the log holds no answered request of {model} in that stretch of time",
                       fix="name a longer stretch: --since 30d, or a pool: --pool loans@3")  # fmt: skip
    inputs = rows.select([*names, *([SHA256] if picture is not None else [])]).rename(names)
    return Rows(
        inputs, np.arange(rows.height), class_names(rows["label"]).tolist(), max(rows.height, looked.in_all),
        keys=rows["key"].cast(pl.String).to_list(), ids=rows["id"].to_list(), within=rows["row"].fill_null(0).to_list(),
        at_us=rows["at_us"].to_list(), answers=_answers(house, model, stretch, rows, versions) if stretch.answered else (),
        picture=picture, looks=looked.looks if picture is not None else None, said=looked.said(),
    )  # fmt: skip


def logged_picture(house: House, batch: Batch, item: Item) -> Logged:
    """The picture of an item that was picked out of the log, from where it lies. Raises NotFound where it is there no more."""
    content = item.content
    rows = _of_request(house, batch.model, item)
    column = f"in.{content.image}"
    cell = rows[column][0] if rows.height and column in rows.columns else None
    if cell is None:
        raise NotFound(
            f"the log does not hold the picture of item {item.number} any more",
            fix="requests are kept as long as log: {keep_days: ...} of the model, or the policy of its tier, says",
        )
    found = read_cell(cell)
    if found.sha256 != content.sha256:
        raise Conflict(f"the log holds another picture than when item {item.number} was picked")
    return found


def logged_cells(house: House, batch: Batch, item: Item, names: tuple[str, ...]) -> dict[str, str]:
    """Inputs of an item's request, read where they lie. Empty where they are gone."""
    rows = _of_request(house, batch.model, item)
    return {
        name: str(rows[f"in.{name}"][0]) for name in names if f"in.{name}" in rows.columns and rows.height
    }


@dataclass
class _Looked:
    """Rows of the log whose pictures were looked at, with the digest of each in their place; what could not be read."""

    rows: pl.DataFrame = field(default_factory=pl.DataFrame)
    looks: list[Look] = field(default_factory=list)
    in_all: int = 0
    broken: int = 0

    def said(self) -> tuple[str, ...]:
        """What people should know of it."""
        said = []
        if self.in_all > len(self.looks) + self.broken:
            said.append(f"of {self.in_all:,} pictures the newest {len(self.looks):,} were looked at: name another stretch of "
                        "time with --since and --until for older ones")  # fmt: skip
        if self.broken:
            said.append(f"{self.broken:,} requests hold no picture that can be read, and were left out")
        return tuple(said)


def _picture(versions: Mapping[int, Manifest], named: str | None) -> str | None:
    """The input that holds the pictures, by the newest version that takes some."""
    for number in sorted(versions, reverse=True):
        fields = versions[number].signature.inputs
        if named is not None and any(each.name == named for each in fields):
            return named
        found = picture_fields(fields)
        if found and named is None:
            if len(found) > 1:
                raise InvalidInput(
                    "several inputs are pictures", got=", ".join(found), fix=f"--picture {found[0]}"
                )
            return found[0]
    if named is not None:
        raise InvalidInput("no version takes this input", got=named)
    return None


def _look(house: House, model: str, stretch: Stretch, picture: str, tell: Tell) -> _Looked:
    """The newest requests, stretch by stretch: a picture is only in memory while it is looked at."""
    column, parts, found = f"in.{picture}", [], _Looked()
    asked = Asked(model, stretch.since_us, stretch.until_us, None, PREDICTED)
    for rows, _, in_all in frames(house.home, house.blobs, asked, where="status < 400", database=house.db,
                                  newest_first=True, first_rows=_AT_ONCE):  # fmt: skip
        found.in_all = max(in_all, found.in_all)
        if column not in rows.columns:
            continue
        newest = rows.tail(MOST_PICTURES - len(found.looks))
        tell("looking at pictures", len(found.looks), min(found.in_all, MOST_PICTURES))
        told = [seen(cell) for cell in newest[column]]
        digests = [None if one is None else one[1] for one in told]
        there = [place for place, one in enumerate(told) if one is not None]
        parts.append(newest.drop(column).with_columns(pl.Series(SHA256, digests, dtype=pl.String))[there])
        found.looks[:0] = [one[0] for one in told if one is not None]
        found.broken += len(told) - len(there)
        if len(found.looks) >= MOST_PICTURES:
            break
    found.rows = join(parts[::-1]) if parts else pl.DataFrame()
    return found


def _answers(
    house: House, model: str, stretch: Stretch, rows: pl.DataFrame, versions: Mapping[int, Manifest]
) -> tuple[tuple[Answered, ...], ...]:
    """What was answered, and what versions in shadow said to the same requests."""
    found = [_recorded(rows, versions)]
    shadow = _logged(house, model, stretch, (Kind.SHADOW,))
    if shadow.height:
        of = shadow.drop("id").rename({"of": "id"}).unique(["id", "row"], keep="last")
        found.append(_recorded(rows.select("id", "row").join(of, on=["id", "row"], how="left", nulls_equal=True,
                                                             maintain_order="left"), versions))  # fmt: skip
    return tuple(each for each in found if each)


def _recorded(rows: pl.DataFrame, versions: Mapping[int, Manifest]) -> tuple[Answered, ...]:
    """What is on record of each version that gives probabilities."""
    found = []
    for number in rows["version"].drop_nulls().unique().sort().to_list():
        manifest = versions.get(int(number))
        name = manifest.answer.probability if manifest is not None else None
        if manifest is None or name is None or f"out.{name}" not in rows.columns:
            continue
        mine = (rows["version"] == number).fill_null(False) & rows[f"out.{name}"].is_not_null()
        given = rows[f"out.{name}"].filter(mine).to_list()
        if given:
            cells = np.array([one if isinstance(one, list) else [one] for one in given], dtype=float)
            found.append(Answered({name: cells}, manifest, np.flatnonzero(mine.to_numpy())))
    return tuple(found)


def _logged(house: House, model: str, stretch: Stretch, kinds: tuple[Kind, ...]) -> pl.DataFrame:
    return log_frame(house.home, house.blobs, model, since_us=stretch.since_us, until_us=stretch.until_us, kinds=kinds,
                     where="status < 400", limit=MOST_ROWS, database=house.db)  # fmt: skip


def _of_request(house: House, model: str, item: Item) -> pl.DataFrame:
    """The row of the log that an item stands for; empty where it is there no more."""
    content = item.content
    since_us = content.at_us
    found = log_frame(
        house.home, house.blobs, model, since_us=since_us, until_us=None if since_us is None else since_us + 1,
        where=f"id = '{(content.request or '').replace(chr(39), '')}'", database=house.db,
    )  # fmt: skip
    return found.filter(pl.col("row").fill_null(0) == content.row) if found.height else found
