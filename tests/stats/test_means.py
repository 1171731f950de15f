"""Two arms' means: merging, order, when there is no evidence, and how often equal arms seem to differ."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lockgate.stats.evalues import normal_e
from lockgate.stats.means import FEWEST_VALUES, Arms, Moments

VALUES = st.lists(st.tuples(st.floats(-100, 100), st.booleans()), max_size=60)


def arms_of(values) -> Arms:
    """The state after these values."""
    arms = Arms()
    for value, in_canary in values:
        arms = arms.add(value, in_canary=in_canary)
    return arms


@settings(deadline=None)
@given(VALUES, VALUES, st.randoms(use_true_random=False))
def test_order_and_workers_do_not_matter(one, two, rng):
    """What two workers counted, in any order, is what one would have counted, to 1e-9."""
    both = [*one, *two]
    rng.shuffle(both)
    apart, together = arms_of(one).merge(arms_of(two)), arms_of(both)
    for left, right in ((apart.canary, together.canary), (apart.baseline, together.baseline)):
        assert left.n == right.n
        assert left.total == pytest.approx(right.total, abs=1e-9)
        assert left.squares == pytest.approx(right.squares, rel=1e-9, abs=1e-9)


def test_the_formula_is_the_published_one():
    """With equal variances in both arms the evidence is `normal_e` with V = s_c^2/n_c + s_b^2/n_b."""
    arms = Arms(Moments(2_000, 1_010.0, 1_010.0), Moments(2_000, 1_000.0, 1_000.0))
    whole = arms.canary.merge(arms.baseline).variance
    variance = sum(max(arm.variance, whole) / arm.n for arm in (arms.canary, arms.baseline))
    assert variance == pytest.approx(
        sum(arm.variance / arm.n for arm in (arms.canary, arms.baseline)), rel=1e-3
    )
    assert arms.log_e_higher(a=0.05) == pytest.approx(normal_e(0.005, variance, 4_000, a=0.05), abs=1e-12)
    assert arms.log_e_lower(a=0.05) < 0 < arms.log_e_higher(a=0.05) + 5


def test_too_few_values_and_values_all_alike_are_no_evidence():
    """Below a hundred of either arm, and where nothing varies, log E is 0; two constants that differ are told apart."""
    few = arms_of([(float(i % 2), i < FEWEST_VALUES - 1) for i in range(1_000)])
    assert few.log_e_higher(a=0.01) == few.log_e_outside(-0.1, 0.1, a=0.01) == 0.0
    assert math.isinf(few.interval().high)
    alike = arms_of([(1.0, i % 2 == 0) for i in range(1_000)])
    assert alike.log_e_higher(a=0.01) == 0.0
    apart = arms_of([(float(i % 2), i % 2 == 1) for i in range(1_000)])
    assert apart.log_e_higher(a=0.01) > math.log(1_000)
    assert apart.log_e_lower(a=0.01) < 0


def test_an_arm_without_a_rare_value_is_not_another_one():
    """One of a hundred in live and none of a hundred in the canary: its own variance is 0, which proves nothing."""
    rare = Arms(Moments(100, 0.0, 0.0), Moments(9_900, 99.0, 99.0))
    assert rare.log_e_lower(a=0.002) < math.log(1 / 0.05)


@pytest.mark.parametrize("rare", [False, True], ids=["normal", "one in fifty"])
def test_equal_arms_seldom_fire_and_harm_is_found(rare):
    """Fifty looks at each of 400 harmless stages: at most alpha fire; a shift of half a deviation is found in nearly all."""
    rng, alpha, fired, found = np.random.default_rng(4), 0.05, 0, 0
    for _ in range(400):
        values = (rng.random(5_000) < 0.02).astype(float) if rare else rng.normal(size=5_000)
        canary = rng.random(5_000) < 0.1
        fired += max(_looks(values, canary, alpha)) >= math.log(1 / alpha)
        found += max(_looks(values + canary * 0.5 * values.std(), canary, alpha)) >= math.log(1 / alpha)
    assert fired / 400 <= alpha + 3 * math.sqrt(alpha * (1 - alpha) / 400)
    assert found > 380


def _looks(values, canary, alpha):
    """Log E at fifty looks."""
    for n in range(100, 5_001, 100):
        v, c = values[:n], canary[:n]
        yield Arms(
            *(Moments(len(x), float(x.sum()), float((x * x).sum())) for x in (v[c], v[~c]))
        ).log_e_higher(a=alpha)
