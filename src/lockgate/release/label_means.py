"""Labels of models that answer numbers, where only one version answered each request: how far both arms' answers lie off.

A caller counts once a stage, with the mean distance of their answers from the truth, for the arm that their requests were
assigned to. Distances have no largest one, and one absurd label must not decide: they are cut at a limit that is fixed by what
live's answers were like before, and where too few of those have a label, by the first ones of live in the canary, which then
are no evidence.
"""

from __future__ import annotations

import polars as pl

from lockgate.release.business_evidence import arms_of
from lockgate.release.label_evidence import IN_ORDER, LabelEvidence, distance_of
from lockgate.traffic import Role, Stick

SCALE_ROWS = (
    200  # labelled rows of live that the limit is taken from, the first ones by when their label became known
)
LIMIT = 0.99  # quantile of their distances
_OFF = "off"


def from_numbers(
    rows: pl.DataFrame,
    before: pl.DataFrame,
    *,
    stick: Stick,
    quantile: float | None = None,
    heavy: tuple[str, ...] = (),
) -> LabelEvidence:
    """Evidence of single answers that are numbers: columns as in `from_requests`, `decision` a number.

    `before`: labelled rows of live that had no chance to go either way. `quantile`: which one of the labels is answered; the
    distance is then the pinball loss. `heavy`: keys that have so much of the traffic that they would decide alone.
    """
    usual, known = _distances(before, quantile).head(SCALE_ROWS), _distances(rows, quantile)
    lacking = SCALE_ROWS - usual.height
    if lacking > 0:
        of_live = known.filter(pl.col("assigned") != Role.CANARY.value).head(lacking)
        if of_live.height < lacking:
            return LabelEvidence(labelled=known.height)
        usual = pl.concat([usual.select(_OFF), of_live.select(_OFF)])
        known = known.join(of_live.select("id", "row"), on=["id", "row"], how="anti", maintain_order="left")
    most = usual[_OFF].quantile(LIMIT, "nearest")
    found = arms_of(at_one_weight(known), _OFF, low=0.0, high=float(most or 0.0), stick=stick, heavy=heavy)
    return LabelEvidence(labelled=known.height, means=found)


def at_one_weight(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of requests that had their stage's weight: means are compared at one, and by hand it can only have been less."""
    return rows.filter(pl.col("weight") == pl.col("weight").max().over("stage"))


def _distances(rows: pl.DataFrame, quantile: float | None) -> pl.DataFrame:
    """Rows whose distance from the truth is a number, in the order in which their labels became known."""
    known = rows.drop_nulls(["decision", "label"]).sort(*IN_ORDER)
    off = known.with_columns(distance_of("decision", quantile).alias(_OFF))
    return off.filter(pl.col(_OFF).is_not_null() & pl.col(_OFF).is_finite())
