"""Personal inputs as monitors count them: so coarsely that nobody is named, and still so that a move is seen.

Of numbers eight ranges are kept instead of sixty-four, each of many people of the validation, and neither sums nor extremes.
Words are counted in sixteen groups by a hash under this home's secret, which no one can turn back into words: many words share a
group, and none is written down. Where there are too many words for that (identifying ones: names, streets), only the share of
missing values is kept. How personal inputs go together with others is not looked at.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from hashlib import sha256

import msgspec
import numpy as np
import polars as pl

from lockgate.monitor.reference import Reference
from lockgate.stats.pairs import Pairs
from lockgate.stats.sketch import NumberSketch, Sketch, WordSketch

GROUPS, RANGES = 16, 8
LEAST_PEOPLE = 20  # rows of the validation in a range
_SAME = {"true": "1", "false": "0"}


@dataclass(frozen=True)
class Veil:
    """Which inputs of a model are personal. `secret`: this home's."""

    columns: frozenset[str] = frozenset()
    secret: bytes = b""

    def over(self, reference: Reference) -> Reference:
        """The reference without any value of a person."""
        mine = sorted(self.columns & reference.columns.keys())
        columns = {
            name: self._veiled(name, sketch) if name in mine else sketch
            for name, sketch in reference.columns.items()
        }
        pairs = None if reference.pairs is None else _without(reference.pairs, frozenset(mine))
        return msgspec.structs.replace(reference, columns=columns, pairs=pairs, veiled=tuple(mine))

    def fits(self, reference: Reference) -> bool:
        """Whether the reference was veiled for these inputs, no more and no less."""
        return set(reference.veiled) == self.columns & reference.columns.keys()

    def groups(self, name: str, words: pl.Series) -> pl.Series:
        """Words (null: missing) as their groups."""
        there = words.drop_nulls().unique().to_list()
        return words.replace_strict(
            {word: self._group(name, word) for word in there}, default=None, return_dtype=pl.String
        )

    def _group(self, name: str, word: str) -> str:
        said = f"monitor\0{name}\0{_SAME.get(word, word)}".encode()
        return f"group {int.from_bytes(hmac.new(self.secret, said, sha256).digest()[:8], 'big') % GROUPS + 1}"

    def _veiled(self, name: str, sketch: Sketch) -> Sketch:
        if isinstance(sketch, NumberSketch):
            return _coarse(sketch)
        if sketch.other:
            return WordSketch(values=(), counts=(), other=sketch.rows, missing=sketch.missing)
        counts: dict[str, int] = {f"group {number}": 0 for number in range(1, GROUPS + 1)}
        for word, count in zip(sketch.values, sketch.counts, strict=True):
            counts[self._group(name, word)] += count
        return WordSketch(values=tuple(counts), counts=tuple(counts.values()), missing=sketch.missing)


OPEN = Veil()  # over nothing


def _coarse(sketch: NumberSketch) -> NumberSketch:
    """Fewer, wider bins; neighbours are joined until each holds its part, and enough people."""
    least = max(LEAST_PEOPLE, sketch.rows / RANGES * 0.9)
    edges, counts, held = [], [], 0
    for place, count in enumerate(sketch.counts):
        held += count
        if held >= least and place < len(sketch.edges):
            edges.append(sketch.edges[place])
            counts.append(held)
            held = 0
    if held < LEAST_PEOPLE and counts:  # the last one is too small to stand alone
        edges.pop()
        held += counts.pop()
    return NumberSketch(
        edges=tuple(edges), counts=(*counts, held), missing=sketch.missing, infinite=sketch.infinite
    )


def _without(pairs: Pairs, names: frozenset[str]) -> Pairs:
    """The same of the other columns."""
    size = len(pairs.names)
    table = np.zeros((size, size))
    table[np.triu_indices(size)] = pairs.products
    kept = [place for place, name in enumerate(pairs.names) if name not in names]
    return Pairs(
        names=tuple(pairs.names[place] for place in kept), rows=pairs.rows,
        sums=tuple(pairs.sums[place] for place in kept),
        products=tuple(table[np.ix_(kept, kept)][np.triu_indices(len(kept))].tolist()),
    )  # fmt: skip
