"""Bounds on a share that hold at every look, and how many more rows it takes until they say something.

Source: Robbins (1970), Statistical methods related to the law of the iterated logarithm; Howard et al. (Ann. Stat.
2021, arXiv 1810.08240): the likelihood ratio of Bernoulli(p) against a Beta mixture is a martingale under p, so by
Ville's inequality the set of p with a ratio below 1/alpha holds the truth at all looks with confidence 1 - alpha.
"""

from __future__ import annotations

import math

from lockgate.stats.intervals import Interval

PRIOR = 0.5  # Beta(1/2, 1/2): wide, with weight near 0 and 1 where shares of changed decisions lie
MOST_ROWS = 100_000_000
_STEPS = 40  # halvings: far below what is shown


def log_e(hits: float, of: float, share: float) -> float:
    """Log of the evidence that the share is not `share` (0 < share < 1), after `hits` of `of` rows."""
    return _mixture(hits, of) - hits * math.log(share) - (of - hits) * math.log1p(-share)


def anytime_share(hits: int, of: int, alpha: float = 0.05) -> Interval:
    """A share with bounds that hold at every look with confidence 1 - alpha.

    >>> found = anytime_share(18, 1000)
    >>> round(found.low, 3), round(found.high, 3)
    (0.007, 0.038)
    """
    if of == 0:
        return Interval(float("nan"), 0.0, 1.0)
    value, threshold = hits / of, math.log(1 / alpha)
    low = 0.0 if hits == 0 else _edge(hits, of, threshold, inside=value, outside=0.0)
    high = 1.0 if hits == of else _edge(hits, of, threshold, inside=value, outside=1.0)
    return Interval(value, low, high)


def rows_until(hits: int, of: int, limit: float, alpha: float = 0.05) -> int | None:
    """How many more rows until the bounds exclude `limit`, if the share stays as it looks now.

    The share is taken as (hits + 1/2) / (of + 1), and the expected evidence after n rows, `log_e(share n, n, limit)`, is
    asked to reach log(1/alpha): about the median. None: more than a hundred million, for the share lies at the limit.
    """
    threshold, share = math.log(1 / alpha), (hits + PRIOR) / (of + 2 * PRIOR)

    def told(more: int) -> bool:
        return log_e(hits + share * more, of + more, limit) >= threshold

    if told(0):
        return 0
    if not told(MOST_ROWS):
        return None
    low, high = 0, MOST_ROWS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if told(middle) else (middle, high)
    return high


def _edge(hits: int, of: int, threshold: float, *, inside: float, outside: float) -> float:
    """Where the evidence crosses the threshold, between a share inside the bounds and one outside."""
    reached = _mixture(hits, of) - threshold
    for _ in range(_STEPS):
        middle = (inside + outside) / 2
        if middle in (0.0, 1.0) or hits * math.log(middle) + (of - hits) * math.log1p(-middle) <= reached:
            outside = middle
        else:
            inside = middle
    return outside


def _mixture(hits: float, of: float) -> float:
    """Log of the chance of these rows under the Beta mixture."""
    return _log_beta(PRIOR + hits, PRIOR + of - hits) - _log_beta(PRIOR, PRIOR)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
