"""Distances of answers from what came: of a mean, and of a quantile."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import mean_pinball_loss

from lockgate.stats.pinball import best_constant, distance

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40)
QUANTILES = st.floats(0.01, 0.99)


@given(NUMBERS, st.floats(-1e6, 1e6), QUANTILES)
def test_the_pinball_loss_is_scikit_learns(labels: list[float], answer: float, quantile: float) -> None:
    """Row by row as their mean says; half the absolute error at the median; never below 0."""
    truth, said = np.array(labels), np.full(len(labels), answer)
    lost = distance(truth, said, quantile)
    assert lost.mean() == pytest.approx(mean_pinball_loss(truth, said, alpha=quantile))
    assert (lost >= 0).all()
    assert distance(truth, said, 0.5) == pytest.approx(distance(truth, said) / 2)


@given(NUMBERS, st.floats(-1e6, 1e6), QUANTILES)
def test_no_constant_is_better_than_the_best(labels: list[float], other: float, quantile: float) -> None:
    """Of a quantile, and of the median for absolute errors."""
    truth = np.array(labels)
    for level in (quantile, None):
        best = np.array(best_constant(truth, level))
        lost = distance(truth, best, level).mean()
        # between two labels numpy interpolates, where any point between them would be as good or nearly so
        assert lost <= distance(truth, np.array(other), level).mean() + np.ptp(truth) / truth.size + 1e-6


def test_missing_labels_are_left_out() -> None:
    """As everywhere."""
    assert best_constant(np.array([1.0, np.nan, 3.0])) == 2.0
