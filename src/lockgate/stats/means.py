"""Two arms' means side by side, looked at after every value: states that merge, and the evidence of `normal_e`.

The variance is the safer one of an arm's own and that of all values together: an arm that has not met a rare value yet has
a variance of its own that is far too small, and would otherwise seem to differ (a share of 1 %, none of 100 so far).
"""

from __future__ import annotations

import math

import msgspec

from lockgate.stats.evalues import normal_e, normal_e_outside, normal_half_width
from lockgate.stats.intervals import Interval

FEWEST_VALUES = 100  # of each arm: below, the normal approximation is no evidence


class Moments(msgspec.Struct, frozen=True):
    """Count, sum and sum of squares of values.

    >>> Moments().add(1.0).add(3.0).mean
    2.0
    """

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> Moments:
        """With one more value."""
        return Moments(self.n + 1, self.total + value, self.squares + value * value)

    def merge(self, other: Moments) -> Moments:
        """Both together, whoever counted them."""
        return Moments(self.n + other.n, self.total + other.total, self.squares + other.squares)

    @property
    def mean(self) -> float:
        """The mean; NaN without values."""
        return self.total / self.n if self.n else math.nan

    @property
    def variance(self) -> float:
        """The sample variance; 0 below two values."""
        if self.n < 2:
            return 0.0
        return max(self.squares - self.total * self.total / self.n, 0.0) / (self.n - 1)


class Arms(msgspec.Struct, frozen=True):
    """The values of both arms in one stage: there every value had the same chance of being the canary's."""

    canary: Moments = Moments()
    baseline: Moments = Moments()

    def add(self, value: float, *, in_canary: bool) -> Arms:
        """With one more value."""
        if in_canary:
            return Arms(self.canary.add(value), self.baseline)
        return Arms(self.canary, self.baseline.add(value))

    def merge(self, other: Arms) -> Arms:
        """Both together."""
        return Arms(self.canary.merge(other.canary), self.baseline.merge(other.baseline))

    @property
    def enough(self) -> bool:
        """Whether both arms have as many values as the approximation asks."""
        return min(self.canary.n, self.baseline.n) >= FEWEST_VALUES

    @property
    def difference(self) -> float:
        """Mean of the canary - mean of the baseline; NaN while an arm is empty."""
        return self.canary.mean - self.baseline.mean

    @property
    def variance(self) -> float:
        """Of the difference of the means: for each arm the larger one of its own variance and that of all values."""
        whole = self.canary.merge(self.baseline).variance
        arms = (self.canary, self.baseline)
        return math.fsum(max(arm.variance, whole) / arm.n for arm in arms if arm.n)

    def log_e_higher(self, margin: float = 0.0, *, a: float) -> float:
        """Log E that the canary's mean is more than `margin` higher; 0 while there are too few values or all are alike."""
        if not self.enough or self.variance == 0.0:
            return 0.0
        return normal_e(self.difference, self.variance, self._n, margin=margin, a=a)

    def log_e_lower(self, margin: float = 0.0, *, a: float) -> float:
        """Log E that the canary's mean is more than `margin` lower."""
        if not self.enough or self.variance == 0.0:
            return 0.0
        return normal_e(-self.difference, self.variance, self._n, margin=margin, a=a)

    def log_e_outside(self, low: float, high: float, *, a: float) -> float:
        """Log E that the difference lies outside of the bounds, on either side: the average of both one-sided E."""
        if not self.enough or self.variance == 0.0:
            return 0.0
        return normal_e_outside(self.difference, self.variance, self._n, low=low, high=high, a=a)

    def interval(self, a: float = 0.05) -> Interval:
        """The difference with bounds that hold at every look; endless while there are too few values."""
        if not self.enough:
            return Interval(self.difference, -math.inf, math.inf)
        half = normal_half_width(self.variance, self._n, a=a) if self.variance else 0.0
        return Interval(self.difference, self.difference - half, self.difference + half)

    @property
    def _n(self) -> int:
        return self.canary.n + self.baseline.n
