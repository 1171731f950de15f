"""Counting pairs: two versions' answers to the same rows, folded in any order and in parts that can be merged.

A pair is a row of a frame with the columns `id`, `row`, `old`, `new` (decisions: text for classes, numbers in
regression), `old_score`, `new_score` (number or null), `old_failed`, `new_failed`, and the inputs `in.<name>`.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import msgspec
import polars as pl

from lockgate.errors import InvalidInput
from lockgate.release.shadow_cost import Prices, Sums, added, cost_sums

BINS = 5
MOST_CATEGORIES = 20  # of one column; the rarer ones are "another"
MOST_NUMBERS = 10  # different numbers of one column that are segments of their own; more are cut into bins
KEPT = 10  # requests that differ most
TOLERANCE_SIGMA = (
    0.1  # in regression a decision changed when it moved by more than this share of the old spread
)
ANOTHER, MISSING = "another value", "missing"
_TEXT = "__text"
Scalar = str | float | bool | None


class Cut(msgspec.Struct, frozen=True):
    """How one input column falls into segments: by edges (numbers) or by values."""

    column: str
    edges: tuple[float, ...] | None = None
    values: tuple[str, ...] | None = None


class Lens(msgspec.Struct, frozen=True):
    """What is counted; fixed before the first pair, so that parts can be merged.

    `tolerance` None: decisions are classes. `positive`: the class whose share is the decision rate. `prices` None: no
    costs are declared.
    """

    cuts: tuple[Cut, ...]
    tolerance: float | None = None
    positive: str | None = None
    prices: Prices | None = None


class Difference(msgspec.Struct, frozen=True):
    """One request that both versions answered, and how far apart: decisions, scores where there are any, inputs."""

    id: str
    row: int
    old: Scalar
    new: Scalar
    size: float
    inputs: dict[str, Scalar]
    old_score: float | None = None
    new_score: float | None = None


class Tally(msgspec.Struct, frozen=True):
    """Counts over pairs. `moves`: old decision -> new decision -> pairs. `segments`: column -> segment -> (pairs, flips)."""

    lens: Lens
    pairs: int = 0
    flips: int = 0
    old_failed: int = 0  # the old version failed, the new one answered
    new_failed: int = 0
    both_failed: int = 0
    moves: dict[str, dict[str, int]] = {}
    scored: int = 0
    score_sum: float = 0.0  # of new - old
    score_squares: float = 0.0
    segments: dict[str, dict[str, tuple[int, int]]] = {}
    costs: dict[str, Sums] = {}  # by basis: what the new decisions cost more
    largest: tuple[Difference, ...] = ()


def lens_of(
    sample: pl.DataFrame,
    *,
    positive: str | None = None,
    tolerance: float | None = None,
    prices: Prices | None = None,
) -> Lens:
    """Segments from a sample of pairs: categories and fifths of numbers; the tolerance from the old answers' spread."""
    if sample["old"].dtype.is_numeric() and tolerance is None:
        spread = sample["old"].drop_nulls().std()
        tolerance = TOLERANCE_SIGMA * spread if isinstance(spread, float) else 0.0
    cuts = [
        cut for name in sample.columns if name.startswith("in.") and (cut := _cut(sample[name])) is not None
    ]
    return Lens(tuple(cuts), tolerance, positive, prices)


def fold(tally: Tally, pairs: pl.DataFrame) -> Tally:
    """The tally with more pairs. Each pair is to be given once."""
    if pairs.is_empty():
        return tally
    failed = pairs.select(
        both=(pl.col("old_failed") & pl.col("new_failed")).sum(),
        old=(pl.col("old_failed") & ~pl.col("new_failed")).sum(),
        new=(pl.col("new_failed") & ~pl.col("old_failed")).sum(),
    ).row(0)
    answered = pairs.filter(~pl.col("old_failed") & ~pl.col("new_failed")).with_columns(
        flip=_flip(tally.lens)
    )
    gap = (answered["new_score"] - answered["old_score"]).drop_nulls().drop_nans()
    part = Tally(
        lens=tally.lens,
        pairs=answered.height,
        flips=int(answered["flip"].sum()),
        both_failed=failed[0],
        old_failed=failed[1],
        new_failed=failed[2],
        moves=_moves(answered) if tally.lens.tolerance is None else {},
        scored=gap.len(),
        score_sum=float(gap.sum()),
        score_squares=float((gap * gap).sum()),
        segments={
            cut.column: _segments(answered, cut) for cut in tally.lens.cuts if cut.column in pairs.columns
        },
        costs=cost_sums(answered, tally.lens.prices) if tally.lens.prices is not None else {},
        largest=_largest(answered),
    )
    return merge(tally, part)


