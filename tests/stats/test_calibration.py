"""Calibration, and its noise; corrected p-values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import brier_score_loss

from lockgate.stats.calibration import brier, noise_floor, recalibration, reliability
from lockgate.stats.multiple import benjamini_hochberg


def test_brier_is_scikit_learns():
    """The Brier score is scikit-learn's."""
    generator = np.random.default_rng(0)
    given_p = generator.random(100)
    came = generator.random(100) < given_p
    assert brier(came, given_p) == pytest.approx(brier_score_loss(came, given_p))


def test_an_honest_model_stays_within_its_noise():
    """Of 100 perfectly calibrated models, at most ten exceed the 95th percentile of their own noise."""
    generator = np.random.default_rng(0)
    above = 0
    for seed in range(100):
        given_p = generator.beta(2, 5, 400)
        came = generator.random(400) < given_p
        above += reliability(came, given_p).error > np.quantile(
            noise_floor(given_p, times=100, seed=seed), 0.95
        )
    assert above <= 10


def test_an_overconfident_model_does_not():
    """Probabilities pushed towards 0 and 1 lie far beyond the noise."""
    generator = np.random.default_rng(0)
    true = generator.beta(2, 5, 2_000)
    came = generator.random(2_000) < true
    pushed = true**2 / (true**2 + (1 - true) ** 2)
    assert reliability(came, pushed).error > 2 * noise_floor(pushed)[-1]


def test_bins_hold_equal_numbers_of_rows():
    """Ten bins of 103 rows hold ten or eleven rows each, also when there are fewer rows than bins."""
    assert sorted(set(reliability([0] * 103, np.linspace(0, 1, 103)).rows)) == [10, 11]
    assert reliability([0, 1], [0.2, 0.8]).rows == (1, 1)
    assert noise_floor([0.2, 0.8], times=5).shape == (5,)


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_adjusted_p_values_are_scipys(values):
    """Benjamini-Hochberg is scipy's, whatever the order."""
    assert benjamini_hochberg(values) == pytest.approx(stats.false_discovery_control(values))


def test_no_question_no_answer():
    """An empty list stays empty."""
    assert benjamini_hochberg([]).size == 0


@pytest.mark.parametrize(("bend", "shift"), [(1.0, 0.0), (2.0, 0.0), (0.5, 0.0), (1.0, 0.7)])
def test_slope_and_shift_are_those_that_bent_the_log_odds(bend, shift):
    """Log odds that are stretched and moved give the inverse slope, and the sign of the shift; honest ones hold 1 and 0."""
    draw = np.random.default_rng(0)
    odds = draw.normal(0, 1.5, 20_000)
    came = draw.random(20_000) < 1 / (1 + np.exp(-odds))
    found = recalibration(came, 1 / (1 + np.exp(-(bend * odds + shift))))
    assert found.slope.value == pytest.approx(1 / bend, rel=0.05)
    assert found.slope.low < 1 / bend < found.slope.high
    if bend == 1.0:
        assert found.shift.value == pytest.approx(-shift, abs=0.06)


def test_slope_and_shift_have_no_answer_where_there_is_none():
    """One class, one probability, and classes parted without an error give None."""
    assert recalibration([1, 1, 1], [0.2, 0.5, 0.9]) is None
    assert recalibration([0, 1, 1], [0.5, 0.5, 0.5]) is None
    assert recalibration([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]) is None
