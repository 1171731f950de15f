"""What another way to decide would cost, pair by pair. Pure: frames in, sums out.

The costs are those of `lockgate.yaml` (`costs: {truth: {decision: number or column}}`; what is not named costs nothing).
Where a row's label is known, the change is that of its truth. Where it is not, the change is expected: by the old
version's probability of each truth and, apart from it, by the new one's, because nobody knows yet which of them is right.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec
import polars as pl

from lockgate.datasets.classes import class_name, class_texts


class Basis(StrEnum):
    """Whose word is taken for the truth of a row."""

    LABELS = "labels"  # known afterwards
    OLD = "old"  # by the old version's probabilities
    NEW = "new"


class Prices(msgspec.Struct, frozen=True):
    """What decisions cost. `bases`: what truths can be had from; `positive`, `negative`: the classes that a score is about."""

    table: dict[str, dict[str, float | str]]
    bases: tuple[Basis, ...] = (Basis.LABELS,)
    positive: str | None = None
    negative: str | None = None


class Sums(msgspec.Struct, frozen=True):
    """Changes of cost added up: new - old for each row."""

    rows: int = 0
    total: float = 0.0
    squares: float = 0.0

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        return Sums(self.rows + other.rows, self.total + other.total, self.squares + other.squares)


def cost_sums(pairs: pl.DataFrame, prices: Prices) -> dict[str, Sums]:
    """The changes of cost of rows that both versions answered, by basis. A basis that no row has is left out."""
    found = {}
    for basis in prices.bases:
        known = changes(pairs, prices, basis).drop_nulls()
        if known.len():
            found[str(basis)] = Sums(known.len(), float(known.sum()), float((known * known).sum()))
    return found


def changes(pairs: pl.DataFrame, prices: Prices, basis: Basis) -> pl.Series:
    """What the new decision costs more than the old one, row by row; null where the basis does not say."""
    named = [
        class_texts(pairs[name]).alias(name) for name in ("old", "new", "label") if name in pairs.columns
    ]
    change = _change(pairs, prices, basis)
    if change is None:
        return pl.repeat(None, pairs.height, dtype=pl.Float64, eager=True)
    return pairs.with_columns(named).select(change.cast(pl.Float64).fill_nan(None).alias("change"))["change"]


def added(left: dict[str, Sums], right: dict[str, Sums]) -> dict[str, Sums]:
    """Two parts' sums as one."""
    return {
        name: left.get(name, Sums()).plus(right.get(name, Sums())) for name in dict.fromkeys([*left, *right])
    }


def _change(pairs: pl.DataFrame, prices: Prices, basis: Basis) -> pl.Expr | None:
    """What the new decision costs more than the old one at each row; null where the truth is not known."""
    if not _columns(prices) <= set(pairs.columns):
        return None  # a price lies in a column that requests do not bring
    if basis is Basis.LABELS:
        if "label" not in pairs.columns:
            return None
        truth = pl.col("label")
        dearer = pl.sum_horizontal(
            pl.when(truth == class_name(came)).then(_dearer(row)).otherwise(0.0)
            for came, row in prices.table.items()
        )
        return pl.when(truth.is_null()).then(None).otherwise(dearer)
    if prices.positive is None or prices.negative is None:
        return None
    chance = pl.col(f"{basis}_score")
    return chance * _dearer(prices.table.get(prices.positive, {})) + (1 - chance) * _dearer(
        prices.table.get(prices.negative, {})
    )


def _dearer(row: dict[str, float | str]) -> pl.Expr:
    """The new decision's cost minus the old one's, for one truth."""

    def so(side: str, decided: str) -> pl.Expr:
        return (pl.col(side) == class_name(decided)).cast(pl.Int8)

    terms = [_price(cost) * (so("new", decided) - so("old", decided)) for decided, cost in row.items()]
    return pl.sum_horizontal(terms) if terms else pl.lit(0.0)


def _price(cost: float | str) -> pl.Expr:
    """A number, or a column's values (`-amount` is a gain); a missing value costs nothing."""
    if not isinstance(cost, str):
        return pl.lit(float(cost))
    sign = -1.0 if cost.startswith("-") else 1.0
    return sign * pl.col(_input(cost)).cast(pl.Float64, strict=False).fill_nan(0.0).fill_null(0.0)


def _columns(prices: Prices) -> set[str]:
    return {_input(cost) for row in prices.table.values() for cost in row.values() if isinstance(cost, str)}


def _input(cost: str) -> str:
    return f"in.{cost.removeprefix('-')}"
