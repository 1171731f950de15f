"""What a business metric says of two arms: one number a caller, in the arm that their requests were assigned to.

The numbers come as labels do, late and corrected, so the evidence is made anew from all that count now. They are clipped to the
range in which they lay before the release, so that no single caller decides.
"""

from __future__ import annotations

import polars as pl

from lockgate.release.promise import BusinessPlan
from lockgate.stats.means import Arms, Moments
from lockgate.traffic import Role, Stick

VALUE, UNIT = "value", "unit"


def numbers_in(values: pl.Series) -> pl.Series:
    """A metric's values as numbers; yes and no are 1 and 0, also where others of the same metric came as numbers.

    >>> numbers_in(pl.Series(["true", "0.5", "false"])).to_list()
    [1.0, 0.5, 0.0]
    """
    if values.dtype == pl.String:
        values = values.replace({"true": "1", "false": "0"})
    return values.cast(pl.Float64, strict=False)


def from_values(
    rows: pl.DataFrame, business: BusinessPlan, *, stick: Stick, heavy: tuple[str, ...] = ()
) -> dict[int, Arms]:
    """Stage -> both arms' values, of rows with `id`, `key`, `stage`, `assigned` and `label` (the number; null: not known yet).

    A caller with several requests in a stage counts once, with the mean of their values; `heavy` callers do not count.
    """
    spread = business.spread
    known = rows.with_columns(numbers_in(rows["label"]).alias("label"))
    return arms_of(known, "label", low=spread.low, high=spread.high, stick=stick, heavy=heavy)


def arms_of(
    rows: pl.DataFrame, column: str, *, low: float, high: float, stick: Stick, heavy: tuple[str, ...] = ()
) -> dict[int, Arms]:
    """Stage -> both arms' numbers in a column, cut to a range; one a caller and stage, the mean; `heavy` callers do not count."""
    number = pl.col(column).clip(low, high)
    unit = pl.coalesce("key", "id") if stick is Stick.KEY else pl.col("id")
    light = ~pl.col("key").is_in(heavy).fill_null(value=False) if stick is Stick.KEY else pl.lit(value=True)
    known = rows.filter(light).select("stage", "assigned", unit.alias(UNIT), number.alias(VALUE))
    callers = (
        known.filter(pl.col(VALUE).is_finite())
        .group_by("stage", UNIT)
        .agg(pl.col(VALUE).mean(), pl.col("assigned").first())
    )
    counted = callers.group_by("stage", "assigned").agg(
        n=pl.len(), total=pl.col(VALUE).sum(), squares=(pl.col(VALUE) * pl.col(VALUE)).sum()
    )
    found: dict[int, Arms] = {}
    for row in counted.sort("stage", "assigned").iter_rows(named=True):
        moments = Moments(row["n"], row["total"], row["squares"])
        arms = Arms(canary=moments) if row["assigned"] == Role.CANARY.value else Arms(baseline=moments)
        found[row["stage"]] = found.get(row["stage"], Arms()).merge(arms)
    return found
