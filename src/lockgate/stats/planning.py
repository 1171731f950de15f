"""How much traffic a guard needs: shown before a release starts."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.stats.evalues import THETAS, check_weight, event_arm_terms, log_mean_exp

if TYPE_CHECKING:
    from scipy import special
else:
    special = late("scipy.special")


def plan_events(
    base_rate: float, odds_ratio: float, w: float, alpha: float, bets: int = len(THETAS)
) -> float:
    """Requests until `event_arm` sees an odds ratio at a base rate of bad events: about the median.

    n = log(bets/alpha) / (e KL), where e is the share of requests with a bad event and KL the information that
    one such event carries about its arm. Raises InvalidInput for shares outside (0, 1) or a ratio of 1 or less.

    >>> round(plan_events(0.01, 2.0, 0.1, 0.05), 6)
    14194.660242
    """
    check_weight(w)
    for name, value in (("base rate", base_rate), ("alpha", alpha)):
        if not 0.0 < value < 1.0:
            raise InvalidInput(f"the {name} is a share between 0 and 1, both excluded", got=value)
    if odds_ratio <= 1.0:
        raise InvalidInput("a harm to plan for has an odds ratio above 1", got=odds_ratio)
    p = w * odds_ratio / (w * odds_ratio + 1.0 - w)
    information = p * math.log(p / w) + (1.0 - p) * math.log((1.0 - p) / (1.0 - w))
    canary_rate = base_rate * odds_ratio / (1.0 - base_rate + base_rate * odds_ratio)
    events = base_rate * (1.0 - w) + w * canary_rate
    return math.log(bets / alpha) / (events * information)


def requests_until(
    base_rate: float, odds_ratio: float, w: float, alpha: float, *, quantile: float = 0.5
) -> float:
    """Requests until `event_arm` sees an odds ratio, for that share of releases: 0.5 the median, 0.9 nine of ten.

    The log of the mixture of bets grows as its mean path does; when it first crosses log(1/alpha) is spread as the first
    passage of a Brownian motion with the drift and the variance of the best bet (inverse Gaussian: Schrödinger 1915; Wald,
    "Sequential Analysis", 1947). Within 20 % of simulated medians where `plan_events`, which counts the whole price of all bets
    and no luck, is up to half too high. Raises InvalidInput as `plan_events`.

    >>> round(requests_until(0.01, 2.0, 0.1, 0.05), -2), round(requests_until(0.01, 2.0, 0.1, 0.05, quantile=0.9), -2)
    (10200.0, 25100.0)
    """
    plan_events(base_rate, odds_ratio, w, alpha)  # refuses what cannot be
    canary_rate = base_rate * odds_ratio / (1.0 - base_rate + base_rate * odds_ratio)
    rate = base_rate * (1.0 - w) + w * canary_rate
    return events_until(w * canary_rate / rate, w, alpha, quantile=quantile) / rate


def events_until(p: float, w: float, alpha: float, *, quantile: float = 0.5) -> float:
    """Bad events until `event_arm` sees that a share p of them falls in the canary, where w is its due (p > w).

    For pairs w is one half, and the events are the pairs in which exactly one version was wrong.
    """
    steps = list(
        zip(event_arm_terms([(w, 1, 0)], 1.0, THETAS), event_arm_terms([(w, 0, 1)], 1.0, THETAS), strict=True)
    )
    drifts = [p * hit + (1.0 - p) * miss for hit, miss in steps]
    mean = _root(lambda n: log_mean_exp([n * drift for drift in drifts]) + math.log(alpha))
    best = max(range(len(drifts)), key=drifts.__getitem__)
    variance = p * (1.0 - p) * (steps[best][0] - steps[best][1]) ** 2
    shape = (mean * drifts[best]) ** 2 / variance
    return _root(lambda n: _passed(n, mean, shape) - quantile)


def smallest_ratio(base_rate: float, requests: float, w: float, alpha: float) -> float:
    """The smallest odds ratio that `requests` requests show (about the median); infinity when none up to 1,000 does.

    >>> round(smallest_ratio(0.01, requests_until(0.01, 2.0, 0.1, 0.05), 0.1, 0.05), 3)
    2.0
    """
    low, high = 1.0 + 1e-6, 1000.0
    if requests <= 0 or requests_until(base_rate, high, w, alpha) > requests:
        return math.inf
    for _ in range(40):
        middle = math.sqrt(low * high)
        if requests_until(base_rate, middle, w, alpha) > requests:
            low = middle
        else:
            high = middle
    return high


def _passed(n: float, mean: float, shape: float) -> float:
    """The share of inverse Gaussian passage times up to n."""
    root = math.sqrt(shape / n)
    back = 2.0 * shape / mean + float(special.log_ndtr(-root * (n / mean + 1.0)))
    return math.exp(float(special.log_ndtr(root * (n / mean - 1.0)))) + math.exp(min(back, 0.0))


def _root(rises: Callable[[float], float]) -> float:
    """Where a function that rises becomes 0, between a thousandth and 10^12, to seven digits."""
    low, high = 1e-3, 1e12
    for _ in range(60):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if rises(middle) < 0.0 else (low, middle)
    return high
