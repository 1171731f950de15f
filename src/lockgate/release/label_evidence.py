"""What labels say of two versions: who was wrong, each caller once. Frames in, evidence out; nothing is read here.

Pairs are rows that both versions answered: only those count in which exactly one was wrong, with w = 1/2. Where there is
no shadow, rows count for the arm that their request was assigned to, whoever answered in the end. In regression a pair's
loss is the difference of the two absolute errors over their sum, in [-1, 1], which needs no scale; of a quantile that of the
two pinball losses over four times the mean of all before, cut to [-1, 1].

Labels come late and are corrected, so evidence is made anew from all labels that count now, in the order in which they
became known. Requests before the watch and those in it are judged apart: the first by an e-process, the others by an e-detector.
"""

from __future__ import annotations

import math

import msgspec
import polars as pl

from lockgate.datasets.classes import class_texts
from lockgate.release.counts import PAIR_WEIGHT, WATCH_BATCH, Counts, WatchedLabels
from lockgate.release.guards import GuardName
from lockgate.release.outputs import Outputs
from lockgate.release.shadow_cost import Basis, Prices, changes
from lockgate.stats.eprocess import (
    RESTART_REQUESTS,
    BetState,
    Detector,
    EventCounts,
    EventProcess,
    Segment,
)
from lockgate.stats.evalues import BETS, bet_steps
from lockgate.stats.means import Arms
from lockgate.traffic import Role

IN_ORDER = ("label_at_us", "at_us", "id", "row")
SCALE, SCALE_ROWS = (
    4.0,
    20,
)  # of a model of a quantile: times the mean loss of the rows before; rows before the first bet
KEPT = ("key", "label", "label_at_us", "stage")  # what a labelled row needs besides its answers


class LabelEvidence(msgspec.Struct, frozen=True, kw_only=True):
    """What the labels of a release say now. `labelled`: rows that could be judged; `void_seq`: the release's at the look.

    `wrong`: events of classification. `losses`: bets on the differences in regression and of costs, None elsewhere.
    `means`: stage -> how far both arms' answers lie off, in regression without pairs. `watched`: pairs of the watch, which
    are in none of these. `business`: stage -> both arms' values. `outputs`: how answers were before the canary.
    """

    labelled: int = 0
    void_seq: int = 0
    wrong: EventProcess = EventProcess()
    losses: BetState | None = None
    means: dict[int, Arms] = {}
    watched: WatchedLabels | None = None
    business: dict[int, Arms] = {}
    outputs: Outputs | None = None


def take(counts: Counts, evidence: LabelEvidence) -> None:
    """Put what labels say now in place of what they said before."""
    counts.guards[GuardName.LABELS] = evidence.wrong
    counts.labelled, counts.losses, counts.label_means = evidence.labelled, evidence.losses, evidence.means
    counts.watched_labels = evidence.watched
    counts.business, counts.outputs_before = evidence.business, evidence.outputs or counts.outputs_before


def from_pairs(
    pairs: pl.DataFrame,
    *,
    costs: dict[str, dict[str, float]] | None = None,
    quantile: float | None = None,
    watch: int | None = None,
) -> LabelEvidence:
    """Evidence of rows with `old`, `new` (decisions), `label` and the columns `KEPT`, `at_us`, `id`, `row`.

    `costs`: truth -> decision -> what it costs; then not the number of wrong answers decides, but what they cost. `quantile`:
    which one of the labels is answered. `watch`: the stage of the watch; requests of that stage are judged apart.
    """
    known = pairs.drop_nulls(["old", "new", "label"]).sort(*IN_ORDER).with_columns(unit=_unit())
    graded, costs = known["old"].dtype.is_numeric(), costs or {}
    if not graded:
        known = _as_classes(known, "old", "new", "label")
    in_watch = pl.lit(False) if watch is None else pl.col("stage") >= watch
    before, after = known.filter(~in_watch), known.filter(in_watch)
    found = _graded(before, quantile) if graded else _priced(before, costs) if costs else _counted(before)
    if not after.height:
        return found
    after = after.with_columns(batch=_batch())
    if graded or costs:
        return msgspec.structs.replace(
            found,
            watched=_watched_losses(
                after, _graded_rows(after, quantile) if graded else _priced_rows(after, costs)
            ),
        )
    return msgspec.structs.replace(found, watched=_watched_events(after))


