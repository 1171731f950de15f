"""The verdict: planted differences are found and named, none is found where there is none."""

import msgspec
import numpy as np
import polars as pl
import pytest

from lockgate.errors import InvalidInput
from lockgate.release.shadow_cost import Basis, Prices
from lockgate.release.shadow_tally import Lens, Tally, fold, lens_of, merge
from lockgate.release.shadow_verdict import Told, verdict_of


def pairs(
    count: int, *, flip: float = 0.01, planted: float = 0.0, seed: int = 0, first: int = 0
) -> pl.DataFrame:
    """Pairs of yes/no decisions; `planted`: how often it flips from no to yes for plan `gold` of people over 60."""
    rng = np.random.default_rng(seed)
    age, plan = rng.uniform(18, 90, count), rng.choice(["basic", "plus", "gold"], count)
    noise = {f"in.x{n}": rng.normal(size=count) for n in range(8)}
    old_score = rng.random(count)
    chance = np.where((plan == "gold") & (age > 60), np.maximum(planted, flip), flip)
    flips = rng.random(count) < chance
    up = flips & (planted > 0) & (plan == "gold") & (age > 60)
    old = np.where(up, False, old_score > 0.7)
    new = np.where(up, True, old ^ flips)
    return pl.DataFrame(
        {
            "id": [f"r{first + n}" for n in range(count)], "row": [0] * count,
            "old": np.where(old, "yes", "no"), "new": np.where(new, "yes", "no"),
            "old_score": old_score, "new_score": np.clip(old_score + np.where(flips, 0.4, 0.001), 0, 1),
            "old_failed": [False] * count, "new_failed": [False] * count, "in.age": age, "in.plan": plan, **noise,
        }
    )  # fmt: skip


def judged(frame: pl.DataFrame, **settings: float) -> object:
    """The verdict on a frame of pairs."""
    return verdict_of(fold(Tally(lens_of(frame, positive="yes")), frame), **settings)


def test_a_planted_segment_is_found_and_comes_first() -> None:
    """Decisions that change for gold plans of people over 60: both columns are named, nothing else is."""
    verdict = judged(pairs(6_000, planted=0.5))
    assert {segment.column for segment in verdict.segments} == {"in.plan", "in.age"}
    assert "plan is gold" in [segment.words for segment in verdict.segments]
    assert verdict.segments[0].flips.low > verdict.segments[0].elsewhere.high
    assert verdict.rate_change.low > 0.0
    assert "Where plan is gold" in verdict.sentence


@pytest.mark.parametrize("flip", [0.01, 0.2])
def test_no_segment_is_named_where_there_is_none(flip: float) -> None:
    """With changes spread evenly over ten columns, looked at ten times each, at most one run in twenty names a segment."""
    named = 0
    for seed in range(40):
        frame = pairs(4_000, flip=flip, seed=seed)
        tally, seen = Tally(lens_of(frame, positive="yes")), False
        for part in frame.iter_slices(400):
            tally = fold(tally, part)
            seen = seen or bool(verdict_of(tally).segments)
        named += seen
    assert named <= 2


def test_few_many_and_not_yet() -> None:
    """Below the limit, above it, and undecided with the number of rows that are still missing."""
    assert judged(pairs(3_000, flip=0.01)).told is Told.FEW
    assert judged(pairs(3_000, flip=0.2)).told is Told.MANY
    early = judged(pairs(150, flip=0.03))
    assert early.told is Told.NOT_YET
    assert early.more is not None
    assert early.more > 0
    assert f"About {early.more:,} more rows until we can tell" in early.sentence
    assert judged(pairs(3_000, flip=0.01)).more == 0


def test_nothing_changes() -> None:
    """Two versions that decide alike: agreement 1, no change of the rate, no segment, no difference shown by score."""
    frame = pairs(2_000, flip=0.0).with_columns(new_score=pl.col("old_score"))
    verdict = judged(frame)
    assert verdict.agreement == 1.0
    assert verdict.rate_change.value == 0.0
    assert verdict.largest == ()
    assert "stays at" in verdict.sentence


def test_parts_add_up_in_any_order() -> None:
    """Folding in parts, merging workers' tallies and folding at once give the same verdict."""
    frame = pairs(2_000, planted=0.3)
    lens = lens_of(frame, positive="yes")
    whole = fold(Tally(lens), frame)
    parts = [fold(Tally(lens), part) for part in frame.iter_slices(170)]
    merged = Tally(lens)
    for part in reversed(parts):
        merged = merge(merged, part)
    assert merged.score_sum == pytest.approx(whole.score_sum)
    assert merged.score_squares == pytest.approx(whole.score_squares)
    for name in ("pairs", "flips", "moves", "segments", "largest"):
        assert getattr(merged, name) == getattr(whole, name)
    with pytest.raises(InvalidInput, match="count the same"):
        merge(whole, Tally(Lens(())))


def test_the_requests_that_differ_most_are_shown_with_their_inputs() -> None:
    """Ten requests at most, largest first, each with its inputs."""
    frame = pairs(500, flip=0.1)
    largest = judged(frame).largest
    assert len(largest) == 10
    gaps = (frame["new_score"] - frame["old_score"]).abs().sort(descending=True)
    assert [one.size for one in largest] == gaps.head(10).to_list()
    row = frame.row(by_predicate=pl.col("id") == largest[0].id, named=True)
    assert largest[0].inputs["plan"] == row["in.plan"]


def test_failures_are_counted_apart_and_said() -> None:
    """Rows on which one version failed are no pairs; they are told in words."""
    frame = pairs(1_000).with_columns(
        new_failed=pl.int_range(1_000) < 30, old_failed=pl.int_range(1_000) >= 995
    )
    verdict = judged(frame)
    assert (verdict.pairs, verdict.new_failed, verdict.old_failed) == (965, 30, 5)
    assert "failed on 30 rows that the old one answered" in verdict.sentence


