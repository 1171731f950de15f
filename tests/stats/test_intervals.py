"""Intervals against scipy, against brute force, and by how often they hold the truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lockgate.errors import InvalidInput
from lockgate.stats.intervals import (
    bootstrap,
    mean_interval,
    paired_share_difference,
    share_difference,
    wilson,
)

counts = st.integers(1, 500).flatmap(lambda of: st.tuples(st.integers(0, of), st.just(of)))


@settings(deadline=None)
@given(counts)
def test_shares_equal_scipy(pair):
    """Wilson's interval is scipy's, to nine digits."""
    hits, of = pair
    theirs = stats.binomtest(hits, of).proportion_ci(method="wilson")
    got = wilson(hits, of)
    assert got.low == pytest.approx(theirs.low, abs=1e-9)
    assert got.high == pytest.approx(theirs.high, abs=1e-9)
    assert 0 <= got.low <= got.value <= got.high <= 1


def test_nothing_seen_says_nothing():
    """No rows give the whole range, not an error."""
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0, 1)
    assert paired_share_difference(0, 0, 0).high == 1
    assert share_difference(0, 0, 1, 2).low == -1
    assert mean_interval([3.0]).high == float("inf")


@pytest.mark.parametrize("pair", [(-1, 5), (6, 5)])
def test_impossible_counts_are_refused(pair):
    """More hits than rows is a mistake of the caller."""
    with pytest.raises(InvalidInput, match="0 <= hits <= rows"):
        wilson(*pair)


def test_mean_equals_scipy():
    """The t interval is scipy's."""
    values = np.random.default_rng(0).normal(3, 2, 50)
    theirs = stats.ttest_1samp(values, 0).confidence_interval()
    got = mean_interval(values)
    assert (got.low, got.high) == pytest.approx((theirs.low, theirs.high))


def test_newcombes_own_example():
    """56/70 against 48/80: Newcombe (1998), table II, gives 0.0524 to 0.3339."""
    got = share_difference(56, 70, 48, 80)
    assert (got.low, got.high) == pytest.approx((0.0524, 0.3339), abs=1e-4)


@pytest.mark.parametrize(("gain", "loss"), [(0.05, 0.05), (0.02, 0.1), (0.0, 0.01)])
def test_paired_shares_hold_the_truth_as_often_as_they_say(gain, loss):
    """In 2,000 simulated comparisons the 95 % interval holds the true difference in at least 93 %."""
    generator = np.random.default_rng(0)
    draws = generator.multinomial(300, [gain, loss, 1 - gain - loss], size=2_000)
    held = [paired_share_difference(up, down, 300).holds(gain - loss) for up, down, _ in draws]
    assert np.mean(held) > 0.93


def test_bootstrap_agrees_with_the_formula_for_a_mean():
    """Resampling a mean gives nearly the t interval, twice the same with the same seed."""
    values = np.random.default_rng(0).exponential(1.0, 400)
    got = bootstrap(lambda rows: float(values[rows].mean()), 400, times=2_000)
    exact = mean_interval(values)
    assert (got.low, got.high) == pytest.approx((exact.low, exact.high), abs=0.02)
    assert got == bootstrap(lambda rows: float(values[rows].mean()), 400, times=2_000)


def test_bootstrap_of_a_figure_that_often_fails_has_no_bounds():
    """When most draws cannot be computed the interval says so by being endless."""
    got = bootstrap(lambda rows: float("nan") if len(set(rows.tolist())) < 3 else 1.0, 2)
    assert got.high == float("inf")
