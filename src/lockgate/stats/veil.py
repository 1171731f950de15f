"""Sketches of personal columns, so coarse that nobody is named and still such that a move is seen.

Of numbers eight ranges are kept instead of sixty-four, each of many people, and neither sums nor extremes. Words are counted in
sixteen groups by a hash under a secret, which no one can turn back into words: many words share a group, and none is written
down. Where there are too many words for that (identifying ones: names, streets), only how many are missing is kept. How personal
columns go together with others is not kept.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from hashlib import sha256

import numpy as np

from lockgate.stats.pairs import Pairs
from lockgate.stats.sketch import NumberSketch, Sketch, WordSketch

GROUPS, RANGES = 16, 8
LEAST_PEOPLE = 20  # rows in a range
_SAME = {"true": "1", "false": "0"}


def group_of(secret: bytes, column: str, word: str) -> str:
    """The group that a word of a column is counted in; a truth value is the same as a word and as a number.

    >>> group_of(b"s", "smoker", "true") == group_of(b"s", "smoker", "1")
    True
    """
    said = f"monitor\0{column}\0{_SAME.get(word, word)}".encode()
    return f"group {int.from_bytes(hmac.new(secret, said, sha256).digest()[:8], 'big') % GROUPS + 1}"


def veiled(sketch: Sketch, column: str, secret: bytes) -> Sketch:
    """The sketch of a personal column without any value of a person."""
    if isinstance(sketch, NumberSketch):
        return _coarse(sketch)
    if sketch.other:
        return WordSketch(values=(), counts=(), other=sketch.rows, missing=sketch.missing)
    counts: dict[str, int] = {f"group {number}": 0 for number in range(1, GROUPS + 1)}
    for word, count in zip(sketch.values, sketch.counts, strict=True):
        counts[group_of(secret, column, word)] += count
    return WordSketch(values=tuple(counts), counts=tuple(counts.values()), missing=sketch.missing)


def pairs_without(pairs: Pairs, names: Collection[str]) -> Pairs:
    """How the other columns go together."""
    size = len(pairs.names)
    table = np.zeros((size, size))
    table[np.triu_indices(size)] = pairs.products
    kept = [place for place, name in enumerate(pairs.names) if name not in names]
    return Pairs(
        names=tuple(pairs.names[place] for place in kept), rows=pairs.rows,
        sums=tuple(pairs.sums[place] for place in kept),
        products=tuple(table[np.ix_(kept, kept)][np.triu_indices(len(kept))].tolist()),
    )  # fmt: skip


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
