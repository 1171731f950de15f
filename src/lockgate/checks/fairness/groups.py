"""The groups of protected columns: a category, a range of a number, "missing", and pairs of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import polars as pl

from lockgate.datasets.slices import MISSING, slices_of
from lockgate.errors import InvalidInput


@dataclass(frozen=True, eq=False)
class Group:
    """Rows of people who share a value of `attribute` (or of two: `sex and race`). `mask`: n truth values."""

    attribute: str
    label: str
    mask: np.ndarray

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return int(self.mask.sum())


def groups_of(
    frame: pl.DataFrame, columns: Sequence[str], cuts: Mapping[str, Sequence[float]]
) -> dict[str, list[Group]]:
    """The groups of each column, whatever their size; numbers are cut where `cuts` says, else into quarters."""
    return {column: _groups(frame[column], cuts.get(column)) for column in columns}


def pairs_of(single: Mapping[str, list[Group]]) -> list[Group]:
    """The groups of every two columns together; empty ones are left out."""
    found = []
    for (first, ones), (second, others) in combinations(single.items(), 2):
        for one in ones:
            for other in others:
                both = Group(f"{first} and {second}", f"{one.label}, {other.label}", one.mask & other.mask)
                if both.rows:
                    found.append(both)
    return found


def _groups(series: pl.Series, cuts: Sequence[float] | None) -> list[Group]:
    if cuts is None:
        frame = series.to_frame()
        return [
            Group(series.name, _label(series, part.label), part.mask)
            for part in slices_of(frame, [series.name])
        ]
    numbers = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    edges = sorted(float(cut) for cut in cuts)
    if not series.dtype.is_numeric() or not np.isfinite(edges).all() or not edges:
        raise InvalidInput(f"checks.fairness.cuts: '{series.name}' cannot be cut", got=f"{series.dtype}, {list(cuts)}",
                           allowed="a column of numbers, and at least one number to cut at")  # fmt: skip
    found = [Group(series.name, _label(series, f"up to {edges[0]:g}"), numbers <= edges[0])]
    found += [Group(series.name, _label(series, f"over {low:g} up to {high:g}"), (numbers > low) & (numbers <= high))
              for low, high in pairwise(edges)]  # fmt: skip
    found += [Group(series.name, _label(series, f"over {edges[-1]:g}"), numbers > edges[-1]),
              Group(series.name, _label(series, MISSING), np.isnan(numbers))]  # fmt: skip
    return [group for group in found if group.rows]


def _label(series: pl.Series, label: str) -> str:
    """A value for people: "72 % of 1" says nothing, so what is no word of its own is told with the column.

    >>> _label(pl.Series("black", [0.0, 1.0]), "1.0"), _label(pl.Series("sex", ["f"]), "f")
    ('black = 1', 'f')
    """
    if not (series.dtype.is_numeric() or series.dtype == pl.Boolean):
        return label
    number = label.removeprefix("-").replace(".", "", 1).isdigit()
    if number or series.dtype == pl.Boolean:
        return f"{series.name} = {float(label):g}" if number else f"{series.name} = {label}"
    return f"{series.name} {label}"
