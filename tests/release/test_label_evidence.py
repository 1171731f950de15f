"""Labels as evidence: pairs, single answers, corrected labels, callers who come often."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.counts import Counts, Frozen
from lockgate.release.guards import Action, GuardName
from lockgate.release.judge import Label, Verdict, judge, unproven_guards
from lockgate.release.label_evidence import LabelEvidence, from_pairs, from_requests, take
from lockgate.release.plan import make_plan
from lockgate.release.promise import DAY_S

PLAN = make_plan(ReleaseConfig(canary=("10%",)), Traffic(), labels=Observed.ALWAYS)


def pairs(old, new, label, *, key=None) -> pl.DataFrame:
    """Rows that both versions answered, one request each, labelled in their order."""
    count = len(label)
    return pl.DataFrame({
        "at_us": range(count), "id": [f"r{i:06}" for i in range(count)], "row": [0] * count, "old": old, "new": new,
        "key": key or [f"k{i}" for i in range(count)], "label": label, "label_at_us": range(100, 100 + count),
        "stage": [1] * count,
    })  # fmt: skip


def verdict(evidence: LabelEvidence, plan=PLAN) -> Verdict:
    """What the guard on wrong answers says."""
    counts = Counts(release=7)
    take(counts, evidence)
    return next(v for v in judge(plan, counts, Frozen()) if v.guard == GuardName.LABELS)


def test_a_version_that_is_wrong_more_often_is_found():
    """Of 53 pairs in which one was wrong the new version was in 41 (vector A6 has 31 and 12: log E = 3.332504)."""
    wrong = ["1"] * 41 + ["0"] * 22
    evidence = from_pairs(pairs(["0"] * 41 + ["1"] * 12 + ["0"] * 10, wrong, [0] * 63))
    found = verdict(evidence)
    assert (found.label, found.canary, found.baseline) == (Label.WORSE, 41, 12)
    assert "of 63 rows with a label" in found.sentence
    vector = from_pairs(pairs(["0"] * 31 + ["1"] * 12, ["1"] * 31 + ["0"] * 12, [0] * 43))
    assert vector.wrong.segments[0].events.totals() == (31, 12)
    # one copy that begins at once weighs one half: the vector less log 2
    assert vector.wrong.log_e() == pytest.approx(3.332504 - np.log(2), abs=1e-6)


def test_a_version_that_is_as_often_wrong_stays():
    """A hundred differences, evenly spread, are no harm; pairs in which both are wrong say nothing."""
    even = from_pairs(pairs(["0", "1"] * 50, ["1", "0"] * 50, [0] * 100))
    assert verdict(even).label is Label.NOT_YET
    both = from_pairs(pairs(["1"] * 100, ["1"] * 100, [0] * 100))
    assert both.wrong.totals() == (0, 0)
    assert both.labelled == 100


def test_a_caller_counts_once():
    """Two hundred wrong answers for one caller are one; without a key each request is a caller of its own."""
    often = pairs(["0"] * 200, ["1"] * 200, [0] * 200, key=["same"] * 200)
    assert from_pairs(often).wrong.totals() == (1, 0)
    assert from_pairs(often.with_columns(key=pl.lit(None, pl.String))).wrong.totals() == (200, 0)


def test_rows_without_a_decision_or_label_say_nothing():
    """A version that failed is the other guards' business; a label that is not there yet nobody's."""
    found = from_pairs(pairs(["0", None, "0"], ["1", "1", "1"], [0, 0, None]))
    assert (found.labelled, found.wrong.totals()) == (1, (1, 0))
    assert from_pairs(pairs(["0"], ["1"], [0]).clear()).labelled == 0


@pytest.mark.parametrize(
    "label", [[1, 0], [1.0, 0.0], [True, False], ["1", "0"], ["True", "False"], ["true", "false"]]
)
def test_one_class_has_many_spellings(label):
    """What comes out of a CSV is held against what the model calls its classes: two rows, of each version one is wrong."""
    found = from_pairs(pairs(["1", "1"], ["0", "0"], label))
    assert (found.labelled, found.wrong.totals()) == (2, (1, 1))
    assert from_pairs(pairs(["1", "0"], ["1", "0"], label)).wrong.totals() == (0, 0)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.randoms())
def test_the_order_of_labels_changes_nothing(rows, chance):
    """All labels together say the same in whatever order they were handed in."""
    table = pairs([str(int(old)) for old, _ in rows], [str(int(new)) for _, new in rows], [0] * len(rows))
    mixed = list(range(len(rows)))
    chance.shuffle(mixed)
    again = from_pairs(table.with_columns(label_at_us=pl.Series(mixed, dtype=pl.Int64)))
    assert again.wrong.log_e() == pytest.approx(from_pairs(table).wrong.log_e(), abs=1e-9)


def test_single_answers_count_for_the_arm_they_were_assigned_to():
    """Without a shadow: wrong answers by arm and weight, whoever answered; heavy keys are left out."""
    count = 400
    rows = pairs(["0"] * count, ["0"] * count, [int(i % 10 == 0 or i >= 300) for i in range(count)]).with_columns(
        decision=pl.lit("0"), weight=pl.lit(0.25),
        assigned=pl.Series(["canary" if i >= 300 else "live" for i in range(count)]),
    )  # fmt: skip
    found = from_requests(rows, heavy=("k0",))
    assert found.labelled == 399
    assert found.wrong.segments[0].events.cells == ((0.25, 100, 29),)
    assert verdict(found).label is Label.WORSE


def test_labels_that_exist_only_when_accepted_never_roll_back():
    """A decision that makes its own labels holds the release, and is never judged in pairs."""
    plan = make_plan(ReleaseConfig(canary=("10%",)), Traffic(), labels=Observed.WHEN_ACCEPTED)
    guard = next(guard for guard in plan.guards if guard.name is GuardName.LABELS)
    assert (guard.action, plan.paired_labels) == (Action.HOLD, False)
    assert PLAN.paired_labels


def test_in_regression_the_truth_decides_who_is_nearer():
    """A version whose errors are a fifth larger is found, one with the same errors is not, and neither is a better one."""
    rng = np.random.default_rng(5)
    truth = rng.normal(100, 20, 3000)
    noise = rng.normal(0, 1, (2, 3000))
    found = {
        name: verdict(from_pairs(pairs(truth + noise[0], truth + factor * noise[1], truth)))
        for name, factor in (("worse", 1.2), ("alike", 1.0), ("better", 0.8))
    }
    assert found["worse"].label is Label.WORSE
    assert "farther from the truth" in found["worse"].sentence
    assert found["alike"].label is found["better"].label is Label.NOT_YET


def test_a_version_that_answers_the_wrong_quantile_is_found():
    """Of two models of the upper tenth the one that answers the median lies nearer to most labels, and is the worse one."""
    rng = np.random.default_rng(5)
    truth = rng.exponential(10.0, 3000)
    upper, median = 10.0 * np.log(10.0), 10.0 * np.log(2.0)
    near = pairs([upper] * 3000, [median] * 3000, truth)
    assert verdict(from_pairs(near)).label is Label.NOT_YET, "by the distance alone nothing is wrong"
    assert verdict(from_pairs(near, quantile=0.9)).label is Label.WORSE
    truth[5] = np.inf
    endless = from_pairs(pairs([upper] * 3000, [median] * 3000, truth), quantile=0.9)
    assert verdict(endless).label is Label.WORSE, "a label without an end is none, and ends nothing"
    back = pairs([median] * 3000, [upper] * 3000, truth)
    assert verdict(from_pairs(back, quantile=0.9)).label is Label.NOT_YET
    assert verdict(from_pairs(back)).label is Label.WORSE


def test_labels_do_not_hold_a_release_up():
    """Labels may take months: proof of safety is asked of the guards that see every request."""
    assert "wrong answers" not in unproven_guards(PLAN, Counts(release=7))


def test_the_plan_waits_for_labels_and_says_when_none_are_known():
    """The watch lasts until labels usually come, at most half of the release's time."""
    slow = make_plan(ReleaseConfig(), Traffic(), labels=Observed.ALWAYS, label_delay_s=2 * DAY_S)
    assert slow.watch_s == 2 * DAY_S
    assert (
        make_plan(ReleaseConfig(), Traffic(), labels=Observed.ALWAYS, label_delay_s=90 * DAY_S).watch_s
        == 3.5 * DAY_S
    )
    assert not any("no labels guard this release" in said for said in slow.cannot_see)
    assert any(
        "no labels guard this release" in said for said in make_plan(ReleaseConfig(), Traffic()).cannot_see
    )
