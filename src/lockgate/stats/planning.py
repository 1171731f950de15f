"""How much traffic a guard needs: shown before a release starts."""

from __future__ import annotations

import math

from lockgate.errors import InvalidInput
from lockgate.stats.evalues import THETAS, check_weight

P90_FACTOR = 2.0  # the 90th percentile is about twice the planned number (simulated)


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


def smallest_ratio(base_rate: float, requests: float, w: float, alpha: float) -> float:
    """The smallest odds ratio that `requests` requests show (about the median); infinity when none up to 1,000 does.

    >>> round(smallest_ratio(0.01, 14194.660242, 0.1, 0.05), 3)
    2.0
    """
    low, high = 1.0 + 1e-6, 1000.0
    if requests <= 0 or plan_events(base_rate, high, w, alpha) > requests:
        return math.inf
    for _ in range(60):
        middle = math.sqrt(low * high)
        if plan_events(base_rate, middle, w, alpha) > requests:
            low = middle
        else:
            high = middle
    return high
