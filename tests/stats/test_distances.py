"""Distances against scipy and by their properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance as scipy_distance

from lockgate.stats.distances import (
    category_counts,
    chi_square,
    jensen_shannon,
    ks,
    psi,
    psi_of_shares,
    wasserstein,
)

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


@given(st.lists(st.integers(0, 20), min_size=2, max_size=8).filter(lambda c: sum(c) > 0))
def test_jensen_shannon_is_scipys_and_bounded(weights):
    """Against uniform shares: scipy's distance in base 2, between 0 and 1, 0 for itself."""
    uniform = [1.0] * len(weights)
    got = jensen_shannon(weights, uniform)
    assert got == pytest.approx(scipy_distance.jensenshannon(weights, uniform, base=2), abs=1e-7)
    assert 0 <= got <= 1 + 1e-12
    assert jensen_shannon(weights, weights) == pytest.approx(0, abs=1e-7)


def test_nothing_in_common_is_one():
    """Shares that never meet are at distance 1."""
    assert jensen_shannon([1, 0], [0, 1]) == pytest.approx(1)


def test_chi_square_is_scipys():
    """Cramer's V and p of two samples of colours, as from scipy's table test."""
    generator = np.random.default_rng(0)
    left, right = (
        generator.choice(["r", "g", "b"], 300),
        generator.choice(["r", "g", "b"], 300, p=[0.5, 0.3, 0.2]),
    )
    names, counts = category_counts(left, right)
    found = stats.chi2_contingency(counts, correction=False)
    got = chi_square(left, right)
    assert names == ["b", "g", "r"]
    assert got.p == pytest.approx(found.pvalue)
    assert got.value == pytest.approx(stats.contingency.association(counts))


def test_rare_categories_do_not_make_an_alarm():
    """Two hundred categories seen once or twice each are pooled, and p stays honest: about 5 % below 0.05."""
    generator = np.random.default_rng(0)
    small = [
        chi_square(generator.integers(0, 200, 150), generator.integers(0, 200, 150)).p < 0.05
        for _ in range(200)
    ]
    assert np.mean(small) < 0.1


def test_psi_of_a_known_shift():
    """Shares 0.5/0.5 against 0.6/0.4 give 0.1*ln(1.2) - 0.1*ln(0.8) = 0.0405."""
    assert psi_of_shares([0.5, 0.5], [0.6, 0.4]) == pytest.approx(0.040547, abs=1e-6)


def test_psi_is_small_without_and_large_with_a_shift():
    """Two samples of one distribution stay under 0.01 at 20,000 rows; half a deviation passes 0.2."""
    generator = np.random.default_rng(0)
    left = generator.normal(0, 1, 20_000)
    assert psi(left, generator.normal(0, 1, 20_000)) < 0.01
    assert psi(left, generator.normal(0.5, 1, 20_000)) > 0.2


def test_psi_of_few_values_and_constants():
    """Columns of two values keep two bins, and a constant is at no distance from itself."""
    assert psi([0, 1] * 50, [0, 0, 0, 1] * 25) == pytest.approx(psi_of_shares([0.5, 0.5], [0.75, 0.25]))
    assert psi([3.0] * 10, [3.0] * 10) == 0
    assert wasserstein([3.0] * 4, [3.0] * 4) == 0
    assert wasserstein([3.0] * 4, [5.0] * 4) == 1


def test_empty_samples_have_no_distance():
    """Nothing to compare is NaN with p = 1, not an error."""
    assert np.isnan(ks([], [1.0]).value)
    assert ks([], [1.0]).p == 1
    assert np.isnan(psi([], [1.0]))
    assert np.isnan(wasserstein([], [1.0]))
    assert chi_square([], ["a"]).p == 1


def test_ks_p_values_are_honest():
    """Over 1,000 pairs of equal samples at most 5 % fall below 0.05, and for large samples p is scipy's."""
    generator = np.random.default_rng(0)
    small = [ks(generator.normal(size=40), generator.normal(size=60)).p < 0.05 for _ in range(1_000)]
    assert np.mean(small) <= 0.05
    left, right = generator.normal(size=5_000), generator.normal(0.03, 1, size=4_000)
    assert ks(left, right).p == pytest.approx(stats.ks_2samp(left, right, method="asymp").pvalue, rel=0.05)
    assert ks([1.0], [2.0]).value == 1
