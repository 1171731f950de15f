"""How much traffic a guard needs: shown before a release starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import TYPE_CHECKING

from lockgate.errors import InvalidInput
from lockgate.late import late
from lockgate.stats.evalues import THETAS, bet_steps, check_weight, event_arm_terms, log_mean_exp, normal_e
from lockgate.stats.means import FEWEST_VALUES

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
    base_rate: float,
    odds_ratio: float,
    w: float,
    alpha: float,
    *,
    theta0: float = 1.0,
    quantile: float = 0.5,
) -> float:
    """Requests until `event_arm` sees an odds ratio, for that share of releases: 0.5 the median, 0.9 nine of ten.

    The log of the mixture of bets grows as its mean path does; when it first crosses log(1/alpha) is spread as the first
    passage of a Brownian motion with the drift and the variance of the best bet (inverse Gaussian: Schrödinger 1915; Wald,
    "Sequential Analysis", 1947). Within 20 % of simulated medians where `plan_events`, which counts the whole price of all bets
    and no luck, is up to half too high. `theta0`: the odds ratio that is tolerated. Infinity for harm that is. Raises
    InvalidInput as `plan_events`.

    >>> round(requests_until(0.01, 2.0, 0.1, 0.05), -2), round(requests_until(0.01, 2.0, 0.1, 0.05, quantile=0.9), -2)
    (10200.0, 25100.0)
    """
    plan_events(base_rate, odds_ratio, w, alpha)  # refuses what cannot be
    canary_rate = base_rate * odds_ratio / (1.0 - base_rate + base_rate * odds_ratio)
    rate = base_rate * (1.0 - w) + w * canary_rate
    return events_until(w * canary_rate / rate, w, alpha, theta0=theta0, quantile=quantile) / rate


def events_until(p: float, w: float, alpha: float, *, theta0: float = 1.0, quantile: float = 0.5) -> float:
    """Bad events until `event_arm` sees that a share p of them falls in the canary, where w is its due (p > w).

    For pairs w is one half, and the events are the pairs in which exactly one version was wrong.
    """
    hit, miss = (event_arm_terms([cell], theta0, THETAS) for cell in ((w, 1, 0), (w, 0, 1)))
    return _until([(p, hit), (1.0 - p, miss)], alpha, quantile)


def pairs_until(differences: Sequence[float], alpha: float, *, quantile: float = 0.5) -> float:
    """Pairs until `bet_diff` sees that losses are higher, where the pairs' differences, in [-1, 1], are drawn from these.

    Infinity where their mean is no harm.

    >>> round(pairs_until([1.0, 1.0, 1.0, -1.0, -1.0], 0.01), -1)
    270.0
    """
    share = 1.0 / len(differences)
    return _until([(share, bet_steps(difference)) for difference in differences], alpha, quantile)


def relative_differences(ratio: float, count: int = 200) -> list[float]:
    """Differences of absolute errors over their sum, where two independent normal errors differ by this ratio in size.

    The ratio of two such errors is the tangent of an angle spread evenly over a quarter turn (half-Cauchy); here at the middles
    of `count` equal parts of it.

    >>> abs(round(sum(relative_differences(1.0)), 9)), round(sum(relative_differences(1.2)) / 200, 3)
    (0.0, 0.066)
    """
    ratios = [ratio * math.tan((place + 0.5) / count * math.pi / 2) for place in range(count)]
    return [(more - 1.0) / (more + 1.0) for more in ratios]


def effect_of_errors(ratio: float, w: float, quantile: float) -> float:
    """How far the mean size of normal errors moves that are `ratio` times as large, in standard deviations for `values_until`.

    Sizes are cut at that quantile of the usual ones. The spread is that of both arms together, the canary's weighing 1 - w, as
    it has the fewer values.

    >>> round(effect_of_errors(1.2, 0.1, 0.99), 3)
    0.221
    """
    normal = NormalDist()
    most = normal.inv_cdf((1.0 + quantile) / 2.0)

    def moments(scale: float) -> tuple[float, float]:
        at = most / scale
        beyond, density = 2.0 * (1.0 - normal.cdf(at)), normal.pdf(at)
        mean = scale * (math.sqrt(2.0 / math.pi) - 2.0 * density) + most * beyond
        square = scale * scale * (1.0 - 2.0 * at * density - beyond) + most * most * beyond
        return mean, square - mean * mean

    (usual, spread), (larger, wider) = moments(1.0), moments(ratio)
    return (larger - usual) / math.sqrt((1.0 - w) * wider + w * spread)


def values_until(
    effect: float, w: float, alpha: float, *, stages: int = 1, quantile: float = 0.5, most: float = 1e9
) -> float:
    """Values of both arms together until `normal_e` sees that the canary's mean is worse by `effect` standard deviations.

    `alpha`: of the guard, which is shared by so many stages. The normalised difference is a Brownian motion with that drift in
    the time n w (1 - w); when it crosses the mixture's bound is the inverse Gaussian of the bound's tangent where the mean path
    crosses it. Never fewer than `FEWEST_VALUES` of each arm. Infinity beyond `most`.
    """
    check_weight(w)
    if effect <= 0.0 or not 0.0 < alpha < 0.5:
        raise InvalidInput("a change to plan for is above 0, alpha below a half", got=(effect, alpha))
    a, spread = alpha / stages, w * (1.0 - w)
    whole = math.log(1.0 / a)

    def over(n: float) -> float:
        return normal_e(effect, 1.0 / (n * spread), round(n), a=a) - whole

    least = FEWEST_VALUES / min(w, 1.0 - w)
    if over(most) < 0.0:
        return math.inf
    middle = _root(over)
    step = middle * 1e-2
    slope = (_bound(middle + step, a, whole, spread) - _bound(middle - step, a, whole, spread)) / (
        2 * step * spread
    )
    height = (effect - slope) * middle * spread
    found = _root(lambda n: _passed(n * spread, middle * spread, height * height) - quantile)
    return max(found, least)


def smallest_ratio(
    base_rate: float, requests: float, w: float, alpha: float, *, theta0: float = 1.0
) -> float:
    """The smallest odds ratio that `requests` requests show (about the median); infinity when none up to 1,000 does.

    >>> round(smallest_ratio(0.01, requests_until(0.01, 2.0, 0.1, 0.05), 0.1, 0.05), 3)
    2.0
    """
    low, high = 1.0 + 1e-6, 1000.0
    if requests <= 0 or requests_until(base_rate, high, w, alpha, theta0=theta0) > requests:
        return math.inf
    for _ in range(40):
        middle = math.sqrt(low * high)
        if requests_until(base_rate, middle, w, alpha, theta0=theta0) > requests:
            low = middle
        else:
            high = middle
    return high


def _until(outcomes: Sequence[tuple[float, Sequence[float]]], alpha: float, quantile: float) -> float:
    """Steps until a mean of bets first reaches 1/alpha. `outcomes`: the probability of each, and the log factor of each bet."""
    bets = range(len(outcomes[0][1]))
    drifts = [math.fsum(share * steps[bet] for share, steps in outcomes) for bet in bets]
    best = max(bets, key=drifts.__getitem__)
    if drifts[best] <= 0.0:
        return math.inf
    mean = _root(lambda n: log_mean_exp([n * drift for drift in drifts]) + math.log(alpha))
    variance = math.fsum(share * (steps[best] - drifts[best]) ** 2 for share, steps in outcomes)
    shape = (mean * drifts[best]) ** 2 / variance
    return _root(lambda n: _passed(n, mean, shape) - quantile)


def _bound(n: float, a: float, whole: float, spread: float) -> float:
    """How far the sum of n values must lie off, in standard deviations, for `normal_e` to reach `whole`."""
    time = n * spread
    return _root(lambda off: normal_e(off / time, 1.0 / time, round(n), a=a) - whole)


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
