"""Small pictures of columns that can be added up: counts over fixed edges, or over known values.

A sketch of the reference fixes edges at its quantiles; production counts over the same edges, in as many pieces as it
likes, and the pieces add up to what one count of everything would give. Nothing of the rows is kept.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

BINS = 64
TOP = 256
_MOST = float(np.finfo(float).max)
_PIECE = 1 << 18  # rows sorted at once: they stay in the processor's cache


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
    """A reference's sketch, its edges at its own quantiles. A value that fills a whole bin gets one to itself, so that
    constants and zeros do not mix with what lies just above them.

    >>> sketch_numbers(np.array([1.0, 2.0, 3.0, 4.0]), bins=2).edges
    (2.5,)
    """
    ordered = np.sort(values)  # missing ones last, infinities at the ends
    finite = ordered[slice(*np.searchsorted(ordered, (-_MOST, np.inf)))]
    if not finite.size:
        return count_numbers(values, ())
    found, times = np.unique(_quantiles(finite, np.linspace(0, 1, bins + 1)[1:-1]), return_counts=True)
    above = np.nextafter(found[(times > 1) | (found == finite[0])], np.inf)
    edges = np.union1d(found, above[np.isfinite(above)])
    return _counted(ordered, edges)


def count_numbers(values: np.ndarray, edges: Sequence[float]) -> NumberSketch:
    """Counts of values over edges that are given; in pieces, so memory does not grow with the rows."""
    limits = np.asarray(edges, dtype=float)
    pieces = [
        _counted(np.sort(values[start : start + _PIECE]), limits) for start in range(0, values.size, _PIECE)
    ]
    whole = pieces[0] if pieces else _counted(values, limits)
    for piece in pieces[1:]:
        whole = merged_numbers(whole, piece)
    return whole


def _counted(ordered: np.ndarray, edges: np.ndarray) -> NumberSketch:
    """Of sorted values: where an edge would stand says how many lie below it. Sorting is quicker than placing each."""
    start, end, known = np.searchsorted(ordered, (-_MOST, np.inf, np.nan)).tolist()
    finite = ordered[start:end]
    places = np.searchsorted(finite, edges, side="left")
    counts = np.diff(places, prepend=0, append=finite.size)
    with np.errstate(over="ignore"):  # sums of the largest floats are infinite, and say so
        total, squares = float(finite.sum(dtype=float)), float(np.square(finite, dtype=float).sum())
    return NumberSketch(
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), missing=ordered.size - known,
        infinite=start + known - end, total=total, squares=squares,
        low=float(finite[0]) if finite.size else None, high=float(finite[-1]) if finite.size else None,
    )  # fmt: skip


def _quantiles(ordered: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Of sorted values, as numpy's: on the straight line between the two nearest."""
    exact = places * (ordered.size - 1)
    below = exact.astype(int)
    first, second = (
        ordered[below].astype(float),
        ordered[np.minimum(below + 1, ordered.size - 1)].astype(float),
    )
    share = exact - below
    found: np.ndarray = first * (1 - share) + second * share
    return np.where(first == second, first, found)


def sketch_words(counted: Sequence[tuple[str, int]], missing: int, top: int = TOP) -> WordSketch:
    """A reference's sketch from counts by value: the most frequent ones are known by name (ties in order of the name)."""
    ordered = sorted(counted, key=lambda pair: (-pair[1], pair[0]))
    return WordSketch(
        values=tuple(name for name, _ in ordered[:top]), counts=tuple(count for _, count in ordered[:top]),
        other=sum(count for _, count in ordered[top:]), missing=missing,
    )  # fmt: skip


def count_words(
    counted: Sequence[tuple[str, int]], missing: int, values: Sequence[str], *, rows: int | None = None
) -> WordSketch:
    """Counts over names that are given. `rows`: values in all, where `counted` holds these names only."""
    found = dict(counted)
    counts = tuple(found.get(name, 0) for name in values)
    total = sum(found.values()) if rows is None else rows
    return WordSketch(values=tuple(values), counts=counts, other=total - sum(counts), missing=missing)


def merged(left: Sketch, right: Sketch) -> Sketch:
    """Two pieces as one. Raises ValueError for sketches over other edges or names."""
    if isinstance(left, NumberSketch) and isinstance(right, NumberSketch):
        return merged_numbers(left, right)
    if isinstance(left, WordSketch) and isinstance(right, WordSketch) and left.values == right.values:
        return WordSketch(values=left.values, counts=_sums(left.counts, right.counts), other=left.other + right.other,
                          missing=left.missing + right.missing)  # fmt: skip
    raise ValueError("sketches over other edges or values cannot be added up")


def merged_numbers(left: NumberSketch, right: NumberSketch) -> NumberSketch:
    """Two pieces over the same edges as one. Raises ValueError for other edges."""
    if left.edges != right.edges:
        raise ValueError("sketches over other edges or values cannot be added up")
    return NumberSketch(
        edges=left.edges, counts=_sums(left.counts, right.counts), missing=left.missing + right.missing,
        infinite=left.infinite + right.infinite, total=left.total + right.total, squares=left.squares + right.squares,
        low=min((each for each in (left.low, right.low) if each is not None), default=None),
        high=max((each for each in (left.high, right.high) if each is not None), default=None),
    )  # fmt: skip


def _sums(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    return tuple(one + other for one, other in zip(left, right, strict=True))
