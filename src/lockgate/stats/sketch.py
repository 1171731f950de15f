"""Small pictures of columns that can be added up: counts over fixed edges, or over known values.

A sketch of the reference fixes edges at its quantiles; production counts over the same edges, in as many pieces as it
likes, and the pieces add up to what one count of everything would give. Nothing of the rows is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

BINS = 64
TOP = 64


class NumberSketch(msgspec.Struct, frozen=True, kw_only=True, tag="numbers"):
    """n numbers: `counts[0]` lie below `edges[0]`, `counts[i]` in [edges[i-1], edges[i]), the last at or above the last edge.

    `missing` counts NaN, `infinite` both infinities; `total` and `squares` are sums over the finite ones.
    """

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int = 0
    infinite: int = 0
    total: float = 0.0
    squares: float = 0.0
    low: float | None = None
    high: float | None = None

    @property
    def rows(self) -> int:
        """Finite values."""
        return sum(self.counts)


class WordSketch(msgspec.Struct, frozen=True, kw_only=True, tag="words"):
    """n values by name: counts of the known ones, `other` for the rest, `missing`."""

    values: tuple[str, ...]
    counts: tuple[int, ...]
    other: int = 0
    missing: int = 0

    @property
    def rows(self) -> int:
        """Values that are there."""
        return sum(self.counts) + self.other


Sketch = NumberSketch | WordSketch


def sketch_numbers(values: np.ndarray, bins: int = BINS) -> NumberSketch:
    """A reference's sketch, its edges at its own quantiles; equal quantiles make one edge.

    >>> sketch_numbers(np.array([1.0, 2.0, 3.0, 4.0]), bins=2).edges
    (2.5,)
    """
    finite = values[np.isfinite(values)]
    places = np.linspace(0, 1, bins + 1)[1:-1]
    edges = np.unique(np.quantile(finite, places)) if finite.size else np.empty(0)
    return count_numbers(values, tuple(edges.tolist()))


def count_numbers(values: np.ndarray, edges: Sequence[float]) -> NumberSketch:
    """Counts of values over edges that are given."""
    finite = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(np.asarray(edges), finite, side="right"), minlength=len(edges) + 1)
    return NumberSketch(
        edges=tuple(edges), counts=tuple(counts.tolist()), missing=int(np.isnan(values).sum()),
        infinite=int(np.isinf(values).sum()), total=float(finite.sum()), squares=float((finite**2).sum()),
        low=float(finite.min()) if finite.size else None, high=float(finite.max()) if finite.size else None,
    )  # fmt: skip


def sketch_words(counted: Sequence[tuple[str, int]], missing: int, top: int = TOP) -> WordSketch:
    """A reference's sketch from counts by value: the most frequent ones are known by name (ties in order of the name)."""
    ordered = sorted(counted, key=lambda pair: (-pair[1], pair[0]))
    return WordSketch(
        values=tuple(name for name, _ in ordered[:top]), counts=tuple(count for _, count in ordered[:top]),
        other=sum(count for _, count in ordered[top:]), missing=missing,
    )  # fmt: skip


def count_words(counted: Sequence[tuple[str, int]], missing: int, values: Sequence[str]) -> WordSketch:
    """Counts over names that are given."""
    found = dict(counted)
    counts = tuple(found.get(name, 0) for name in values)
    return WordSketch(
        values=tuple(values), counts=counts, other=sum(found.values()) - sum(counts), missing=missing
    )


def merged(left: Sketch, right: Sketch) -> Sketch:
    """Two pieces as one. Raises ValueError for sketches over other edges or names."""
    if isinstance(left, NumberSketch) and isinstance(right, NumberSketch) and left.edges == right.edges:
        return NumberSketch(
            edges=left.edges, counts=_sums(left.counts, right.counts), missing=left.missing + right.missing,
            infinite=left.infinite + right.infinite, total=left.total + right.total, squares=left.squares + right.squares,
            low=min((each for each in (left.low, right.low) if each is not None), default=None),
            high=max((each for each in (left.high, right.high) if each is not None), default=None),
        )  # fmt: skip
    if isinstance(left, WordSketch) and isinstance(right, WordSketch) and left.values == right.values:
        return WordSketch(values=left.values, counts=_sums(left.counts, right.counts), other=left.other + right.other,
                          missing=left.missing + right.missing)  # fmt: skip
    raise ValueError("sketches over other edges or values cannot be added up")


def _sums(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return tuple(one + other for one, other in zip(left, right, strict=True))
