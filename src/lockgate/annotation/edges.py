"""Edge cases found before labelling starts: the rows over which people would argue later, for the instructions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import polars as pl

from lockgate.late import late

if TYPE_CHECKING:
    from sklearn import neighbors
else:
    neighbors = late("sklearn.neighbors")

_RARE = 0.01  # a share of rows
_LONE = 3  # rows of this many
_NEIGHBOURS = 5
_LOOKED = 5_000
_READ = 2_000  # letters of a text
_SENTENCE = 20  # letters on the median: shorter cells are names and codes
_LOOKED_LEAST = 20
_HARDLY = 0.001  # of all letters
_STRANGE = 0.5  # of a text's letters
_FAR = 4.0  # quarter ranges beyond the quarters


class Edge(msgspec.Struct, frozen=True):
    """A row to decide about first. `row`: its place in the table, from 0."""

    row: int
    words: str


def edges_of(
    frame: pl.DataFrame, matrix: np.ndarray, most: int, random: int = 0, *, odd: Sequence[Edge] = ()
) -> list[Edge]:
    """At most `most` edge cases, of different kinds in turns, no row twice: values far out, rare values, what is missing,
    empty and very long text, text in unusual letters, rows unlike all others; and those that are `odd`, as somebody else told."""
    kinds = [
        odd, _far(frame), _rare(frame), _missing(frame), _long(frame), _foreign(frame), _lonely(matrix, random)
    ]  # fmt: skip
    found: list[Edge] = []
    seen: set[int] = set()
    for turn in range(max(map(len, kinds), default=0)):
        for kind in kinds:
            if turn < len(kind) and kind[turn].row not in seen and len(found) < most:
                seen.add(kind[turn].row)
                found.append(kind[turn])
    return found


def _far(frame: pl.DataFrame) -> list[Edge]:
    """Numbers beyond four quarter ranges, the farthest of a column; those of the farthest column first."""
    found = []
    for name in frame.columns:
        if not frame[name].dtype.is_numeric():
            continue
        values = frame[name].cast(pl.Float64).to_numpy()
        there = values[np.isfinite(values)]
        if there.size < 20:
            continue
        low, middle, high = np.quantile(there, (0.25, 0.5, 0.75))
        wide = high - low
        away = np.where(np.isfinite(values), np.abs(values - middle), -1.0)
        row = int(away.argmax())
        if wide > 0 and away[row] > _FAR * wide:
            found.append(
                (
                    away[row] / wide,
                    Edge(row, f"{name} is {_said(values[row])}, usual are {_said(low)} to {_said(high)}"),
                )
            )
    return [edge for _, edge in sorted(found, key=lambda one: -one[0])]


def _rare(frame: pl.DataFrame) -> list[Edge]:
    """A row of each text value that stands in less than a hundredth of the rows; identifiers are none."""
    found = []
    for name in frame.columns:
        if frame[name].dtype not in {pl.String, pl.Categorical, pl.Enum}:
            continue
        values = frame[name].cast(pl.String)
        if values.n_unique() > max(20, 0.2 * frame.height):
            continue
        counts = values.drop_nulls().value_counts().sort("count", name).rows()
        for value, count in counts[:_LONE]:
            if count <= max(1, _RARE * frame.height) and len(counts) > 1:
                row = int((values == value).fill_null(False).arg_max() or 0)
                found.append(Edge(row, f"{name} is {value!r}, as in {count} of {frame.height} rows"))
    return found


def _missing(frame: pl.DataFrame) -> list[Edge]:
    """The row in which the most is missing."""
    if frame.width == 0 or frame.height == 0:
        return []
    holes = frame.select(pl.sum_horizontal(pl.all().is_null().cast(pl.Int32))).to_series()
    row = int(holes.arg_max() or 0)
    return (
        [Edge(row, f"{holes[row]} of {frame.width} values are missing")]
        if holes[row] > np.median(holes)
        else []
    )


def _long(frame: pl.DataFrame) -> list[Edge]:
    """Text that is empty, or far longer than usual."""
    found = []
    for name in frame.columns:
        if frame[name].dtype != pl.String:
            continue
        length = frame[name].str.strip_chars().str.len_chars().fill_null(-1).to_numpy()
        usual = float(np.median(length[length >= 0])) if (length >= 0).any() else 0.0
        if usual > 0 and (length == 0).any():
            found.append(Edge(int((length == 0).argmax()), f"{name} is empty"))
        if usual >= 20 and length.max() > 10 * usual:
            found.append(
                Edge(int(length.argmax()), f"{name} has {length.max():,} letters, usual are {round(usual):,}")
            )
    return found


def _foreign(frame: pl.DataFrame) -> list[Edge]:
    """Text that is mostly letters and signs which are hardly used elsewhere: another script, symbols, rubbish."""
    found = []
    for name in frame.columns:
        if frame[name].dtype != pl.String:
            continue
        texts = [text.lower()[:_READ] for text in frame[name].fill_null("").to_list()]
        counts = Counter("".join(texts[:: max(1, len(texts) // _LOOKED)]))
        usual = {letter for letter, count in counts.items() if count >= _HARDLY * counts.total()}
        if len(texts) < _LOOKED_LEAST or np.median([len(text) for text in texts]) < _SENTENCE:
            continue
        strange = np.array([sum(each not in usual for each in text) / max(len(text), 1) for text in texts])
        row = int(strange.argmax())
        if strange[row] >= _STRANGE:
            found.append(Edge(row, f"{strange[row]:.0%} of the signs of {name} are hardly used elsewhere"))
    return found


def _said(value: float) -> str:
    """Three digits, or the whole number.

    >>> _said(12345.6), _said(0.021234)
    ('12346', '0.0212')
    """
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _lonely(matrix: np.ndarray, random: int) -> list[Edge]:
    """Rows far from every other row (of a sample)."""
    if len(matrix) <= 10 * _NEIGHBOURS or matrix.shape[1] == 0:
        return []
    chance = np.random.default_rng(random)
    rows = np.sort(chance.choice(len(matrix), min(len(matrix), _LOOKED), replace=False))
    away, _ = neighbors.NearestNeighbors(n_neighbors=_NEIGHBOURS + 1).fit(matrix[rows]).kneighbors()
    far = away.mean(axis=1)
    order = np.argsort(-far)[:_LONE]
    usual = float(np.median(far))
    return [
        Edge(
            int(rows[at]),
            f"unlike all other rows: {far[at] / usual:.1f} times as far from its neighbours as usual",
        )
        for at in order
        if usual > 0 and far[at] > 2 * usual
    ]
