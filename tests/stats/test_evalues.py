"""The test vectors of docs/statistics.md, to six digits, and the false-alarm rate by simulation."""

import math

import numpy as np
import pytest

from lockgate.errors import InvalidInput
from lockgate.stats import evalues as ev
from lockgate.stats.planning import plan_events

GROWING = [(0.01, 1, 3), (0.05, 2, 6), (0.25, 9, 11)]
LOSSES = [0.5, -0.25, 1, 0, 0.75, 0.1]
VECTORS = {
    "A1": (lambda: ev.event_arm([(0.1, 6, 9)]), 3.676553),
    "A2": (lambda: ev.event_arm([(0.1, 1, 20)]), -1.307853),
    "A3": (lambda: ev.event_arm([]), 0.0),
    "A4": (lambda: ev.event_arm([(0.1, 12, 18)], theta0=1.25), 6.134535),
    "A5": (lambda: ev.event_arm(GROWING), 3.294342),
    "A6": (lambda: ev.event_arm([(0.5, 31, 12)]), 3.332504),
    "B1": (lambda: ev.event_arm_safe([(0.5, 40, 42)], theta_max=2), 4.282601),
    "B2": (lambda: ev.event_arm_safe([(0.1, 10, 92)], theta_max=2), 1.946002),
    "C1": (lambda: ev.beta_arm(6, 9, 0.1, c=10), 2.260575),
    "C2": (lambda: ev.beta_arm(1130, 8870, 0.1, c=1000), 7.004239),
    "C3": (lambda: ev.beta_arm_over(6, 9, 0.1, c=10), 3.201336),
    "D1": (lambda: ev.normal_e(0.02, 2.5e-5, 4000, a=0.05), 4.751987),
    "D2": (lambda: ev.normal_e(-0.01, 2.5e-5, 4000, a=0.05), -1.294497),
    "D3": (lambda: ev.normal_margin(2.5e-5, 4000, a=0.05), 0.015762),
    "D4": (lambda: ev.normal_half_width(2.5e-5, 4000, a=0.05), 0.016819),
    "D5": (lambda: ev.msprt(0.02, 2.5e-5, 1e-4), 5.595281),
    "E1": (lambda: ev.bet_diff(LOSSES), 0.487115),
    "E2": (lambda: ev.bet_diff(LOSSES, margin=0.1), 0.282756),
    "G1": (lambda: ev.average([4, -1, 0.5]), 2.937657),
    "G2": (lambda: ev.restart_mixture([-2, 1, 3.5]), 1.187946),
    "H1": (lambda: plan_events(0.01, 2, 0.1, 0.05), 14194.660242),
    "I1": (lambda: ev.event_arm([(0.1, 3, 0)]), 3.591416),
    "I2": (lambda: ev.event_arm([(0.1, 2, 0)]), 2.188665),
}


@pytest.mark.parametrize("name", VECTORS)
def test_vector(name):
    """Every published vector comes out to six digits."""
    call, expected = VECTORS[name]
    assert call() == pytest.approx(expected, abs=5e-7)


@pytest.mark.parametrize("w", [0.0, 1.0, -0.1, 1.5, math.nan])
def test_weight_outside_is_refused(w):
    """A weight outside (0, 1) is refused by every formula that takes one."""
    for call in (
        lambda: ev.event_arm([(w, 1, 0)]),
        lambda: ev.event_arm_safe([(w, 1, 0)]),
        lambda: ev.beta_arm(1, 1, w),
        lambda: ev.beta_arm_over(1, 1, w),
        lambda: plan_events(0.01, 2, w, 0.05),
    ):
        with pytest.raises(InvalidInput, match="weight"):
            call()


def test_ten_million_events_stay_finite():
    """Neither NaN nor overflow at 10^7 events, whichever way they fall."""
    n = 10**7
    for kc, kb in ((n, 0), (0, n), (n // 2, n // 2)):
        for w in (1e-6, 0.1, 0.5, 1 - 1e-6):
            values = (ev.event_arm([(w, kc, kb)]), ev.event_arm_safe([(w, kc, kb)]), ev.beta_arm(kc, kb, w))
            assert all(math.isfinite(value) for value in values)
            assert not math.isnan(ev.beta_arm_over(kc, kb, w))
    assert math.isfinite(ev.normal_e(1.0, 1e-9, n))
    assert math.isfinite(ev.normal_e(-1.0, 1e-9, n))
    assert math.isfinite(ev.bet_diff([1.0] * 1000 + [-1.0] * 1000))


def test_swapped_arms_turn_harm_into_no_harm():
    """Events that prove harm prove none when canary and baseline change places."""
    for w, kc, kb in ((0.1, 12, 9), (0.5, 40, 12), (0.3, 30, 20)):
        assert ev.event_arm([(w, kc, kb)]) > math.log(20)
        assert ev.event_arm([(1 - w, kb, kc)]) < 0


def test_two_sided_mean_is_symmetric_and_margin_shifts():
    """A mean below is as much evidence as one above when both count; a margin moves the whole test."""
    above, below = (ev.normal_e_outside(diff, 2.5e-5, 4000, low=-0.005, high=0.01) for diff in (0.02, -0.015))
    assert above == pytest.approx(below)
    assert above > ev.normal_e_outside(0.01, 2.5e-5, 4000, low=-0.005, high=0.01)
    assert ev.normal_e(0.03, 2.5e-5, 4000, margin=0.01) == pytest.approx(ev.normal_e(0.02, 2.5e-5, 4000))


@pytest.mark.parametrize("bad", [math.nan])
def test_bet_on_no_number_is_refused(bad):
    """A missing loss is not silently counted as no difference."""
    with pytest.raises(InvalidInput, match="number"):
        ev.bet_diff([0.1, bad])


RELEASES, EVENTS, ALPHA = 10_000, 2_000, 0.05


def _schedule(kind):
    if kind == "grows":
        return np.repeat([0.01, 0.05, 0.1, 0.25, 0.5], EVENTS // 5)
    if kind == "jump":  # the base rate jumps tenfold while w grows: most events fall after the jump
        return np.concatenate([np.full(EVENTS // 11, 0.05), np.full(EVENTS - EVENTS // 11, 0.25)])
    return np.full(EVENTS, kind)


@pytest.mark.parametrize("kind", [0.01, 0.1, 0.5, "grows", "jump"])
def test_false_alarms_stay_below_alpha(kind):
    """Looked at after each of 2,000 harmless events, at most alpha of 10,000 releases ever fire."""
    w = _schedule(kind)
    hit, miss = (
        np.array([ev.event_arm_terms([cell], 1.0, ev.THETAS) for cell in cells])
        for cells in ([(x, 1, 0) for x in w], [(x, 0, 1) for x in w])
    )
    rng = np.random.default_rng(20261122)
    fired = 0
    for _ in range(20):
        in_canary = rng.random((RELEASES // 20, EVENTS), dtype=np.float32) < w.astype(np.float32)
        total = np.zeros(in_canary.shape, dtype=np.float32)
        for bet in range(len(ev.THETAS)):
            steps = np.where(in_canary, hit[:, bet].astype(np.float32), miss[:, bet].astype(np.float32))
            total += np.exp(np.cumsum(steps, axis=1, dtype=np.float64).astype(np.float32))
        fired += int((total.max(axis=1) / len(ev.THETAS) >= 1 / ALPHA).sum())
    assert fired / RELEASES <= ALPHA + 3 * math.sqrt(ALPHA * (1 - ALPHA) / RELEASES)
    assert fired > 0  # the test can fail: it is not so cautious that nothing ever fires
