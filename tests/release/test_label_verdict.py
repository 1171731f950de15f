"""Labels after promotion: an e-detector of their own, what it finds, and that it alarms no more often than promised."""

from __future__ import annotations

import math

import msgspec
import numpy as np
import polars as pl
import pytest
from benchmarks.release.paths import detector_paths
from hypothesis import given
from hypothesis import strategies as st

from lockgate.config import Observed
from lockgate.config_release import ReleaseConfig
from lockgate.release.baseline import Traffic
from lockgate.release.counts import WATCH_BATCH, Counts, Frozen
from lockgate.release.guards import Action, GuardName, label_alphas
from lockgate.release.judge import judge, worst
from lockgate.release.label_evidence import LabelEvidence, from_pairs, take
from lockgate.release.plan import make_plan
from lockgate.release.taking_back import void
from lockgate.release.verdict import Label, Verdict

WATCH = 2  # after one stage of a canary
PLAN = msgspec.structs.replace(
    make_plan(ReleaseConfig(canary=("10%",)), Traffic(), labels=Observed.ALWAYS), watch_batches=500
)
GUARD = next(guard for guard in PLAN.guards if guard.name is GuardName.LABELS)
BEFORE, AFTER = label_alphas(GUARD.alpha, paired=True)


def pairs(
    new_wrong: np.ndarray, old_wrong: np.ndarray, *, stage: int = WATCH, first: int = 0
) -> pl.DataFrame:
    """Requests that both versions answered, one a caller, labelled in their order."""
    count, of = len(new_wrong), range(first, first + len(new_wrong))
    return pl.DataFrame({
        "at_us": of, "id": [f"r{i:06}" for i in of], "row": [0] * count, "key": [f"k{i}" for i in of],
        "old": old_wrong.astype(int).astype(str), "new": new_wrong.astype(int).astype(str), "label": [0] * count,
        "label_at_us": of, "stage": [stage] * count,
    })  # fmt: skip


