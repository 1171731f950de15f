"""Guards on means: a business metric that ends a release, shifted answers that hold one, and what was approved before."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl
import pytest
from benchmarks.release.cost import MANIFEST

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.datasets.classes import class_texts
from lockgate.predictions.record import Record, blocks_of
from lockgate.registry.manifest import Answer, Task
from lockgate.release.baseline import Traffic
from lockgate.release.business_evidence import from_values
from lockgate.release.counts import Counts, Frozen, fold
from lockgate.release.guards import Action, GuardName
from lockgate.release.judge import judge, worst
from lockgate.release.label_evidence import LabelEvidence, take
from lockgate.release.means import accepted_shifts
from lockgate.release.outputs import Spread, answered
from lockgate.release.outputs_before import outputs_of, spread_of
from lockgate.release.plan import make_plan
from lockgate.release.promise import BusinessPlan
from lockgate.release.verdict import Label
from lockgate.traffic import Role, Stick

BUSINESS = BusinessPlan(metric="revenue", higher_is_better=True, spread=Spread(low=0, high=200, sigma=13.0))
PLAN = msgspec.structs.replace(
    make_plan(ReleaseConfig(canary=("10%", "50%")), Traffic(), labels=Observed.ALWAYS, business=BUSINESS),
    stick=Stick.KEY,
)


def values(count: int, rng: np.random.Generator, *, less: float = 1.0) -> pl.DataFrame:
    """Callers of stage 1 and what they spent: one in ten buys; the canary's spend `less` times as much."""
    canary = rng.random(count) < 0.5
    spent = np.where(rng.random(count) < 0.1, rng.exponential(40, count), 0.0) * np.where(canary, less, 1.0)
    return pl.DataFrame({
        "id": [f"r{i}" for i in range(count)], "key": [f"k{i}" for i in range(count)], "row": [0] * count,
        "stage": [1] * count, "assigned": np.where(canary, "canary", "live"), "label": spent,
    })  # fmt: skip


def said(plan, evidence: LabelEvidence, guard: str = GuardName.BUSINESS):
    """What a guard says of late evidence."""
    counts = Counts(release=7)
    take(counts, evidence)
    return next(verdict for verdict in judge(plan, counts, Frozen()) if verdict.guard == guard)


def test_callers_who_spend_less_end_a_release():
    """A tenth of the revenue is lost in noise; most of it is found. Fewer complaints are found the other way round."""
    rng = np.random.default_rng(3)
    same, worse = (values(8_000, rng, less=less) for less in (1.0, 0.3))
    fine = said(PLAN, LabelEvidence(business=from_values(same, BUSINESS, stick=Stick.KEY)))
    lost = said(PLAN, LabelEvidence(business=from_values(worse, BUSINESS, stick=Stick.KEY)))
    assert fine.label is Label.NOT_YET
    assert (lost.label, lost.action) == (Label.WORSE, Action.ROLLBACK)
    assert "revenue: mean" in lost.sentence
    assert "of the canary" in lost.sentence
    fewer = msgspec.structs.replace(BUSINESS, higher_is_better=False)
    better = said(
        msgspec.structs.replace(PLAN, business=fewer),
        LabelEvidence(business=from_values(worse, fewer, stick=Stick.KEY)),
    )
    assert better.label is Label.NOT_YET


def test_a_caller_with_many_values_is_one_and_nobody_decides_alone():
    """Key means, clipped to what was usual before; heavy callers are left out; unknown values too."""
    rows = values(400, np.random.default_rng(4))
    many = pl.concat(
        [rows, *(rows.head(1).with_columns(id=pl.lit(f"x{i}"), label=pl.lit(1e9)) for i in range(50))]
    )
    arms = from_values(many, BUSINESS, stick=Stick.KEY)[1]
    assert arms.canary.n + arms.baseline.n == 400
    assert max(arms.canary.total, arms.baseline.total) < 400 * 40
    by_request = from_values(many, BUSINESS, stick=Stick.REQUEST)[1]
    assert by_request.canary.n + by_request.baseline.n == 450
    light = from_values(many, BUSINESS, stick=Stick.KEY, heavy=("k0", "k1"))[1]
    assert light.canary.n + light.baseline.n == 398
    unknown = rows.with_columns(label=pl.when(pl.col("id") == "r5").then(None).otherwise("label"))
    assert (
        sum(arm.n for arm in msgspec.structs.astuple(from_values(unknown, BUSINESS, stick=Stick.KEY)[1]))
        == 399
    )


def test_too_few_values_say_so():
    """Fewer than a hundred callers of an arm: no figure is made up."""
    few = from_values(values(60, np.random.default_rng(5)), BUSINESS, stick=Stick.KEY)
    verdict = said(PLAN, LabelEvidence(business=few))
    assert (verdict.label, verdict.log_e) == (Label.NOT_YET, pytest.approx(-math.log(2)))
    assert "too few values so far" in verdict.sentence


