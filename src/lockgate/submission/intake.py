"""The tables of a submission: small ones whole, larger ones on disk and a part of their rows in memory.

What a model needs to be told of its data (types, categories, what may be missing) a part of the rows says as well, if it is
drawn so that it holds what each column can hold; the store gets every row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from lockgate.blobs import Blobs
from lockgate.datasets.dataset import Dataset, read_table, store_dataset, store_parquet
from lockgate.datasets.large import is_large, rewritten, standing_for
from lockgate.errors import InvalidInput
from lockgate.submission.parts import Part

DATA_NAMES = ("train", "validation", "test")
MOST_ROWS = 200_000  # of a large table: what the signature is read from and compiled answers are proven on


@dataclass(frozen=True, eq=False)
class Table:
    """`frame`: the table, or, where `file` holds it, the rows that stand for it."""

    frame: pl.DataFrame
    file: Path | None = None

    def store(self, blobs: Blobs) -> Dataset:
        """Keep every row under the digest of the content."""
        return store_dataset(blobs, self.frame) if self.file is None else store_parquet(blobs, self.file)


def taken(data: Mapping[str, Part | pl.DataFrame], folder: Path) -> dict[str, Table]:
    """The tables by their use; large files lie as Parquet in `folder`. Raises InvalidInput and NotFound as `read_table`."""
    unknown = [name for name in data if name not in DATA_NAMES]
    if unknown:
        raise InvalidInput("data have a known use", got=", ".join(unknown), allowed=", ".join(DATA_NAMES))
    return {name: _table(name, given, folder) for name, given in data.items()}


def _table(name: str, given: Part | pl.DataFrame, folder: Path) -> Table:
    if isinstance(given, pl.DataFrame):
        return Table(given)
    source = given.source
    if isinstance(source, bytes) or not source.is_file() or not is_large(source, given.name):
        return Table(read_table(source, given.name))
    file = rewritten(source, given.name, folder / f"{name}.parquet")
    return Table(standing_for(file, MOST_ROWS, np.random.default_rng(0)), file)