def test_missing_values_and_rare_categories_are_segments_too() -> None:
    """A change that happens only where a value is missing is found there."""
    frame = pairs(4_000, flip=0.005)
    gone = pl.int_range(pl.len()) % 10 == 0
    other = pl.when(pl.col("old") == "yes").then(pl.lit("no")).otherwise(pl.lit("yes"))
    frame = frame.with_columns(
        pl.when(gone).then(None).otherwise(pl.col("in.age")).alias("in.age"),
        new=pl.when(gone).then(other).otherwise(pl.col("new")),
    )
    assert [segment.words for segment in judged(frame).segments] == ["age is missing"]


def test_numbers_change_when_they_move_noticeably() -> None:
    """In regression a decision changed when it moved by a tenth of the spread; the mean change has bounds."""
    rng = np.random.default_rng(3)
    old = rng.normal(100, 20, 3_000)
    frame = pairs(3_000).with_columns(old=pl.Series(old), new=pl.Series(old + np.where(old > 120, 8.0, 0.5)))
    frame = frame.with_columns(old_score=pl.col("old"), new_score=pl.col("new"))
    verdict = judged(frame)
    assert verdict.flips.value == pytest.approx(float((old > 120).mean()))
    assert verdict.mean_change.low < float((frame["new"] - frame["old"]).mean()) < verdict.mean_change.high
    assert verdict.rate_change is None


def test_without_pairs_there_is_nothing_to_say() -> None:
    """An empty tally says so, and asks for rows."""
    verdict = verdict_of(Tally(Lens((), positive="yes")))
    assert verdict.told is Told.NOT_YET
    assert verdict.sentence == "No request was answered by both versions yet."


PRICES = Prices(
    {"yes": {"no": 10.0}, "no": {"yes": "fee"}}, bases=tuple(Basis), positive="yes", negative="no"
)


def priced(frame: pl.DataFrame, prices: Prices = PRICES) -> object:
    """The verdict on pairs whose decisions cost something."""
    return verdict_of(fold(Tally(lens_of(frame, positive="yes", prices=prices)), frame))


def by_hand(row: dict[str, object], decided: str, truth: str) -> float:
    """What one decision costs by the table above."""
    return (
        10.0
        if (truth, decided) == ("yes", "no")
        else row["in.fee"]
        if (truth, decided) == ("no", "yes")
        else 0.0
    )


def test_the_change_of_cost_is_that_of_every_row() -> None:
    """By labels and by either version's probabilities: the same as adding up row by row, also in parts."""
    rng = np.random.default_rng(5)
    frame = pairs(2_000, flip=0.1).with_columns(
        pl.Series("in.fee", rng.uniform(1, 5, 2_000)), pl.Series("label", rng.choice(["yes", "no"], 2_000))
    )
    frame = frame.with_columns(label=pl.when(pl.int_range(2_000) < 900).then("label"))
    verdict = priced(frame)
    expected = dict.fromkeys(Basis, 0.0)
    for row in frame.iter_rows(named=True):
        dearer = {t: by_hand(row, row["new"], t) - by_hand(row, row["old"], t) for t in ("yes", "no")}
        expected[Basis.LABELS] += dearer[row["label"]] / 900 if row["label"] else 0.0
        for side in (Basis.OLD, Basis.NEW):
            chance = row[f"{side}_score"]
            expected[side] += (chance * dearer["yes"] + (1 - chance) * dearer["no"]) / 2_000
    assert [(cost.basis, cost.rows) for cost in verdict.costs] == [
        (Basis.LABELS, 900), (Basis.OLD, 2_000), (Basis.NEW, 2_000)
    ]  # fmt: skip
    for cost in verdict.costs:
        assert cost.change.value == pytest.approx(1_000 * expected[cost.basis])
        assert cost.change.low < cost.change.value < cost.change.high
    lens = lens_of(frame, positive="yes", prices=PRICES)
    parts = Tally(lens)
    for part in frame.iter_slices(333):
        parts = merge(parts, fold(Tally(lens), part))
    for one, other in zip(verdict_of(parts).costs, verdict.costs, strict=True):
        assert one.change.value == pytest.approx(other.change.value)
    assert "By the 900 rows whose label is known, 1,000 decisions would cost" in verdict.sentence


def test_costs_are_silent_where_nothing_is_known() -> None:
    """Without labels and with a price in a column that requests do not bring there is no word about costs."""
    frame = pairs(500, flip=0.1)
    assert priced(frame).costs == ()
    plain = msgspec.structs.replace(PRICES, table={"yes": {"no": 10.0}}, bases=(Basis.LABELS,))
    assert priced(frame, plain).costs == ()
    assert "cost" not in priced(frame, plain).sentence


def test_a_version_that_is_cheaper_is_told_by_labels() -> None:
    """One that finds more of the costly cases would save money: the bounds lie below nothing."""
    rng = np.random.default_rng(2)
    truth = rng.choice(["1", "0"], 3_000, p=[0.3, 0.7])
    old = np.where(rng.random(3_000) < 0.2, "0", truth)
    frame = pairs(3_000).with_columns(
        old=pl.Series(old), new=pl.Series(truth), label=pl.Series(truth).cast(pl.Float64)
    )
    (cost,) = priced(frame, Prices({"1.0": {"0": 10.0}})).costs
    assert cost.change.high < 0.0
    assert (
        "less (between"
        in verdict_of(fold(Tally(lens_of(frame, prices=Prices({"1": {"0": 10.0}}))), frame)).sentence
    )