def from_requests(rows: pl.DataFrame, *, heavy: tuple[str, ...] = ()) -> LabelEvidence:
    """Evidence of single answers: `decision` (a class), `label`, `weight`, `assigned`, the columns `KEPT`, `at_us`, `id`, `row`.

    `heavy`: keys that have so much of the traffic that they would decide alone; they are left out. Numbers are judged by
    `lockgate.release.label_means`.
    """
    known = rows.drop_nulls(["decision", "label"]).sort(*IN_ORDER).with_columns(unit=_unit())
    known = known.filter(~pl.col("key").is_in(heavy).fill_null(value=False))
    known = _as_classes(known, "decision", "label")
    wrong, in_canary = pl.col("decision") != pl.col("label"), pl.col("assigned") == Role.CANARY.value
    known = known.with_columns(canary=wrong & in_canary, baseline=wrong & ~in_canary)
    return _process(_once(known, pl.col("canary") | pl.col("baseline")))


def _counted(known: pl.DataFrame) -> LabelEvidence:
    return _process(_alone_wrong(known).with_columns(weight=pl.lit(PAIR_WEIGHT)))


def _alone_wrong(known: pl.DataFrame) -> pl.DataFrame:
    """Rows with `canary` and `baseline`: whether that version alone was wrong, and it is the caller's first such row."""
    truth = pl.col("label")
    known = known.with_columns(canary=pl.col("new") != truth, baseline=pl.col("old") != truth)
    return _once(known, pl.col("canary") != pl.col("baseline"))


def _batch() -> pl.Expr:
    """The batch of a row in the watch: so many requests, in the order in which a label of each became known first."""
    return (pl.col("id").is_first_distinct().cum_sum().cast(pl.Int64) - 1) // WATCH_BATCH


def _watched_events(known: pl.DataFrame) -> WatchedLabels:
    rows = _alone_wrong(known)
    counted = rows.group_by("batch").agg(pl.col("canary").sum(), pl.col("baseline").sum()).sort("batch")
    detector = Detector()
    for canary, baseline in counted.select("canary", "baseline").iter_rows():
        detector = detector.batch([(PAIR_WEIGHT, canary, baseline)])
    return WatchedLabels(
        detector=detector, labelled=known.height,
        canary=int(rows["canary"].sum()), baseline=int(rows["baseline"].sum()),
    )  # fmt: skip


def _watched_losses(known: pl.DataFrame, differing: pl.DataFrame) -> WatchedLabels:
    """`differing`: the rows of `known` that count, with `difference`."""
    by_batch = dict(differing.group_by("batch").agg("difference").iter_rows())
    detector = Detector((-math.inf,) * len(BETS))
    for batch in range(int(known["batch"][-1]) + 1):
        steps = [bet_steps(difference) for difference in by_batch.get(batch, [])]
        detector = detector.step(
            [math.fsum(column) for column in zip(*steps, strict=True)] or [0.0] * len(BETS)
        )
    return WatchedLabels(
        detector=detector, labelled=known.height,
        canary=differing.filter(pl.col("difference") > 0).height,
        baseline=differing.filter(pl.col("difference") < 0).height,
    )  # fmt: skip


