"""Pools to pick from: a data version or a stretch of the log, what models say of its rows, and which labels there are."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import sqlalchemy as sa

from lockgate.annotation.batches import Batch, Item, Scalar
from lockgate.checks.matrix import Reader, reader_of
from lockgate.config import ModelConfig
from lockgate.datasets.classes import class_names
from lockgate.datasets.columns import columns_from
from lockgate.datasets.dataset import load_rows
from lockgate.datasets.images import FILES
from lockgate.datasets.versions import DataKind, DataVersion, Origin, get_data, parse_data
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.late import late
from lockgate.predictions.query import PREDICTED
from lockgate.predictions.query import frame as log_frame
from lockgate.predictions.record import Columns, Kind
from lockgate.registry.manifest import Manifest
from lockgate.registry.signature import IMAGE
from lockgate.registry.store import Version, get_model
from lockgate.wiring.datasets import frame_of
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_version

if TYPE_CHECKING:
    from PIL import Image
else:
    Image = late("PIL.Image")

MOST_ROWS = 100_000  # unlabelled rows that are looked at; of more a sample
_CHUNK = 10_000
_BEFORE = 5_000  # rows of the training data that production is held against
_SIDE = 16  # pixels, of the small pictures that images are compared by
Tell = Callable[..., None]


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a pool: `inputs` alone; `places` (n,): their numbers in the data version, or in this stretch of the log;
    `labels` as text, None where there is none. Of the log also `ids` and `within`. `answers`: of each version."""

    inputs: pl.DataFrame
    places: np.ndarray
    labels: list[str | None]
    in_all: int
    keys: list[str | None] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    within: list[int] = field(default_factory=list)
    answers: tuple[tuple[Columns, Manifest], ...] = ()
    files: pl.DataFrame | None = None
    folder: Path | None = None  # where the files are, when they were not copied


def data_rows(house: House, data: DataVersion, target: str, settings: ModelConfig, seed: int) -> Rows:
    """The rows of a data version, all that are labelled (at most `MOST_ROWS`) and as many of the others."""
    whole = frame_of(house, data)
    images = data.kind is DataKind.IMAGES
    column = "label" if images else target
    labels = class_names(whole[column]).tolist() if column in whole.columns else [None] * whole.height
    known = np.array([label is not None and label != "" for label in labels], dtype=bool)
    chance = np.random.default_rng(seed)
    parts = [_drawn(np.flatnonzero(which), chance) for which in (known, ~known)]
    places = np.sort(np.concatenate(parts))
    kept = whole[places]
    beside = {column, settings.time, settings.key}
    inputs = kept.drop([name for name in kept.columns if name in beside])
    keys = (
        kept[settings.key].cast(pl.String).to_list() if settings.key in kept.columns and settings.key else []
    )
    return Rows(
        inputs.select("sha256") if images else inputs, places, [labels[place] or None for place in places], whole.height,
        keys=keys, files=kept if images else None,
        folder=Path(data.source.path) if images and data.source.path else None,
    )  # fmt: skip


def log_rows(
    house: House, model: str, versions: dict[int, Manifest], *, since_us: int | None, until_us: int | None
) -> Rows:
    """The newest answered requests of a stretch of the log, with what versions in shadow answered to the same."""
    rows = _logged(house, model, since_us, until_us, PREDICTED)
    with house.db.read() as tx:
        settings = get_model(tx, model).settings
    beside = {f"in.{name}" for name in (settings.target, settings.time, settings.key)}
    names = {
        name: name.removeprefix("in.")
        for name in rows.columns
        if name.startswith("in.") and name not in beside
    }
    if rows.is_empty() or not names:
        raise NotFound(f"the log holds no answered request of {model} in that stretch of time",
                       fix="name a longer stretch: --since 30d, or a pool: --pool loans@3")  # fmt: skip
    shadow = _logged(house, model, since_us, until_us, (Kind.SHADOW,))
    answers = [_recorded(rows, versions)]
    if shadow.height:
        joined = rows.select("id", "row").join(shadow.unique(["id", "row"], keep="last"), on=["id", "row"], how="left",
                                               maintain_order="left")  # fmt: skip
        answers.append(_recorded(joined, versions))
    return Rows(
        rows.select([*names]).rename(names), np.arange(rows.height), class_names(rows["label"]).tolist(), rows.height,
        keys=rows["key"].cast(pl.String).to_list(), ids=rows["id"].to_list(), within=rows["row"].fill_null(0).to_list(),
        answers=tuple(one for one in answers if one is not None),
    )  # fmt: skip


