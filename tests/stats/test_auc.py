"""The area under the curve and DeLong's variance, against scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from lockgate.errors import InvalidInput
from lockgate.stats.auc import auc, auc_difference, auc_interval


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=60))
def test_area_is_scikit_learns(pairs):
    """With ties and all, the area is scikit-learn's; without both classes it is NaN."""
    truth, score = np.array([t for t, _ in pairs]), np.array([s for _, s in pairs], dtype=float)
    if truth.all() or not truth.any():
        assert np.isnan(auc(truth, score))
    else:
        assert auc(truth, score) == pytest.approx(roc_auc_score(truth, score))


def test_the_variance_is_delongs_definition():
    """The fast form equals the definition by comparing every pair."""
    generator = np.random.default_rng(0)
    truth = generator.random(80) < 0.4
    new, old = generator.normal(truth, 1).round(1), generator.normal(truth, 1.5).round(1)

    def placements(score):
        wins = (score[truth][:, None] > score[~truth]) + 0.5 * (score[truth][:, None] == score[~truth])
        return wins.mean(axis=1), wins.mean(axis=0)

    ups, downs = zip(placements(new), placements(old), strict=True)
    covariance = np.cov(ups) / truth.sum() + np.cov(downs) / (~truth).sum()
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    got = auc_difference(truth, new, old)
    assert (got.high - got.low) / 2 == pytest.approx(1.959964 * np.sqrt(variance), rel=1e-5)


def test_intervals_hold_the_truth_as_often_as_they_say():
    """Over 1,000 samples of 200 rows the 95 % interval holds the true area in 93 to 97.5 %."""
    generator = np.random.default_rng(0)
    true = 0.7602  # two normals one deviation apart: Phi(1 / sqrt(2))
    held = []
    for _ in range(1_000):
        truth = generator.random(200) < 0.3
        held.append(auc_interval(truth, generator.normal(truth, 1.0)).holds(true))
    assert 0.93 <= np.mean(held) <= 0.975


def test_equal_models_are_rarely_called_different():
    """Two scores of equal worth on the same rows: the difference excludes 0 in about 5 %."""
    generator = np.random.default_rng(1)
    wrong = 0
    for _ in range(500):
        truth = generator.random(150) < 0.5
        shared = generator.normal(truth, 1.0)
        got = auc_difference(
            truth, shared + generator.normal(0, 0.5, 150), shared + generator.normal(0, 0.5, 150)
        )
        wrong += not got.holds(0)
    assert wrong / 500 < 0.08


def test_perfect_and_tiny_samples():
    """A perfect order keeps an honest lower bound; one row of a class says nothing; equal orders do not differ."""
    perfect = auc_interval([0] * 20 + [1] * 20, range(40))
    assert perfect.high == 1
    assert 0.8 < perfect.low < 0.9
    reverse = auc_interval([1] * 20 + [0] * 20, range(40))
    assert (reverse.low, reverse.value) == (0, 0)
    assert auc_interval([0, 0, 1], [1, 2, 3]).low == 0
    same = auc_difference([0, 0, 1, 1], [1, 2, 3, 4], [10, 20, 30, 40])
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert auc_difference([0, 1], [1, 2], [2, 1]).low == -1


def test_unequal_lengths_are_refused():
    """Paired scores must be paired."""
    with pytest.raises(InvalidInput, match="equal numbers"):
        auc_difference([0, 1], [1.0, 2.0], [1.0])
