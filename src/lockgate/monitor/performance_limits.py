"""How sure it is that a window lies beyond what it is held against, where the same reference is looked at again and again.

A reference is itself of some rows only, and its error is the same at every look. To give it a share of each look's error, as a
test of two samples does, is right once and wrong a hundred times: a reference that lies a little off speaks against every window.
So its error is granted first and as a whole: a window counts for what it lies beyond the reference farther than the reference may
be off, in all but one of fifty cases for all figures together (Bonferroni), and farther than what is alike; what is left is each
window's own chance.
"""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist

from lockgate.stats.detector import normal_p

OFF_SHARE = (
    0.02  # the chance that a reference lies farther off than is granted, of all figures of a version together
)


def p_beyond(gap: float, error: float, margin: float, of_reference: float, looked_at: int) -> float:
    """One-sided p value of a figure that lies `gap` beyond its reference, given its own standard error.

    `margin`: what is alike; `of_reference`: the reference's standard error; `looked_at`: how many figures are held against
    references, one that may lie off either way for two.

    >>> p_beyond(1.0, 1.0, 1.0, 0.0, 1), p_beyond(1.0, 1.0, 0.0, 1.0, 1) > 0.8
    (0.5, True)
    """
    return normal_p(gap - max(margin, granted(looked_at) * of_reference), error)


@lru_cache
def granted(looked_at: int) -> float:
    """How many standard errors a reference is granted.

    >>> round(granted(1), 2), round(granted(10), 2)
    (2.05, 2.88)
    """
    return -NormalDist().inv_cdf(tail(looked_at))


def tail(looked_at: int) -> float:
    """The chance that one reference lies farther off than is granted, one way."""
    return OFF_SHARE / max(looked_at, 1)
