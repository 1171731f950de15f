"""One look after another at a figure that should stay where it was, with few false alarms however long it is looked at.

Each look's p value, read as the z of a normal, is bet on at several sizes of change L: e = exp(L z - L^2 / 2), whose mean is 1
when nothing is wrong. Each bet makes a Shiryaev-Roberts e-detector, R = (R + 1) e, and their mean is one too: while nothing is
wrong, the mean number of looks until it reaches A is at least A. Sources: Vovk and Wang (2021), E-values: calibration,
combination and applications, Annals of Statistics 49; Shin, Ramdas and Rinaldo (2022), E-detectors: a nonparametric framework
for sequential change detection, arXiv 2203.03532. When the change began: Page (1954), Continuous inspection schemes,
Biometrika 41.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from statistics import NormalDist

import msgspec

LOOKS = 1_000.0  # between false alarms, on average at least
BETS = (0.5, 1.0, 2.0, 4.0)  # standard errors that a look lies beyond what is tolerated
_MOST = 10.0  # times the limit at which R is cut: what is over for some looks is over
_LEAST_P = 1e-12
_normal = NormalDist()


class Alarm(msgspec.Struct, frozen=True, kw_only=True):
    """Which look raised an alarm that still stands (its place in the looks), and which it began to rise from."""

    since: int
    raised: int


def normal_p(excess: float, error: float) -> float:
    """One-sided p value of an estimate that lies `excess` beyond what is tolerated, with that standard error."""
    if error <= 0:
        return 1.0 if excess <= 0 else _LEAST_P
    return max(0.5 * math.erfc(excess / error / math.sqrt(2)), _LEAST_P)


def alarm_of(p_values: Iterable[float], *, detectors: int = 1, looks: float = LOOKS) -> Alarm | None:
    """The alarm that stands after the last look, if any. `detectors`: how many such figures are looked at together.

    It began where a CUSUM of z - 1/2 last left 0: looks that speak for no change end a beginning.

    >>> alarm_of([0.5] * 5 + [0.001] * 5)
    Alarm(since=5, raised=6)
    """
    limit, rising = looks * detectors, 0.0
    totals = [0.0] * len(BETS)
    since, raised = 0, None
    for place, p in enumerate(p_values):
        z = _normal.inv_cdf(1 - min(max(p, _LEAST_P), 1 - _LEAST_P))
        since = place if rising <= 0 else since
        rising = max(0.0, rising + z - 0.5)
        totals = [
            min((total + 1) * math.exp(bet * z - bet**2 / 2), _MOST * limit * len(BETS))
            for total, bet in zip(totals, BETS, strict=True)
        ]
        if sum(totals) / len(BETS) < limit:
            raised = None
        elif raised is None:
            raised = place
    return None if raised is None else Alarm(since=min(since, raised), raised=raised)
