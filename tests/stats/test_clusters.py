"""Intervals over clusters: they hold the truth as often as they say, where those over rows do not."""

from __future__ import annotations

import numpy as np
import pytest

from lockgate.stats.auc import auc, auc_difference, auc_interval
from lockgate.stats.clusters import (
    clustered_difference,
    clustered_excess,
    clustered_mean,
    clustered_share,
    ks_by,
    paired_share_by,
)
from lockgate.stats.distances import ks
from lockgate.stats.intervals import bootstrap, mean_interval, wilson

RUNS, SUBJECTS, ROWS = 300, 60, 8


def people(seed: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Values of 60 people, 8 rows each, half of whose variance is the person's; and the people."""
    draw = np.random.default_rng(seed)
    clusters = np.arange(SUBJECTS).repeat(ROWS)
    return draw.normal(size=SUBJECTS)[clusters] + draw.normal(size=clusters.size), clusters, draw


@pytest.mark.parametrize("what", ["mean", "share", "area", "bootstrap", "difference"])
def test_intervals_over_subjects_hold_the_truth(what):
    """Of 300 samples about 95 % hold the true value; those of rows, taken for strangers, far fewer."""
    held, alone = 0, 0
    for seed in range(RUNS if what != "bootstrap" else 100):
        values, clusters, draw = people(seed)
        if what == "mean":
            found, plain, truth = clustered_mean(values, clusters), mean_interval(values), 0.0
        elif what == "share":
            found, truth = clustered_share(values > 0, clusters), 0.5
            plain = wilson(int((values > 0).sum()), values.size)
        elif what == "area":
            came = (draw.random(SUBJECTS) < 0.5)[clusters]  # a person's label is the same in all rows
            found, plain, truth = (
                auc_interval(came, values, clusters=clusters),
                auc_interval(came, values),
                0.5,
            )
        elif what == "difference":
            came = (draw.random(SUBJECTS) < 0.5)[clusters]
            other = draw.normal(size=SUBJECTS)[clusters] + draw.normal(size=clusters.size)
            found = auc_difference(came, values, other, clusters=clusters)
            plain, truth = auc_difference(came, values, other), 0.0
        else:
            found = bootstrap(
                lambda rows, v=values: float(v[rows].mean()), values.size, clusters=clusters, times=100
            )
            plain = bootstrap(lambda rows, v=values: float(v[rows].mean()), values.size, times=100)
            truth = 0.0
        held, alone = held + found.holds(truth), alone + plain.holds(truth)
    runs = RUNS if what != "bootstrap" else 100
    assert held / runs >= 0.90
    assert alone / runs <= 0.80


def test_clusters_of_one_row_are_rows():
    """Where each row is its own subject, the figures are those of rows."""
    values, clusters = people(0)[0], np.arange(SUBJECTS * ROWS)
    came = values + np.random.default_rng(1).normal(size=values.size) > 0
    ours, theirs = clustered_mean(values, clusters), mean_interval(values)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high))
    ours, theirs = auc_interval(came, values, clusters=clusters), auc_interval(came, values)
    assert ours.value == theirs.value == auc(came, values)
    assert (ours.low, ours.high) == pytest.approx((theirs.low, theirs.high), abs=1e-3)
    share, plain = clustered_share(came, clusters), wilson(int(came.sum()), came.size)
    assert (share.low, share.high) == pytest.approx((plain.low, plain.high), abs=2e-3)


def test_too_few_subjects_say_nothing():
    """One subject has no bounds, an area whose class stands in one subject is anything; no miss among few is not sure."""
    one = np.zeros(20, dtype=int)
    assert not np.isfinite(clustered_mean(np.arange(20.0), one).low)
    assert clustered_share(np.ones(20), one).low == 0.0
    assert clustered_share(np.ones(20), np.arange(4).repeat(5)).low < 0.6
    came = np.arange(20) < 5
    assert auc_interval(came, np.arange(20.0), clusters=np.where(came, 0, np.arange(20))).low == 0.0


def test_a_difference_within_and_between_subjects():
    """A gap that every subject shows is sure although subjects differ much; one that two subjects make is not."""
    values, clusters, draw = people(3)
    inside = draw.random(values.size) < 0.5
    effect, low = clustered_excess(inside, values + 2.0 * inside, clusters, 0.01)
    assert effect > low > 1.0
    assert clustered_difference(inside, values + 2.0 * inside, clusters).p < 1e-6
    two = clusters < 2
    assert clustered_excess(two, values + 0.3 * two, clusters, 0.01)[1] < 0
    assert clustered_excess(np.zeros(values.size, bool), values, clusters, 0.01) == (0.0, -np.inf)
    assert clustered_difference(two[:8], values[:8], clusters[:8]).p == 1.0


def test_distances_over_subjects_raise_no_more_alarms_than_they_say():
    """Of 300 pairs of samples of other people at most about 5 % have a p below 0.05; taken for strangers, far more have."""
    by_subject, by_row = 0, 0
    for seed in range(RUNS):
        left, clusters, _ = people(seed)
        right = people(seed + RUNS)[0]
        by_subject += ks_by(left, right, (clusters, clusters)).p < 0.05
        by_row += ks(left, right).p < 0.05
    assert by_subject / RUNS <= 0.06
    assert by_row / RUNS >= 0.2
    assert ks_by(left, right, (clusters, None)).value == ks(left, right).value
    assert ks_by(left, right, (None, None)) == ks(left, right)


def test_a_share_that_changed_for_two_people_is_not_sure():
    """Forty rows that changed tell as much as the people that they are of: of two it is anything, of forty it is sure."""
    was, now = np.zeros(400, dtype=bool), np.arange(400) < 40
    assert paired_share_by(now, was, None).low > 0
    assert paired_share_by(now, was, np.arange(400) // 20).low < 0
    assert paired_share_by(now, was, np.arange(400)).low > 0
