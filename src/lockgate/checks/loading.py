"""The stored tables of a version as checks see them: whole up to a million rows, else a sample of so many."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from lockgate.blobs import Blobs
from lockgate.checks.evidence import Split, chance
from lockgate.datasets.dataset import load_rows
from lockgate.datasets.readers import typed_as
from lockgate.errors import InvalidInput

MOST_ROWS = 1_000_000  # a share in so many rows is exact to a tenth of a per cent


@dataclass(frozen=True, eq=False)
class Tables:
    """Tables by split. `whole`: how many rows those have in all of which only a sample is here."""

    frames: dict[Split, pl.DataFrame]
    whole: dict[str, int]


def load_tables(blobs: Blobs, data: Mapping[str, str], seed: int = 0) -> Tables:
    """The tables of a version (split -> digest). A larger one is read in pieces and never whole in memory.

    The same seed draws the same rows. What a CSV's reader took for another type than the training table has, and is the
    same, gets the training table's type. Raises InvalidInput for an unknown split, NotFound, SealBroken.
    """
    unknown = [name for name in data if name not in set(Split)]
    if unknown:
        raise InvalidInput(
            "there is no such part of the data", got=", ".join(unknown), allowed=", ".join(Split)
        )
    found = Tables({}, {})
    for name, digest in data.items():
        found.frames[Split(name)], rows = load_rows(blobs, digest, MOST_ROWS, chance(seed, f"rows of {name}"))
        if rows > MOST_ROWS:
            found.whole[name] = rows
    train = found.frames.get(Split.TRAIN)
    if train is not None:
        found.frames.update({split: typed_as(train, frame) for split, frame in found.frames.items()})
    return found
