"""What a table's columns look like: kinds, missing values, ranges, histograms, most frequent values, how long texts are.

A profile is small, holds no row, and is kept beside a data set so that a later table can be compared with it. It is made column
by column and piece by piece: of more than a million rows the inner quantiles are those of a million by chance.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import polars as pl

from lockgate.datasets.counted import counted
from lockgate.datasets.pieces import Table, table_of

HISTOGRAM_BINS = 20
TOP_VALUES = 20
QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
MOST_DRAWN = 1_000_000  # numbers that quantiles are taken of
MOST_TEXTS = 50_000  # texts whose words are counted
PROSE_WORDS = 3  # texts of fewer words, by their middle, are names and categories
_WORD = r"[\p{L}\p{M}']{2,}"


class Numbers(msgspec.Struct, frozen=True):
    """A numeric column without its missing and infinite values. `counts[i]` lie between `edges[i]` and `edges[i+1]`."""

    mean: float
    deviation: float
    quantiles: tuple[float, ...]  # at QUANTILES
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    infinite: int


class Texts(msgspec.Struct, frozen=True):
    """A column of prose: how many words its texts have (as a histogram), and in what share of them each frequent word stands."""

    quantiles: tuple[float, ...]  # of words a text, at QUANTILES
    edges: tuple[float, ...]
    counts: tuple[int, ...]
    words: tuple[tuple[str, float], ...]


class ColumnProfile(msgspec.Struct, frozen=True):
    """One column. `top` are the most frequent values as text, with their rows; empty for numbers of many values."""

    name: str
    kind: str
    missing: int
    distinct: int
    top: tuple[tuple[str, int], ...] = ()
    numbers: Numbers | None = None
    texts: Texts | None = None


class Profile(msgspec.Struct, frozen=True):
    """A table: rows and one profile a column, in order."""

    rows: int
    columns: tuple[ColumnProfile, ...]
    repeated: int | None = None  # rows that stand there before; None: nobody counted

    def column(self, name: str) -> ColumnProfile | None:
        """The profile of that column, if there is one."""
        return next((column for column in self.columns if column.name == name), None)


def profile(given: pl.DataFrame | Path | Table) -> Profile:
    """Profile every column of a table, or of one in a Parquet file."""
    table = table_of(given)
    return Profile(table.rows, tuple(_column(table, name) for name in table.columns), _repeated(table))


def _repeated(table: Table) -> int:
    """Rows that stand there before, by a hash of their flat columns: 8 bytes a row."""
    flat = [name for name, kind in table.schema.items() if not kind.is_nested() and kind != pl.Object]
    if not flat or not table.rows:
        return 0
    hashes = np.concatenate([piece.hash_rows(seed=0).to_numpy() for piece in table.pieces(flat)])
    return int(hashes.size - np.unique(hashes).size)


def _column(table: Table, name: str) -> ColumnProfile:
    kind = table.schema[name]
    if kind.is_nested() or kind in (pl.Binary, pl.Object):
        return ColumnProfile(name, str(kind), sum(each.null_count() for each in table.column(name)), 0)
    numeric = kind.is_numeric()
    found = counted(_floats(table, name) if numeric else table.column(name))
    top: tuple[tuple[str, int], ...] = ()
    if not numeric or found.distinct <= TOP_VALUES:
        top = tuple((str(value), int(count)) for value, count in found.values.head(TOP_VALUES).iter_rows())
    many = found.distinct > TOP_VALUES
    texts = _texts(table, name) if kind == pl.String and many else None
    numbers = _numbers(table, name) if numeric and found.distinct else None
    return ColumnProfile(name, str(kind), found.missing, found.distinct, top, numbers, texts)


def _floats(table: Table, name: str) -> Iterator[pl.Series]:
    return (series.cast(pl.Float64) for series in table.column(name))


def _finite(table: Table, name: str) -> Iterator[tuple[np.ndarray, int]]:
    """The finite numbers of each piece, and how many are infinite."""
    for series in _floats(table, name):
        values = series.fill_nan(None).drop_nulls().to_numpy()
        finite = values[np.isfinite(values)]
        yield finite, int(values.size - finite.size)


def _numbers(table: Table, name: str) -> Numbers | None:
    share, chance = min(1.0, MOST_DRAWN / max(table.rows, 1)), np.random.default_rng(0)
    count, infinite, mean, squares = 0, 0, 0.0, 0.0
    low, high = np.inf, -np.inf
    drawn: list[np.ndarray] = []
    for values, without_end in _finite(table, name):
        infinite += without_end
        if not values.size:
            continue
        low, high = min(low, float(values.min())), max(high, float(values.max()))
        # Means and squares of two parts joined: Chan, Golub and LeVeque (1979), Updating formulae ... sample variances.
        both, own = count + values.size, float(values.mean())
        squares += values.size * float(values.var()) + (own - mean) ** 2 * count * values.size / both
        mean, count = mean + (own - mean) * values.size / both, both
        drawn.append(values if share == 1.0 else values[chance.random(values.size) < share])
    if not count:
        return None
    few = np.concatenate(drawn)
    inner = np.quantile(few, QUANTILES[1:-1]).tolist() if few.size else [mean] * (len(QUANTILES) - 2)
    edges, counts = np.zeros(0), np.zeros(HISTOGRAM_BINS, dtype=np.int64)
    for values, _ in _finite(table, name):
        part, edges = np.histogram(values, bins=HISTOGRAM_BINS, range=(low, high))
        counts += part
    return Numbers(
        mean=mean, deviation=float(np.sqrt(squares / count)), quantiles=(low, *inner, high),
        edges=tuple(edges.tolist()), counts=tuple(counts.tolist()), infinite=infinite,
    )  # fmt: skip


def _texts(table: Table, name: str) -> Texts | None:
    """What the texts of a column are like; None where they are names or codes."""
    some = _some_texts(table, name)
    words = some.str.to_lowercase().str.extract_all(_WORD)
    lengths = words.list.len().to_numpy()
    if not lengths.size or float(np.median(lengths)) < PROSE_WORDS:
        return None
    counts, edges = np.histogram(lengths, bins=HISTOGRAM_BINS)
    each = words.list.unique().explode().drop_nulls().alias("word").value_counts()
    often = each.sort(["count", "word"], descending=[True, False]).head(TOP_VALUES)
    return Texts(
        quantiles=tuple(np.quantile(lengths, QUANTILES).tolist()), edges=tuple(edges.tolist()),
        counts=tuple(counts.tolist()), words=tuple((word, count / lengths.size) for word, count in often.iter_rows()),
    )  # fmt: skip


def _some_texts(table: Table, name: str) -> pl.Series:
    """The texts of a column, at most `MOST_TEXTS` of them, from all over the table."""
    step = max(1, -(-table.rows // MOST_TEXTS))
    return pl.concat([series.gather_every(step) for series in table.column(name)]).drop_nulls()