def asked_rows(
    house: House, rows: Rows, versions: Sequence[Version], settings: ModelConfig, tell: Tell
) -> Rows:
    """The same rows, answered by these versions. Raises InvalidInput when they lack what a version takes."""
    found = []
    for version in versions:
        with closing(open_version(house, version.digest, settings.python)) as executor:
            parts = []
            for start in range(0, rows.inputs.height, _CHUNK):
                tell(f"asking {version.name}", start, rows.inputs.height)
                parts.append(executor.predict(_columns(house, rows, version, start)))
        found.append(
            ({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, version.manifest)
        )
    return replace(rows, answers=(*rows.answers, *found))


def probabilities(answers: tuple[Columns, Manifest], classes: Sequence[Scalar]) -> np.ndarray | None:
    """A version's probabilities, (n, classes), in the order of `classes`; None where it gives none of these."""
    columns, manifest = answers
    answer = manifest.answer
    if not answer.probability or answer.probability not in columns or not answer.classes:
        return None
    given = np.asarray(columns[answer.probability], dtype=float).reshape(len(columns[answer.probability]), -1)
    if given.shape[1] == 1 and len(answer.classes) == 2:
        given = np.column_stack([1 - given, given])
    own = {name: place for place, name in enumerate(class_names(np.array(answer.classes)).tolist())}
    wanted = [own.get(name) for name in class_names(pl.Series([str(one) for one in classes])).tolist()]
    if all(place is None for place in wanted):
        return None
    made = np.column_stack([np.zeros(len(given)) if place is None else given[:, place] for place in wanted])
    return np.asarray(np.nan_to_num(made))


def numbers_of(house: House, rows: Rows, tell: Tell) -> tuple[np.ndarray, Reader | None]:
    """The rows as numbers, (n, d), and how they were read: tables by their columns, images as small grey pictures."""
    if rows.files is None:
        reader = reader_of(rows.inputs, rows.inputs.columns)
        return reader.read(rows.inputs), reader
    made = np.zeros((rows.files.height, _SIDE * _SIDE))
    for place in range(rows.files.height):
        tell("looking at images", place, rows.files.height)
        with Image.open(io.BytesIO(image_bytes(house, rows, place))) as picture:
            made[place] = np.asarray(picture.convert("L").resize((_SIDE, _SIDE)), dtype=float).ravel() / 255
    return made, None


def image_bytes(house: House, rows: Rows, place: int) -> bytes:
    """One picture of a pool of images."""
    if rows.files is None:
        raise InvalidInput("this pool holds no images")
    return picture_of(house, rows.folder, rows.files["path"][place], rows.files["sha256"][place])


def picture_of(house: House, folder: Path | None, path: str, sha256: str) -> bytes:
    """A picture out of the store, or of the folder that it was left in. Raises NotFound, Conflict when it is another now."""
    if folder is None:
        return house.blobs.get(f"{FILES}/{sha256}")
    try:
        body = (folder / path).read_bytes()
    except OSError as error:
        raise NotFound(
            f"the image {path} is gone", got=error.strerror, fix="put it back into its folder"
        ) from error
    if hashlib.sha256(body).hexdigest() != sha256:
        raise Conflict(
            f"the image {path} is another than when it was added", fix="add the folder as a new version"
        )
    return body


def before_of(house: House, version: Version | None, reader: Reader | None, seed: int) -> np.ndarray | None:
    """Rows that the version was made with, as the pool is read; None where they are not kept or lack columns."""
    if version is None or reader is None:
        return None
    digest = version.manifest.data.get("train") or version.manifest.data.get("validation")
    if digest is None:
        return None
    rows, _ = load_rows(house.blobs, digest, _BEFORE, np.random.default_rng(seed))
    return reader.read(rows) if set(reader.columns) <= set(rows.columns) else None


def with_labels(tx: sa.Connection, data: DataVersion, name: str) -> DataVersion:
    """The newest version under `name` that only labels made of `data`, so that those of other batches stay; else `data`."""
    with suppress(NotFound):
        newest = found = get_data(tx, name)
        while found.source.origin is Origin.LABELS and found.source.parent is not None:
            if found.source.parent == data.full:
                return newest
            found = get_data(tx, *parse_data(found.source.parent))
    return data


def personal_cells(house: House, batch: Batch, item: Item) -> dict[str, str]:
    """The personal columns of an item, read where they lie: a batch keeps none of them. Empty where they are gone."""
    content, names = item.content, batch.asked.personal
    if content.request is not None:
        found = log_frame(house.home, house.blobs, batch.model, where=f"id = '{content.request.replace(chr(39), '')}'",
                          database=house.db)  # fmt: skip
        found = found.filter(pl.col("row").fill_null(0) == content.row).rename(
            {f"in.{name}": name for name in names if f"in.{name}" in found.columns}
        )
    elif content.row < 0:
        return {}
    else:
        with house.db.read() as tx:
            found = frame_of(house, get_data(tx, *parse_data(batch.asked.source)))[
                content.row : content.row + 1
            ]
    return {name: str(found[name][0]) for name in names if name in found.columns and found.height}


def _columns(house: House, rows: Rows, version: Version, start: int) -> Columns:
    part = rows.inputs[start : start + _CHUNK]
    pictures = [each for each in version.manifest.signature.inputs if each.media == IMAGE]
    if rows.files is None:
        return columns_from(part, version.manifest.signature)
    if len(pictures) != 1:
        raise InvalidInput(f"{version.name} takes no pictures", fix="--version none picks without a model")
    bodies = [
        base64.b64encode(image_bytes(house, rows, start + place)).decode() for place in range(part.height)
    ]
    return {pictures[0].name: np.array(bodies, dtype=object)}


def _recorded(rows: pl.DataFrame, versions: dict[int, Manifest]) -> tuple[Columns, Manifest] | None:
    """What is on record of the newest version that gives probabilities; rows of others get an even answer."""
    numbers = rows["version"].drop_nulls().unique().sort(descending=True).to_list()
    for number in numbers:
        manifest = versions.get(int(number))
        name = manifest.answer.probability if manifest is not None else None
        if manifest is None or name is None or f"out.{name}" not in rows.columns:
            continue
        mine = (rows["version"] == number).fill_null(False).to_numpy()
        given = [
            one if there else None for one, there in zip(rows[f"out.{name}"].to_list(), mine, strict=True)
        ]
        width = max(len(one) if isinstance(one, list) else 1 for one in given if one is not None)
        even = [1 / max(width, 2)] * width
        cells = [even if one is None else (one if isinstance(one, list) else [one]) for one in given]
        return {name: np.array(cells, dtype=float)}, manifest
    return None


def _logged(
    house: House, model: str, since_us: int | None, until_us: int | None, kinds: tuple[Kind, ...]
) -> pl.DataFrame:
    return log_frame(house.home, house.blobs, model, since_us=since_us, until_us=until_us, kinds=kinds,
                     where="status < 400", limit=MOST_ROWS, database=house.db)  # fmt: skip


def _drawn(rows: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return rows if rows.size <= MOST_ROWS else chance.choice(rows, MOST_ROWS, replace=False)
