"""The rows of a pool as numbers: tables by their columns, texts by their words, pictures by what can be seen in the large."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from lockgate.annotation.edges import Edge
from lockgate.annotation.logged import seen
from lockgate.annotation.pictures import (
    Look,
    PictureReader,
    look_at,
    odd_pictures,
    picture_likeness,
    picture_reader,
)
from lockgate.annotation.repeats import Likeness
from lockgate.annotation.texts import text_columns, text_likeness, text_reader
from lockgate.checks.matrix import Columns, Reader, reader_of
from lockgate.datasets.dataset import load_rows
from lockgate.errors import InvalidInput
from lockgate.registry.store import Version
from lockgate.wiring.annotation_pool import SHA256, Rows, Tell, image_bytes
from lockgate.wiring.house import House

_BEFORE = 5_000  # rows of the training data that production is held against
_PICTURES_BEFORE = 1_000  # each is decoded


@dataclass(frozen=True, eq=False)
class Numbers:
    """A pool of n rows as `matrix` (n, d); `reader`: how other tables are read in the same way. When two rows are nearly one,
    None where the matrix says it; edge cases that are not to be told by the rows."""

    matrix: np.ndarray
    reader: Reader
    likeness: Likeness | None = None
    odd: tuple[Edge, ...] = ()


def numbers_of(house: House, rows: Rows, text: str | None, tell: Tell) -> Numbers:
    """The rows as numbers. `text`: the column that people will read, where there is one. Raises InvalidInput for a file that is
    no picture."""
    if not rows.pictures:
        return _of_table(rows.inputs, text, tell)
    looks = rows.looks if rows.looks is not None else _looked(house, rows, tell)
    read = picture_reader(looks)
    others = reader_of(rows.inputs, [name for name in rows.inputs.columns if name != SHA256])
    matrix = np.column_stack([read(looks), others.read(rows.inputs)])
    pictures: dict[str, Columns] = {} if rows.picture is None else {rows.picture: _Cells(read)}
    columns = {**pictures, **others.columns}
    return Numbers(
        matrix, Reader(columns, matrix.shape[1]), picture_likeness(looks), tuple(odd_pictures(looks))
    )


def before_of(
    house: House, version: Version | None, rows: Rows, numbers: Numbers, seed: int
) -> np.ndarray | None:
    """Rows that the version was made with, as the pool is read; None where they are not kept or lack columns."""
    reader = numbers.reader
    if version is None or not reader.columns:
        return None
    digest = version.manifest.data.get("train") or version.manifest.data.get("validation")
    if digest is None:
        return None
    most = _BEFORE if rows.picture is None else _PICTURES_BEFORE
    known, _ = load_rows(house.blobs, digest, most, np.random.default_rng(seed))
    return reader.read(known) if set(reader.columns) <= set(known.columns) else None


@dataclass(frozen=True)
class _Cells:
    """Reads a column of pictures as a log or a table holds them; what is no picture counts as the middle of all."""

    read: PictureReader

    def __call__(self, series: pl.Series) -> np.ndarray:
        told = [seen(cell) for cell in series]
        made = np.zeros((len(told), self.read.middle.size))
        made[[one is not None for one in told]] = self.read([one[0] for one in told if one is not None])
        return made


def _of_table(frame: pl.DataFrame, text: str | None, tell: Tell) -> Numbers:
    plain = reader_of(frame, frame.columns)
    texts = dict.fromkeys([*([text] if text is not None else []), *text_columns(frame, plain.columns)])
    columns = {name: read for name, read in plain.columns.items() if name not in texts}
    for place, name in enumerate(texts):
        tell(f"reading the texts of {name}", place, len(texts))
        read = text_reader(frame[name])
        if read is not None:
            columns[name] = read
    parts = [read(frame[name]) for name, read in columns.items()]
    matrix = np.column_stack(parts) if parts else np.empty((frame.height, 0))
    return Numbers(
        matrix, Reader(columns, matrix.shape[1]), None if text is None else text_likeness(frame[text])
    )


def _looked(house: House, rows: Rows, tell: Tell) -> list[Look]:
    """The pictures of a data version, looked at."""
    looks = []
    for place in range(rows.inputs.height):
        tell("looking at pictures", place, rows.inputs.height)
        try:
            looks.append(look_at(image_bytes(house, rows, place)))
        except InvalidInput as error:
            path = rows.files["path"][place] if rows.files is not None else place
            raise InvalidInput(f"{path} cannot be looked at: {error.what}", got=error.got,
                               fix="take it out of the folder, or write it again") from error  # fmt: skip
    return looks
