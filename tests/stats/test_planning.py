"""Planning numbers agree with simulation and with each other."""

import math

import numpy as np
import pytest
from benchmarks.release.paths import mean_path

from lockgate.errors import InvalidInput
from lockgate.stats.evalues import THETAS, event_arm_terms
from lockgate.stats.means import FEWEST_VALUES
from lockgate.stats.planning import pairs_until, plan_events, requests_until, smallest_ratio, values_until


def test_plan_is_about_the_simulated_median():
    """For a doubling of a 1 % error rate at w = 10 % the planned number lies between median and 90th percentile."""
    q, o, w, alpha = 0.01, 2.0, 0.1, 0.05
    harmed = q * o / (1 - q + q * o)
    rate = q * (1 - w) + w * harmed
    p = w * harmed / rate
    hit, miss = event_arm_terms([(w, 1, 0)], 1.0, THETAS), event_arm_terms([(w, 0, 1)], 1.0, THETAS)
    rng = np.random.default_rng(3)
    in_canary = rng.random((400, 1000)) < p
    total = sum(np.exp(np.cumsum(np.where(in_canary, h, m), axis=1)) for h, m in zip(hit, miss, strict=True))
    crossed = total / len(THETAS) >= 1 / alpha
    assert crossed.any(axis=1).mean() > 0.99
    requests = (crossed.argmax(axis=1) + 1) / rate
    planned = plan_events(q, o, w, alpha)
    assert np.median(requests) <= planned <= np.quantile(requests, 0.9)


def test_smallest_ratio_is_the_inverse():
    """The ratio that a number of requests shows needs that number of requests; too few show none."""
    for ratio in (1.3, 2.0, 8.0):
        assert smallest_ratio(0.01, requests_until(0.01, ratio, 0.1, 0.02), 0.1, 0.02) == pytest.approx(ratio)
    assert math.isinf(smallest_ratio(0.001, 10, 0.1, 0.02))


@pytest.mark.parametrize(("q", "o", "alpha"), [(0.0, 2, 0.05), (0.01, 1.0, 0.05), (0.01, 2, 1.0)])
def test_nonsense_is_refused(q, o, alpha):
    """Shares outside (0, 1) and a harm that is none are refused."""
    with pytest.raises(InvalidInput):
        plan_events(q, o, 0.1, alpha)


def test_values_until_is_about_the_simulated_median():
    """Two normal arms at 30 %, the canary's mean a fifth of a standard deviation worse: median and nine of ten."""
    rng, w, alpha, n = np.random.default_rng(4), 0.3, 0.01, 12_000
    fired = []
    for _ in range(150):
        canary = rng.random(n) < w
        path = mean_path(np.arange(n), rng.normal(0.0, 1.0, n) + 0.2 * canary, canary, a=alpha)
        fired.append(path.fires(math.log(1 / alpha)))
    for quantile in (0.5, 0.9):
        assert values_until(0.2, w, alpha, quantile=quantile) == pytest.approx(
            np.quantile(fired, quantile), rel=0.2
        )


def test_what_cannot_be_seen_takes_for_ever():
    """A tolerated ratio and differences without a mean are no harm; a change of nothing is refused."""
    assert math.isinf(requests_until(0.01, 1.2, 0.1, 0.01, theta0=1.25))
    assert math.isinf(pairs_until([1.0, -1.0], 0.01))
    with pytest.raises(InvalidInput):
        values_until(0.0, 0.1, 0.01)
    assert values_until(50.0, 0.1, 0.01) == FEWEST_VALUES / 0.1  # the approximation asks for so many
