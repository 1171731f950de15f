"""What labels say of two versions: who was wrong, each caller once. Frames in, evidence out; nothing is read here.

Pairs are rows that both versions answered: only those count in which exactly one was wrong, with w = 1/2. Where there is
no shadow, rows count for the arm that their request was assigned to, whoever answered in the end. In regression a pair's
loss is the difference of the two absolute errors over their sum, in [-1, 1], which needs no scale.

Labels come late and are corrected, so evidence is made anew from all labels that count now, in the order in which they
became known.
"""

from __future__ import annotations

import msgspec
import polars as pl

from lockgate.release.counts import PAIR_WEIGHT, Counts
from lockgate.release.guards import GuardName
from lockgate.stats.eprocess import RESTART_REQUESTS, BetState, EventCounts, EventProcess, Segment
from lockgate.traffic import Role

IN_ORDER = ("label_at_us", "at_us", "id", "row")
KEPT = ("key", "label", "label_at_us")  # what a labelled row needs besides its answers
_WHOLE = r"^(-?\d+)\.0+$"


class LabelEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of a release say now. `labelled`: rows that could be judged; `void_seq`: the release's at the look.

    `wrong`: events of classification. `losses`: bets on the differences in regression, None elsewhere.
    """

    labelled: int = 0
    void_seq: int = 0
    wrong: EventProcess = EventProcess()
    losses: BetState | None = None


def take(counts: Counts, evidence: LabelEvidence) -> None:
    """Put what labels say now in place of what they said before."""
    counts.guards[GuardName.LABELS] = evidence.wrong
    counts.labelled, counts.losses = evidence.labelled, evidence.losses


def from_pairs(pairs: pl.DataFrame) -> LabelEvidence:
    """Evidence of rows with `old`, `new` (decisions), `label` and the columns `KEPT`, `at_us`, `id`, `row`."""
    known = pairs.drop_nulls(["old", "new", "label"]).sort(*IN_ORDER).with_columns(unit=_unit())
    if known["old"].dtype.is_numeric():
        return _graded(known)
    truth = class_text("label")
    known = known.with_columns(canary=class_text("new") != truth, baseline=class_text("old") != truth)
    one = pl.col("canary") != pl.col("baseline")
    return _process(_once(known, one).with_columns(weight=pl.lit(PAIR_WEIGHT)))


def from_requests(rows: pl.DataFrame, *, heavy: tuple[str, ...] = ()) -> LabelEvidence | None:
    """Evidence of single answers: `decision`, `label`, `weight`, `assigned` and the columns `KEPT`, `at_us`, `id`, `row`.

    None in regression: a number is hardly ever the label itself, so who is wrong cannot be counted one by one.
    `heavy`: keys that have so much of the traffic that they would decide alone; they are left out.
    """
    if rows["decision"].dtype.is_numeric():
        return None
    known = rows.drop_nulls(["decision", "label"]).sort(*IN_ORDER).with_columns(unit=_unit())
    known = known.filter(~pl.col("key").is_in(heavy).fill_null(value=False))
    wrong, in_canary = class_text("decision") != class_text("label"), pl.col("assigned") == Role.CANARY.value
    known = known.with_columns(canary=wrong & in_canary, baseline=wrong & ~in_canary)
    return _process(_once(known, pl.col("canary") | pl.col("baseline")))


def class_text(column: str) -> pl.Expr:
    """A column of classes as text, so that 1, 1.0, true and `True` are one class."""
    text = pl.col(column).cast(pl.String).str.replace(_WHOLE, "$1")
    return text.replace({"true": "1", "True": "1", "false": "0", "False": "0"})


def _unit() -> pl.Expr:
    return pl.coalesce(pl.col("key"), pl.col("id"))


def _once(known: pl.DataFrame, happened: pl.Expr) -> pl.DataFrame:
    """Events alone, and of each caller the first: what comes later is not independent of it."""
    first = happened & (happened.cast(pl.Int64).cum_sum().over("unit") == 1)
    return known.with_columns(pl.col("canary") & first, pl.col("baseline") & first)


def _process(known: pl.DataFrame) -> LabelEvidence:
    """Events as a guard keeps them; a new copy begins every so many rows, as harm may begin late."""
    counted = (
        known.with_row_index("place")
        .group_by((pl.col("place") // RESTART_REQUESTS).alias("part"), "weight")
        .agg(pl.len().alias("rows"), pl.col("canary").sum(), pl.col("baseline").sum())
        .sort("part", "weight")
    )
    segments = []
    for (_,), part in counted.group_by("part", maintain_order=True):
        events = EventCounts()
        for row in part.filter(pl.col("canary") + pl.col("baseline") > 0).iter_rows(named=True):
            events = events.add(row["weight"], canary=row["canary"], baseline=row["baseline"])
        segments.append(Segment(0, int(part["rows"].sum()), events))
    return LabelEvidence(labelled=known.height, wrong=EventProcess(tuple(segments)))


def _graded(known: pl.DataFrame) -> LabelEvidence:
    """Differences of absolute errors, the first labelled row of each caller."""
    truth = pl.col("label").cast(pl.Float64, strict=False)
    errors = known.unique("unit", keep="first", maintain_order=True).select(
        new=(pl.col("new") - truth).abs(), old=(pl.col("old") - truth).abs()
    )
    whole = pl.col("new") + pl.col("old")
    shares = errors.drop_nulls().select(
        pl.when(whole > 0).then((pl.col("new") - pl.col("old")) / whole).otherwise(0.0).alias("share")
    )
    losses = BetState()
    for difference in shares["share"].drop_nans():
        losses = losses.add(difference)
    return LabelEvidence(labelled=known.height, losses=losses)