def _as_classes(known: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """These columns as names of classes; rows where one is none (NaN) say nothing."""
    named = known.with_columns(class_texts(known[column]).alias(column) for column in columns)
    return named.drop_nulls(columns)


def _unit() -> pl.Expr:
    return pl.coalesce(pl.col("key"), pl.col("id"))


def _once(known: pl.DataFrame, happened: pl.Expr) -> pl.DataFrame:
    """Events alone, and of each caller the first: what comes later is not independent of it."""
    first = happened & (happened.cast(pl.Int64).cum_sum().over("unit") == 1)
    return known.with_columns(pl.col("canary") & first, pl.col("baseline") & first)


def _process(known: pl.DataFrame) -> LabelEvidence:
    """Events as a guard keeps them; a new copy begins with every stage and every so many rows, as harm may begin late."""
    place = pl.int_range(pl.len()).over("begun")
    counted = (
        known.with_columns(begun=pl.col("stage").cum_max())
        .group_by("begun", (place // RESTART_REQUESTS).alias("part"), "weight")
        .agg(pl.len().alias("rows"), pl.col("canary").sum(), pl.col("baseline").sum())
        .sort("begun", "part", "weight")
    )
    segments = []
    for (stage, _), part in counted.group_by("begun", "part", maintain_order=True):
        events = EventCounts()
        for row in part.filter(pl.col("canary") + pl.col("baseline") > 0).iter_rows(named=True):
            events = events.add(row["weight"], canary=row["canary"], baseline=row["baseline"])
        segments.append(Segment(int(str(stage)), int(part["rows"].sum()), events))
    return LabelEvidence(labelled=known.height, wrong=EventProcess(tuple(segments)))


def _priced(known: pl.DataFrame, costs: dict[str, dict[str, float]]) -> LabelEvidence:
    return LabelEvidence(labelled=known.height, losses=_bets(_priced_rows(known, costs)))


def _priced_rows(known: pl.DataFrame, costs: dict[str, dict[str, float]]) -> pl.DataFrame:
    """Differences of what both decisions cost, over the largest difference there can be: each caller's first that differs."""
    change = changes(known, Prices({truth: dict(row) for truth, row in costs.items()}), Basis.LABELS)
    differ = known.with_columns(change=change).filter(pl.col("change") != 0.0)
    first = differ.unique("unit", keep="first", maintain_order=True)
    return first.with_columns(difference=pl.col("change") / largest_difference(costs))


def largest_difference(costs: dict[str, dict[str, float]]) -> float:
    """How much two decisions on one truth can differ in cost; what is not named costs nothing.

    >>> largest_difference({"yes": {"no": 5.0, "yes": 1.0}, "no": {"yes": 2.0}})
    5.0
    """
    spans = [max(0.0, *row.values()) - min(0.0, *row.values()) for row in costs.values() if row]
    return max(spans, default=0.0)


def _graded(known: pl.DataFrame, quantile: float | None) -> LabelEvidence:
    return LabelEvidence(labelled=known.height, losses=_bets(_graded_rows(known, quantile)))


def _graded_rows(known: pl.DataFrame, quantile: float | None) -> pl.DataFrame:
    """Differences of absolute errors, or of pinball losses, the first labelled row of each caller."""
    first = known.unique("unit", keep="first", maintain_order=True).with_columns(
        new_error=distance_of("new", quantile), old_error=distance_of("old", quantile)
    )
    readable = first.drop_nulls(["new_error", "old_error"])
    whole, more = pl.col("new_error") + pl.col("old_error"), pl.col("new_error") - pl.col("old_error")
    if (
        quantile is not None
    ):  # few large losses outweigh many small ones: only a scale of earlier rows keeps their sizes
        scale = SCALE * (whole.cum_sum() / 2).shift(1) / pl.int_range(pl.len())
        return (
            readable.filter(whole.is_finite())  # an infinite one would end every scale after it
            .with_columns(difference=(more / scale).clip(-1.0, 1.0))
            .slice(SCALE_ROWS)
            .with_columns(pl.col("difference").fill_nan(0.0))  # all losses were 0 so far
        )
    share = pl.when(whole > 0).then(more / whole).otherwise(0.0)
    return readable.with_columns(difference=share).filter(pl.col("difference").is_not_nan())


def distance_of(answer: str, quantile: float | None) -> pl.Expr:
    """How far an answer is from `label`: as `lockgate.stats.pinball.distance`, over columns."""
    short = pl.col("label").cast(pl.Float64, strict=False) - pl.col(answer)
    return short.abs() if quantile is None else pl.max_horizontal(quantile * short, (quantile - 1) * short)


def _bets(differing: pl.DataFrame) -> BetState:
    losses = BetState()
    for difference in differing["difference"]:
        losses = losses.add(difference)
    return losses
