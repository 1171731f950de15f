"""Distances against scipy and by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lockgate.stats.distances import chi_square_of_counts, ks, wasserstein

samples = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=40)


@settings(deadline=None, max_examples=60)
@given(samples, samples)
def test_ks_and_wasserstein_are_scipys(left, right):
    """KS is scipy's and symmetric; the Wasserstein distance is scipy's in standard deviations of the left."""
    assert ks(left, right).value == pytest.approx(stats.ks_2samp(left, right, method="asymp").statistic)
    assert ks(left, right).value == pytest.approx(ks(right, left).value)
    if np.std(left) > 0:
        assert wasserstein(left, right) == pytest.approx(
            stats.wasserstein_distance(left, right) / np.std(left)
        )


def test_chi_square_is_scipys():
    """Cramer's V and p of two samples of colours, as from scipy's table test."""
    counts = np.array([[101, 98, 101], [152, 91, 57]])
    found, got = stats.chi2_contingency(counts, correction=False), chi_square_of_counts(counts)
    assert got.p == pytest.approx(found.pvalue)
    assert got.value == pytest.approx(stats.contingency.association(counts))


def test_rare_categories_do_not_make_an_alarm():
    """Two hundred categories seen once or twice each are pooled, and p stays honest: about 5 % below 0.05."""
    generator = np.random.default_rng(0)
    small = [
        chi_square_of_counts(
            np.vstack([np.bincount(generator.integers(0, 200, 150), minlength=200) for _ in range(2)])
        ).p
        < 0.05
        for _ in range(200)
    ]
    assert np.mean(small) < 0.1


def test_constants_and_empty_samples():
    """A constant is at no distance from itself; nothing to compare is NaN with p = 1, not an error."""
    assert wasserstein([3.0] * 4, [3.0] * 4) == 0
    assert wasserstein([3.0] * 4, [5.0] * 4) == 1
    assert np.isnan(ks([], [1.0]).value)
    assert ks([], [1.0]).p == 1
    assert np.isnan(wasserstein([], [1.0]))
    assert chi_square_of_counts(np.array([[0, 0], [1, 2]])).p == 1


def test_ks_p_values_are_honest():
    """Over 1,000 pairs of equal samples at most 5 % fall below 0.05, and for large samples p is scipy's."""
    generator = np.random.default_rng(0)
    small = [ks(generator.normal(size=40), generator.normal(size=60)).p < 0.05 for _ in range(1_000)]
    assert np.mean(small) <= 0.05
    left, right = generator.normal(size=5_000), generator.normal(0.03, 1, size=4_000)
    assert ks(left, right).p == pytest.approx(stats.ks_2samp(left, right, method="asymp").pvalue, rel=0.05)
    assert ks([1.0], [2.0]).value == 1
