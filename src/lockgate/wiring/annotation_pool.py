"""Pools to pick from: rows of a data version, what models say of a pool's rows, and which labels there are."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
import sqlalchemy as sa

from lockgate.annotation.batches import Scalar
from lockgate.annotation.pictures import Look
from lockgate.config import ModelConfig
from lockgate.datasets.classes import class_names
from lockgate.datasets.columns import columns_from
from lockgate.datasets.images import FILES
from lockgate.datasets.versions import DataKind, DataVersion, Origin, get_data, parse_data
from lockgate.errors import Conflict, InvalidInput, NotFound
from lockgate.predictions.record import Columns
from lockgate.registry.manifest import Manifest
from lockgate.registry.signature import IMAGE
from lockgate.registry.store import Version
from lockgate.wiring.datasets import frame_of
from lockgate.wiring.house import House
from lockgate.wiring.packages import open_version

SHA256 = "sha256"  # of a picture, where its row stands among the inputs
MOST_ROWS = 100_000  # unlabelled rows that are looked at; of more a sample
_CHUNK = 10_000
Tell = Callable[..., None]


@dataclass(frozen=True, eq=False)
class Answered:
    """What a version answered to some rows of a pool: `places` (k,); None: to all."""

    columns: Columns
    manifest: Manifest
    places: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of a pool: `inputs` alone; `places` (n,): their numbers in the data version, or in this stretch of the log;
    `labels` as text, None where there is none. Of the log also `ids`, `within` and `at_us`. `answers`: those that belong together
    are of one standing, each row answered by one version. Of pictures `files` of a data version, or `picture`, the input of the
    log that holds them, with what was seen (`looks`); `inputs` hold their digests as `sha256`."""

    inputs: pl.DataFrame
    places: np.ndarray
    labels: list[str | None]
    in_all: int
    keys: list[str | None] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    within: list[int] = field(default_factory=list)
    at_us: list[int] = field(default_factory=list)
    answers: tuple[tuple[Answered, ...], ...] = ()
    files: pl.DataFrame | None = None
    folder: Path | None = None  # where the files are, when they were not copied
    picture: str | None = None
    looks: Sequence[Look] | None = None
    said: tuple[str, ...] = ()

    @property
    def pictures(self) -> bool:
        """Whether people will look at pictures."""
        return self.files is not None or self.picture is not None


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
        inputs.select(SHA256) if images else inputs, places, [labels[place] or None for place in places], whole.height,
        keys=keys, files=kept if images else None,
        folder=Path(data.source.path) if images and data.source.path else None,
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
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        found.append((Answered(columns, version.manifest),))
    return replace(rows, answers=(*rows.answers, *found))


def probabilities(answers: Sequence[Answered], classes: Sequence[Scalar], rows: int) -> np.ndarray | None:
    """Probabilities of one standing, (rows, classes), in the order of `classes`: NaN for rows that nobody answered so; None where
    no version gives any of these."""
    made = np.full((rows, len(classes)), np.nan)
    for each in answers:
        given = _given(each, classes)
        if given is not None:
            made[slice(None) if each.places is None else each.places] = given
    return None if np.isnan(made).all() else made


def _given(answers: Answered, classes: Sequence[Scalar]) -> np.ndarray | None:
    columns, answer = answers.columns, answers.manifest.answer
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


def image_bytes(house: House, rows: Rows, place: int) -> bytes:
    """One picture of a pool of files."""
    if rows.files is None:
        raise InvalidInput("this pool holds no files")
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


def with_labels(tx: sa.Connection, data: DataVersion, name: str) -> DataVersion:
    """The newest version under `name` that only labels made of `data`, so that those of other batches stay; else `data`."""
    with suppress(NotFound):
        newest = found = get_data(tx, name)
        while found.source.origin is Origin.LABELS and found.source.parent is not None:
            if found.source.parent == data.full:
                return newest
            found = get_data(tx, *parse_data(found.source.parent))
    return data


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


def _drawn(rows: np.ndarray, chance: np.random.Generator) -> np.ndarray:
    return rows if rows.size <= MOST_ROWS else chance.choice(rows, MOST_ROWS, replace=False)
