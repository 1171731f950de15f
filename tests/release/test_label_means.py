"""Labels in regression without pairs: distances of single answers, one a caller and stage, for the arm that was assigned."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.counts import Counts, Frozen
from lockgate.release.guards import Action, GuardName
from lockgate.release.judge import judge
from lockgate.release.label_evidence import LabelEvidence, take
from lockgate.release.label_means import SCALE_ROWS, from_numbers
from lockgate.release.plan import make_plan
from lockgate.release.verdict import Label, Verdict
from lockgate.traffic import Stick

PLAN = make_plan(
    ReleaseConfig(canary=("10%", "50%")), Traffic(), labels=Observed.ALWAYS, pure=False, numbers=True
)


def answered(
    count: int,
    rng: np.random.Generator,
    *,
    worse: float = 1.0,
    w: float = 0.5,
    stage: int = 1,
    name: str = "k",
) -> pl.DataFrame:
    """Requests with a label: answers lie off by heavy-tailed errors, the canary's by `worse` times as much."""
    canary, truth = rng.random(count) < w, rng.normal(100.0, 20.0, count)
    off = rng.standard_t(2.5, count) * np.where(canary, worse, 1.0)
    return pl.DataFrame({
        "at_us": range(count), "id": [f"{name}{stage}r{i:06}" for i in range(count)], "row": [0] * count,
        "key": [f"{name}{i}" for i in range(count)], "label": truth, "label_at_us": range(count), "stage": [stage] * count,
        "weight": [w] * count, "assigned": np.where(canary, "canary", "live"), "decision": truth + off,
    })  # fmt: skip


def before(rng: np.random.Generator, count: int = SCALE_ROWS) -> pl.DataFrame:
    """What live answered before, labelled."""
    return answered(count, rng, w=0.0, stage=0, name="b")


def verdict(evidence: LabelEvidence, plan=PLAN) -> Verdict:
    """What the guard on wrong answers says."""
    counts = Counts(release=7)
    take(counts, evidence)
    return next(v for v in judge(plan, counts, Frozen()) if v.guard == GuardName.LABELS)


def test_a_version_that_is_farther_off_ends_the_release():
    """Errors one half larger are found in 4,000 labelled callers, in words; equal ones are not; better ones neither."""
    rng = np.random.default_rng(5)
    usual = before(rng)
    found = verdict(from_numbers(answered(4_000, rng, worse=1.5), usual, stick=Stick.KEY))
    assert (found.label, found.action) == (Label.WORSE, Action.ROLLBACK)
    assert "farther from the truth" in found.sentence
    assert "mean error" in found.sentence
    for worse in (1.0, 0.7):
        alike = from_numbers(answered(4_000, rng, worse=worse), usual, stick=Stick.KEY)
        assert verdict(alike).label is Label.NOT_YET


def test_a_release_that_hardly_has_labels_says_so():
    """Fewer labels than the limit of distances is taken from, and fewer than both arms need: nothing is judged, in words."""
    rng = np.random.default_rng(6)
    few = from_numbers(answered(100, rng), before(rng, 10), stick=Stick.KEY)
    assert (few.labelled, few.means) == (100, {})
    assert "too few labels so far (100 rows)" in verdict(few).sentence
    some = verdict(from_numbers(answered(150, rng, worse=9.0), before(rng), stick=Stick.KEY))
    assert (some.label, some.log_e < 0) == (Label.NOT_YET, True)
    assert "too few values so far" in some.sentence


def test_where_live_had_no_labels_its_first_ones_set_the_limit_and_are_no_evidence():
    """Without a past 200 rows of live are put aside; the rest is compared."""
    rows = answered(2_000, np.random.default_rng(7))
    found = from_numbers(rows, rows.clear(), stick=Stick.KEY)
    live = rows.filter(pl.col("assigned") == "live").height
    assert found.means[1].baseline.n == live - SCALE_ROWS
    assert found.means[1].canary.n == rows.height - live


def test_one_absurd_label_does_not_decide():
    """A label of 10^12 counts as much as live's farthest answers of before did; no number at all says nothing."""
    rng = np.random.default_rng(8)
    usual, rows = before(rng), answered(1_000, rng)
    place = int(np.flatnonzero((rows["assigned"] == "canary").to_numpy())[0])
    absurd = rows.with_columns(label=pl.when(pl.int_range(pl.len()) == place).then(1e12).otherwise("label"))
    broken = rows.with_columns(
        label=pl.when(pl.int_range(pl.len()) == place).then(float("nan")).otherwise("label")
    )
    plain, cut, less = (
        from_numbers(each, usual, stick=Stick.KEY).means[1] for each in (rows, absurd, broken)
    )
    assert cut.canary.total - plain.canary.total < 20
    assert less.canary.n == plain.canary.n - 1


def test_labels_that_exist_only_when_accepted_hold_and_never_roll_back():
    """The decision decides whether there is a label at all: a person is asked."""
    plan = make_plan(
        ReleaseConfig(canary=("10%", "50%")), Traffic(), labels=Observed.WHEN_ACCEPTED, numbers=True
    )
    rng = np.random.default_rng(9)
    evidence = from_numbers(answered(4_000, rng, worse=1.5), before(rng), stick=Stick.KEY)
    assert (verdict(evidence, plan).label, verdict(evidence, plan).action) == (Label.WORSE, Action.HOLD)


def test_what_came_at_a_lowered_weight_is_not_compared():
    """People lowered the weight for a while: those rows have another chance of being the canary's, so they are left out."""
    rng = np.random.default_rng(10)
    planned, lowered = answered(600, rng), answered(600, rng, w=0.1, name="low")
    both = from_numbers(pl.concat([planned, lowered]), before(rng), stick=Stick.KEY).means[1]
    assert both.canary.n + both.baseline.n == 600


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 3))
def test_order_and_doubled_rows_of_a_caller_change_nothing(seed, times):
    """All labels together say the same in any order; a caller who asked the same several times counts once."""
    rng = np.random.default_rng(seed)
    usual, rows = before(rng), answered(300, rng)
    once = from_numbers(rows, usual, stick=Stick.KEY).means[1]
    again = [rows.with_columns(id=pl.col("id") + f"x{turn}") for turn in range(times - 1)]
    mixed = pl.concat([rows, *again]).sample(fraction=1.0, shuffle=True, seed=seed % 1_000)
    found = from_numbers(mixed, usual, stick=Stick.KEY).means[1]
    assert (found.canary.n, found.baseline.n) == (once.canary.n, once.baseline.n)
    assert found.difference == pytest.approx(once.difference, rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_swapped_arms_turn_harm_into_none(seed):
    """Evidence that the canary is farther off and evidence that live is never both speak."""
    rng = np.random.default_rng(seed)
    usual, rows = before(rng), answered(600, rng, worse=2.0)
    other = pl.when(pl.col("assigned") == "canary").then(pl.lit("live")).otherwise(pl.lit("canary"))
    mine, swapped = (
        from_numbers(each, usual, stick=Stick.KEY).means[1].log_e_higher(a=0.01)
        for each in (rows, rows.with_columns(assigned=other))
    )
    assert swapped < 0 < mine or mine < 3
    assert min(mine, swapped) <= 0