def merge(left: Tally, right: Tally) -> Tally:
    """Two tallies of different pairs as one. Raises InvalidInput when they count different things."""
    if left.lens != right.lens:
        raise InvalidInput(
            "only tallies that count the same can be merged", fix="fold all pairs with one lens"
        )
    moves: dict[str, Counter[str]] = {}
    segments: dict[str, dict[str, tuple[int, int]]] = {}
    for side in (left, right):
        for old, counts in side.moves.items():
            moves.setdefault(old, Counter()).update(counts)
        for column, cells in side.segments.items():
            known = segments.setdefault(column, {})
            for name, (pairs, flips) in cells.items():
                before = known.get(name, (0, 0))
                known[name] = (before[0] + pairs, before[1] + flips)
    largest: dict[str, Difference] = {}
    for one in sorted((*left.largest, *right.largest), key=lambda one: (-one.size, one.id, one.row)):
        largest.setdefault(one.id, one)  # a request is shown once, by its row that differs most
    sums = {name: getattr(left, name) + getattr(right, name) for name in _SUMS}
    return Tally(
        lens=left.lens,
        moves={old: dict(counts) for old, counts in moves.items()},
        segments=segments,
        costs=added(left.costs, right.costs),
        largest=tuple(largest.values())[:KEPT],
        **sums,
    )


_SUMS = ("pairs", "flips", "old_failed", "new_failed", "both_failed", "scored", "score_sum", "score_squares")


def _flip(lens: Lens) -> pl.Expr:
    if lens.tolerance is None:
        return pl.col("old").ne_missing(pl.col("new"))
    return (pl.col("new") - pl.col("old")).abs() > lens.tolerance


def _cut(column: pl.Series) -> Cut | None:
    present = column.drop_nulls()
    if present.is_empty() or column.dtype.is_nested():
        return None
    if column.dtype.is_numeric() and present.n_unique() > MOST_NUMBERS:
        shares = [place / BINS for place in range(1, BINS)]
        edges = sorted({_round(float(present.quantile(share, "nearest") or 0.0)) for share in shares})
        return Cut(column.name, edges=tuple(edges))
    counts = _text(present).value_counts().sort(["count", column.name], descending=[True, False])
    return Cut(column.name, values=tuple(sorted(counts[column.name].head(MOST_CATEGORIES).to_list())))


def _round(edge: float) -> float:
    """Three digits, so that people can read where a segment begins.

    >>> _round(60.9155), _round(-0.0012345)
    (60.9, -0.00123)
    """
    return float(f"{edge:.3g}")


def _segments(pairs: pl.DataFrame, cut: Cut) -> dict[str, tuple[int, int]]:
    column = pl.col(cut.column)
    if cut.edges is not None:
        names = _bin_names(cut.edges)
        place = pl.sum_horizontal((column > edge).cast(pl.Int32) for edge in cut.edges)
        named = place.replace_strict(list(range(len(names))), names, return_dtype=pl.String)
    else:
        pairs = pairs.with_columns(_text(pairs[cut.column]).alias(_TEXT))
        text = pl.col(_TEXT)
        named = pl.when(text.is_in(list(cut.values or ()))).then(text).otherwise(pl.lit(ANOTHER))
    missing = column.is_null() | (column.is_nan() if pairs[cut.column].dtype.is_float() else pl.lit(False))
    named = pl.when(missing).then(pl.lit(MISSING)).otherwise(named).alias("segment")
    counted = pairs.select(named, "flip").group_by("segment").agg(pairs=pl.len(), flips=pl.col("flip").sum())
    return {name: (pairs, flips) for name, pairs, flips in counted.sort("segment").rows()}


def _text(column: pl.Series) -> pl.Series:
    """Values as people write them: whole numbers without a decimal point."""
    text = column.cast(pl.String)
    return text.str.strip_suffix(".0") if column.dtype.is_float() else text


def _bin_names(edges: tuple[float, ...]) -> list[str]:
    """Names of the bins between edges; a value equal to an edge belongs below it.

    >>> _bin_names((1.0, 2.5))
    ['up to 1', 'over 1 to 2.5', 'over 2.5']
    """
    inner = [f"over {low:g} to {high:g}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]:g}", *inner, f"over {edges[-1]:g}"]


def _moves(pairs: pl.DataFrame) -> dict[str, dict[str, int]]:
    counted = (
        pairs.group_by(pl.col("old").cast(pl.String), pl.col("new").cast(pl.String)).len().sort("old", "new")
    )
    moves: dict[str, dict[str, int]] = {}
    for old, new, count in counted.rows():
        moves.setdefault(str(old), {})[str(new)] = count
    return moves


def _largest(pairs: pl.DataFrame) -> tuple[Difference, ...]:
    """The requests that differ most: by score where there is one, by decision otherwise."""
    gap = (pl.col("new_score") - pl.col("old_score")).abs().fill_nan(None)
    sized = pairs.with_columns(size=pl.coalesce(gap, pl.col("flip").cast(pl.Float64)))
    rows = sized.filter(pl.col("size") > 0).sort(["size", "id", "row"], descending=[True, False, False])
    names = [name for name in pairs.columns if name.startswith("in.") and not pairs[name].dtype.is_nested()]
    return tuple(
        Difference(
            id=row["id"], row=row["row"], old=row["old"], new=row["new"], size=row["size"],
            inputs={name.removeprefix("in."): row[name] for name in names},
            old_score=row["old_score"], new_score=row["new_score"],
        )
        for row in rows.unique("id", keep="first", maintain_order=True).head(KEPT).iter_rows(named=True)
    )  # fmt: skip