def answers(count: int, shift: float, seed: int, *, canary_share: float = 0.5) -> list[Record]:
    """Answered requests of stage 1, one a caller: the canary's scores are `shift` higher."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        canary = rng.random() < canary_share
        score = float(np.clip(rng.normal(0.4, 0.15) + shift * canary, 0, 1))
        outputs = blocks_of({"prediction": np.array([int(score > 0.5)]), "p": np.array([[1 - score, score]])})
        found.append(Record(
            id=f"{seed}-{i}", at_us=i + 1, model="m", version=2 if canary else 1, release=7, stage=1, weight=0.5,
            assigned=Role.CANARY if canary else Role.LIVE, key=f"{seed}-{i}", rows=1, outputs=outputs,
        ))  # fmt: skip
    return found


def before(shift: float) -> pl.DataFrame:
    """What the shadow showed: pairs whose new score is `shift` higher."""
    rng = np.random.default_rng(1)
    old = np.clip(rng.normal(0.4, 0.15, 2_000), 0, 1)
    new = np.clip(old + shift, 0, 1)
    return pl.DataFrame({
        "old": np.where(old > 0.5, "1", "0"), "new": np.where(new > 0.5, "1", "0"), "old_score": old, "new_score": new,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("shown", "shift", "held"),
    [(0.0, 0.0, False), (0.0, 0.1, True), (0.1, 0.1, False), (0.1, 0.0, True)],
    ids=["alike", "unexpected", "as the shadow showed", "the shadow's shift is missing"],
)
def test_answers_that_shift_unexpectedly_hold_a_release(shown, shift, held):
    """What people approved with the shadow verdict before them is no alarm; what goes beyond it asks them again."""
    frozen = Frozen(outputs=outputs_of(before(shown)))
    counts = Counts(release=7)
    fold(counts, answers(4_000, shift, 9), PLAN, frozen, lambda record: answered(record, MANIFEST))
    verdict = next(v for v in judge(PLAN, counts, frozen) if v.guard == "shift")
    assert (verdict.label is Label.HELD) == held
    assert verdict.action is Action.HOLD
    assert verdict.canary + verdict.baseline == 4_000
    if held:
        assert "shift more than the shadow showed" in verdict.sentence
        assert worst(judge(PLAN, counts, frozen)).label is not Label.WORSE


@pytest.mark.parametrize(
    ("shift", "held"), [(0.1, False), (0.05, False), (0.0, False), (0.3, True), (-0.1, True)]
)
def test_what_people_let_go_on_is_held_again_only_where_it_grows(shift, held):
    """The same shift in the next stage, or a smaller one, asks nobody again; a clearly larger one or the other way does."""
    frozen, counts = Frozen(outputs=outputs_of(before(0.0))), Counts(release=7)
    fold(counts, answers(2_000, 0.1, 9), PLAN, frozen, lambda record: answered(record, MANIFEST))
    first = next(v for v in judge(PLAN, counts, frozen) if v.guard == "shift")
    assert first.label is Label.HELD
    frozen = msgspec.structs.replace(frozen, accepted=accepted_shifts(PLAN, counts.stages, frozen))
    assert set(frozen.accepted) == {"mean score", "share of '1'"}
    assert all(name in first.sentence for name in frozen.accepted)  # nobody lets go on what was not shown
    low, high = frozen.accepted["mean score"]
    assert abs(low) < 0.01 < 0.09 < high < 0.15
    later = [msgspec.structs.replace(r, stage=2, weight=0.5) for r in answers(4_000, shift, 10)]
    fold(counts, later, PLAN, frozen, lambda record: answered(record, MANIFEST))
    verdict = next(v for v in judge(PLAN, counts, frozen) if v.guard == "shift")
    assert (verdict.label is Label.HELD) == held
    assert not held or "they shift more than what people let go on" in verdict.sentence


def test_nothing_known_before_means_nothing_compared():
    """Fewer than a hundred answers of live: no guard on answers; without a reader none either."""
    assert outputs_of(before(0.0).head(99)) is None
    counts = Counts(release=7)
    fold(counts, answers(300, 0.3, 2), PLAN, Frozen(), lambda record: answered(record, MANIFEST))
    assert all(v.guard != "shift" for v in judge(PLAN, counts, Frozen()))


def test_an_answer_is_read_as_score_and_class():
    """A probability, a class that is spelt as labels are, several rows as one; failed requests and odd ones say nothing."""
    one, two = answers(2, 0.0, 6)
    read = answered(one, MANIFEST)
    assert read is not None
    assert read.classes[0] in ("0", "1")
    both = blocks_of({"prediction": np.array([1, 0]), "p": np.array([[0.2, 0.8], [0.6, 0.4]])})
    found = answered(msgspec.structs.replace(two, outputs=both, rows=2), MANIFEST)
    assert (found.score, found.classes) == (pytest.approx(0.6), ("1", "0"))
    assert answered(msgspec.structs.replace(one, status=500), MANIFEST) is None
    assert answered(msgspec.structs.replace(one, outputs=[]), MANIFEST) is None
    number = blocks_of({"prediction": np.array([2.5, np.nan])})
    regression = msgspec.structs.replace(
        MANIFEST, task=Task.REGRESSION, answer=Answer(prediction="prediction")
    )
    assert answered(msgspec.structs.replace(one, outputs=number), regression).score == 2.5


def test_a_spread_is_what_was_usual():
    """Quantiles and deviation; a rare value keeps its place; nothing that varies has no spread."""
    spread = spread_of(pl.Series([0.0] * 9_990 + [50.0] * 10))
    assert (spread.low, spread.high) == (0.0, 50.0)
    assert spread_of(pl.Series([3.0] * 500)) is None
    assert spread_of(pl.Series(range(10_001))).high == pytest.approx(9_990)
    shares = outputs_of(before(0.0)).shares
    assert list(shares) == class_texts(pl.Series([1])).to_list()
