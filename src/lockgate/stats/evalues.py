"""E-values: evidence that a new version is worse, which may be looked at after every event.

All logs are natural. `E` is an e-process: if the new version is not worse, P(E ever reaches 1/a) <= a at any number
of looks (Ville, 1939), so there is no minimum sample and no schedule. The functions here turn counts or sums into
log E and keep nothing; `eprocess.py` holds the states that grow event by event. Formulae, sources and test vectors:
`docs/statistics.md`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from lockgate.errors import InvalidInput
from lockgate.late import late

if TYPE_CHECKING:
    from scipy import special
else:
    special = late("scipy.special")

THETAS = (1.25, 1.5, 2.0, 3.0, 5.0, 10.0)  # odds ratios that `event_arm` bets on, with equal prior weight
SAFE_SHARES = (0.9, 0.75, 0.5, 0.25)  # of theta_max: the ratios that `event_arm_safe` bets on
BETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)  # stakes of `bet_diff`
PLANNED_N = 20_000.0  # N*: where the interval of `normal_e` is tightest
LOG_2 = math.log(2.0)

Cell = tuple[float, int, int]  # weight of the canary, bad events in the canary, bad events in the baseline


def event_arm(cells: Iterable[Cell], theta0: float = 1.0, thetas: Sequence[float] = THETAS) -> float:
    """Log E that the odds of a bad event are more than `theta0` times higher in the canary.

    Given that a bad event happened, without harm it fell in the canary with probability w. `cells` hold the events by
    the w that each request had, so a growing weight or an incident that hits both arms does not mislead. The discrete
    prior makes the conditional multinomial test of Lindon & Malek (NeurIPS 2022) one-sided.

    >>> round(event_arm([(0.1, 6, 9)]), 6)
    3.676553
    """
    return log_mean_exp(event_arm_terms(cells, theta0, thetas))


def event_arm_terms(cells: Iterable[Cell], theta0: float, thetas: Sequence[float]) -> list[float]:
    """The log of each bet of `event_arm`, before they are averaged."""
    held = list(cells)
    steps = [_event_steps(w, theta0, tuple(thetas)) for w, _, _ in held]
    return [
        math.fsum(kc * s[j][0] + kb * s[j][1] for (_, kc, kb), s in zip(held, steps, strict=True))
        for j in range(len(thetas))
    ]


def event_arm_safe(cells: Iterable[Cell], theta_max: float = 2.0) -> float:
    """Log E against "the odds ratio is `theta_max` or more": at log(1/0.05) the canary is proven not that bad.

    >>> round(event_arm_safe([(0.5, 40, 42)]), 6)
    4.282601
    """
    return event_arm(cells, theta_max, SAFE_SHARES)


def beta_arm(n_canary: int, n_baseline: int, w: float, c: float = 1000.0) -> float:
    """Log E that requests (or events) do not fall in the canary with probability w, in either direction.

    `c` is the strength of the Beta prior around w. Guard on the split itself: a fault in routing or a lost log.

    >>> round(beta_arm(1130, 8870, 0.1), 6)
    7.004239
    """
    check_weight(w)
    a, b = c * w, c * (1.0 - w)
    ratio = float(special.betaln(a + n_canary, b + n_baseline) - special.betaln(a, b))
    return ratio - n_canary * math.log(w) - n_baseline * math.log1p(-w)


def beta_arm_over(n_canary: int, n_baseline: int, w: float, c: float = 1000.0) -> float:
    """As `beta_arm`, with the prior cut to p > w: only an excess in the canary counts.

    Minus infinity when the excess is so far from the data that its probability is below the smallest float.

    >>> round(beta_arm_over(6, 9, 0.1, c=10), 6)
    3.201336
    """
    check_weight(w)
    a, b = c * w, c * (1.0 - w)
    after, before = (float(special.betaincc(p, q, w)) for p, q in ((a + n_canary, b + n_baseline), (a, b)))
    return beta_arm(n_canary, n_baseline, w, c) + (math.log(after / before) if after > 0.0 else -math.inf)


def normal_e(
    diff: float,
    variance: float,
    n: int,
    *,
    margin: float = 0.0,
    a: float = 0.05,
    planned_n: float = PLANNED_N,
) -> float:
    """Log E that a mean is higher (worse) in the canary by more than `margin`; asymptotic, from 100 values per arm.

    `diff` = mean of canary - mean of baseline, signed so that positive is harm; `variance` = s_c^2/n_c + s_b^2/n_b;
    `n` = n_c + n_b. Robbins' normal mixture: Howard et al. (Ann. Stat. 2021), Waudby-Smith et al. (arXiv 2103.06476).

    >>> round(normal_e(0.02, 2.5e-5, 4000), 6)
    4.751987
    """
    rate = _mixture_rate(-2.0 * math.log(2.0 * a), planned_n)
    k = n * rate + 1.0
    y = (diff - margin) * math.sqrt(rate * n / (variance * k))
    return LOG_2 - math.log(k) / 2.0 + y * y / 2.0 + float(special.log_ndtr(y))


def normal_e_outside(
    diff: float, variance: float, n: int, *, low: float, high: float, a: float = 0.05
) -> float:
    """Log E that a difference of two means lies above `high` or below `low`: the average of both one-sided E."""
    above = normal_e(diff, variance, n, margin=high, a=a)
    return log_mean_exp([above, normal_e(-diff, variance, n, margin=-low, a=a)])


def normal_margin(variance: float, n: int, *, a: float = 0.05, planned_n: float = PLANNED_N) -> float:
    """One-sided width: at any look, the true difference is above diff - margin with confidence 1 - a.

    >>> round(normal_margin(2.5e-5, 4000), 6)
    0.015762
    """
    nr = n * _mixture_rate(-2.0 * math.log(2.0 * a), planned_n)
    return math.sqrt(variance * 2.0 * (nr + 1.0) / nr * math.log1p(math.sqrt(nr + 1.0) / (2.0 * a)))


def normal_half_width(variance: float, n: int, *, a: float = 0.05, planned_n: float = PLANNED_N) -> float:
    """Two-sided half width of the interval for the difference of means, valid at any look.

    >>> round(normal_half_width(2.5e-5, 4000), 6)
    0.016819
    """
    nr = n * _mixture_rate(-2.0 * math.log(a), planned_n)
    return math.sqrt(variance * 2.0 * (nr + 1.0) / nr * math.log(math.sqrt(nr + 1.0) / a))


def msprt(diff: float, variance: float, tau2: float) -> float:
    """Log E of the two-sided mixture sequential probability ratio test with a normal prior of variance `tau2`.

    >>> round(msprt(0.02, 2.5e-5, 1e-4), 6)
    5.595281
    """
    total = variance + tau2
    return 0.5 * math.log(variance / total) + tau2 * diff * diff / (2.0 * variance * total)


def bet_diff(differences: Iterable[float], margin: float = 0.0) -> float:
    """Log E that losses of the new version are higher by more than `margin`, from paired differences in [-1, 1].

    Differences are new - old, clipped. Betting: Waudby-Smith & Ramdas (JRSS-B 2024, arXiv 2010.09686).

    >>> round(bet_diff([0.5, -0.25, 1, 0, 0.75, 0.1]), 6)
    0.487115
    """
    logs = [0.0] * len(BETS)
    for difference in differences:
        logs = [held + step for held, step in zip(logs, bet_steps(difference, margin), strict=True)]
    return log_mean_exp(logs)


def bet_steps(difference: float, margin: float = 0.0) -> list[float]:
    """What one paired difference adds to each of the seven bets of `bet_diff`."""
    if not 0.0 <= margin < 1.0:
        raise InvalidInput("a margin on a loss in [0, 1] lies in [0, 1)", got=margin)
    if math.isnan(difference):
        raise InvalidInput("a difference of losses is a number", got=difference, fix="leave the pair out")
    clipped = min(max(difference, -1.0), 1.0)
    return [math.log1p(stake / (1.0 + margin) * (clipped - margin)) for stake in BETS]


def average(logs: Sequence[float]) -> float:
    """Log of the mean of e-values: for reports; guards split alpha instead, which is always valid.

    >>> round(average([4, -1, 0.5]), 6)
    2.937657
    """
    return log_mean_exp(logs)


def restart_mixture(logs: Sequence[float]) -> float:
    """Log E of copies started one after the other, the j-th with prior weight 1/((j+1)(j+2)), j = 0, 1, ...

    A break after many clean requests would drown in one copy; a late copy sees it.

    >>> round(restart_mixture([-2, 1, 3.5]), 6)
    1.187946
    """
    return log_sum_exp([held - math.log((j + 1) * (j + 2)) for j, held in enumerate(logs)])


def log_sum_exp(logs: Sequence[float]) -> float:
    """Log of a sum of exponentials without overflow; minus infinity for an empty sum."""
    top = max(logs, default=-math.inf)
    if math.isinf(top):
        return top
    return top + math.log(math.fsum(math.exp(held - top) for held in logs))


def log_mean_exp(logs: Sequence[float]) -> float:
    """Log of a mean of exponentials without overflow."""
    return log_sum_exp(logs) - math.log(len(logs))


def check_weight(w: float) -> None:
    """Raise InvalidInput unless 0 < w < 1: a request that could go to one arm only says nothing about the other."""
    if not 0.0 < w < 1.0:
        raise InvalidInput(
            "the canary's weight of a counted event lies between 0 and 1, both excluded",
            got=w,
            fix="leave out records with weight 0 or 1, forced routes and probes",
        )


@lru_cache(maxsize=4096)
def _event_steps(w: float, theta0: float, thetas: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """Per bet: what one event in the canary and one in the baseline add."""
    check_weight(w)
    return tuple(
        (
            math.log(theta) - math.log((w * theta0 * theta + 1.0 - w) / (w * theta0 + 1.0 - w)),
            -math.log((w * theta0 * theta + 1.0 - w) / (w * theta0 + 1.0 - w)),
        )
        for theta in thetas
    )


def _mixture_rate(a_log: float, planned_n: float) -> float:
    return (a_log + math.log1p(a_log)) / planned_n