def wrong(count: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Of `count` pairs one in five differs; of these the new version is wrong in a `share`."""
    differs, new = rng.random(count) < 0.2, rng.random(count) < share
    return differs & new, differs & ~new


def said(evidence: LabelEvidence, plan=PLAN) -> list[Verdict]:
    """What labels say, the worst first."""
    counts = Counts(release=7)
    take(counts, evidence)
    return [verdict for verdict in judge(plan, counts, Frozen()) if verdict.guard == GuardName.LABELS]


def test_what_breaks_after_many_good_labels_ends_the_release():
    """Two thousand equal labels of the watch, then the new version is worse: the detector sees it, in words."""
    rng = np.random.default_rng(3)
    good = wrong(2_000, 0.5, rng)
    bad = wrong(700, 0.75, rng)
    rows = [np.concatenate(both) for both in zip(good, bad, strict=True)]
    fine, broken = said(from_pairs(pairs(*good), watch=WATCH)), said(from_pairs(pairs(*rows), watch=WATCH))
    assert [verdict.label for verdict in fine] == [Label.NOT_YET, Label.NOT_YET]
    assert (broken[0].label, broken[0].action, broken[0].alpha) == (Label.WORSE, Action.ROLLBACK, AFTER)
    assert broken[0].sentence.startswith("wrong answers in the watch: the new version is wrong more often (")
    assert "of 2,700 rows with a label" in broken[0].sentence
    assert worst(broken) is broken[0]


def test_requests_before_the_watch_and_in_it_are_judged_apart():
    """Labels of the canary's requests that come in the watch are the first process's, and count in no other."""
    rng = np.random.default_rng(4)
    early, late = wrong(200, 0.9, rng), wrong(300, 0.5, rng)
    both = pl.concat([pairs(*early, stage=1), pairs(*late, first=200)])
    found = from_pairs(both, watch=WATCH)
    assert found.labelled == 200
    assert found.wrong == from_pairs(pairs(*early, stage=1)).wrong
    assert found.watched is not None
    assert (found.watched.labelled, found.watched.detector.batches) == (300, 300 // WATCH_BATCH)
    assert (found.watched.canary, found.watched.baseline) == (late[0].sum(), late[1].sum())
    assert {verdict.alpha for verdict in said(found)} == {BEFORE, AFTER}
    assert pytest.approx(GUARD.alpha) == BEFORE + AFTER


def test_before_the_watch_there_is_no_detector_and_a_voided_stage_takes_it_back():
    """No request of the watch: one verdict. What people resume past is evidence no more until it is looked at anew."""
    assert len(said(from_pairs(pairs(*wrong(50, 0.5, np.random.default_rng(1)), stage=1), watch=WATCH))) == 1
    counts = Counts(release=7)
    take(counts, from_pairs(pairs(*wrong(50, 0.5, np.random.default_rng(1))), watch=WATCH))
    assert counts.watched_labels is not None
    void(counts, WATCH, 5)
    assert counts.watched_labels is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60), st.randoms())
def test_the_evidence_is_the_recursion_over_batches_of_requests(rows, chance):
    """R = (R + 1) * e, batch by batch; the order of labels within a batch changes nothing."""
    table = pairs(np.array([new for new, _ in rows]), np.array([old for _, old in rows]))
    found = from_pairs(table, watch=WATCH).watched
    assert found is not None
    batches = [rows[begin : begin + WATCH_BATCH] for begin in range(0, len(rows), WATCH_BATCH)]
    canary = np.array([[sum(new and not old for new, old in batch) for batch in batches]])
    baseline = np.array([[sum(old and not new for new, old in batch) for batch in batches]])
    expected = detector_paths(canary, baseline, 0.5)[0, -1]
    assert found.detector.log_r_mean() == pytest.approx(expected, abs=1e-9)
    order = list(range(len(rows)))
    for begin in range(0, len(rows), WATCH_BATCH):
        part = order[begin : begin + WATCH_BATCH]
        chance.shuffle(part)
        order[begin : begin + WATCH_BATCH] = part
    mixed = table[order].with_columns(label_at_us=table["label_at_us"])
    again = from_pairs(mixed, watch=WATCH).watched
    assert again is not None
    assert again.detector.log_r_mean() == pytest.approx(expected, abs=1e-9)


def test_a_caller_counts_once_and_many_rows_of_one_request_are_one_step():
    """Two hundred wrong rows of one request and caller: one event in one batch."""
    ones, none = np.ones(200, dtype=bool), np.zeros(200, dtype=bool)
    table = pairs(ones, none).with_columns(
        id=pl.lit("r"), key=pl.lit("k"), row=pl.int_range(200, dtype=pl.Int64)
    )
    found = from_pairs(table, watch=WATCH).watched
    assert found is not None
    assert (found.labelled, found.canary, found.detector.batches) == (200, 1, 1)


def test_equally_good_versions_are_hardly_ever_alarmed():
    """Of two thousand harmless watches as long as planned at most alpha alarm, with three standard errors."""
    runs, batches, alpha = 2_000, 200, 0.02
    rng = np.random.default_rng(20261122)
    differs = rng.binomial(WATCH_BATCH, 0.3, (runs, batches))
    canary = rng.binomial(differs, 0.5)
    alarms = (detector_paths(canary, differs - canary, 0.5).max(axis=1) >= math.log(batches / alpha)).mean()
    assert alarms <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / runs)
    worse = rng.binomial(differs, 0.7)
    found = (detector_paths(worse, differs - worse, 0.5).max(axis=1) >= math.log(batches / alpha)).mean()
    assert found > 0.99


@pytest.mark.parametrize("costs", [{}, {"0": {"1": 5.0}, "1": {"0": 1.0}}])
def test_farther_numbers_and_dearer_answers_are_found_in_the_watch(costs):
    """In regression, and where decisions have costs: bets on differences, with the words of these."""
    rng = np.random.default_rng(6)
    plan = msgspec.structs.replace(PLAN, costs=costs)
    if costs:
        worse, alike = pairs(*wrong(1_500, 0.8, rng)), pairs(*wrong(1_500, 0.5, rng))
    else:
        truth = rng.normal(100, 20, 1_500)
        noise = rng.normal(0, 1, (2, 1_500))
        table = pairs(noise[0] > 9, noise[0] > 9)
        worse, alike = (
            table.with_columns(old=truth + noise[0], new=truth + by * noise[1], label=pl.Series(truth))
            for by in (1.5, 1.0)
        )
    found = said(from_pairs(worse, costs=costs, watch=WATCH), plan)[0]
    assert found.label is Label.WORSE
    assert ("cost more" if costs else "farther from the truth") in found.sentence
    assert said(from_pairs(alike, costs=costs, watch=WATCH), plan)[0].label is Label.NOT_YET
