"""How answers were before the canary: how live's spread, and by how much the new version's differed on the same requests.

People approved that difference with the shadow verdict before their eyes, so only what goes beyond it counts later.
"""

from __future__ import annotations

import math

import msgspec
import polars as pl

from lockgate.datasets.classes import class_texts
from lockgate.release.outputs import Outputs, Spread

FEWEST_ANSWERS = 100  # of live before the canary: fewer do not say how answers spread
LOW, HIGH = 0.001, 0.999  # values beyond these quantiles of live's count as these
MOST_CLASSES = 10  # of which shares are compared, the most frequent ones


def outputs_of(pairs: pl.DataFrame, *, scored: bool = True) -> Outputs | None:
    """How live's answers lie and what the new version changes, from rows with `old`, `new`, `old_score`, `new_score`.

    `scored`: answers have a score besides their class, see `has_score`.

    None with fewer than `FEWEST_ANSWERS` rows that live answered. Rows that the new version did not answer say nothing of it.
    """
    known = pairs.drop_nulls("old")
    if not known["old"].dtype.is_numeric():
        known = known.filter(pl.col("old") != "nan")  # an answer without a class
    if known.height < FEWEST_ANSWERS:
        return None
    shares: dict[str, Spread] = {}
    if not known["old"].dtype.is_numeric():
        shares = _shares(known.select(class_texts(known["old"]), class_texts(known["new"])))
    return Outputs(answers=known.height, score=_score(known) if scored else None, shares=shares)


def spread_of(values: pl.Series, expected: float = 0.0) -> Spread | None:
    """Quantiles and standard deviation of values; None when all are alike."""
    finite = values.drop_nulls().cast(pl.Float64)
    finite = finite.filter(finite.is_finite())
    sigma = finite.std()
    if not isinstance(sigma, float) or sigma == 0.0:
        return None
    low, high = (float(finite.quantile(share, "nearest") or 0.0) for share in (LOW, HIGH))
    if low == high:  # nearly all alike: the rare others are what counts
        low, high = float(str(finite.min())), float(str(finite.max()))
    return Spread(low=low, high=high, sigma=sigma, expected=expected)


def _score(known: pl.DataFrame) -> Spread | None:
    found = spread_of(known["old_score"])
    if found is None:
        return None
    clipped = known.select(
        pl.col("old_score", "new_score").clip(found.low, found.high).fill_nan(None)
    ).drop_nulls()
    changed = (clipped["new_score"] - clipped["old_score"]).mean()
    return msgspec.structs.replace(found, expected=changed if isinstance(changed, float) else 0.0)


def _shares(known: pl.DataFrame) -> dict[str, Spread]:
    """Of two classes one says it all; a class that live never answered is in none of them."""
    counted = known["old"].value_counts(sort=True).head(MOST_CLASSES)
    names = sorted(counted["old"].to_list())
    both = known.drop_nulls()
    shares = {}
    for name in names[1:] if len(names) == 2 else names:
        share = (known["old"] == name).sum() / known.height
        changed = ((both["new"] == name).sum() - (both["old"] == name).sum()) / max(both.height, 1)
        held = (share * known.height + 1) / (known.height + 2)  # a share of 0 or 1 has a spread, too
        shares[name] = Spread(low=0.0, high=1.0, sigma=math.sqrt(held * (1 - held)), expected=changed)
    return shares
