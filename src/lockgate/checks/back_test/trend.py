"""Part of the back-test: whether the windows' figures rise or fall as time goes by, which no single window may show.

Source: H. B. Mann (1945), Nonparametric tests against trend, Econometrica 13; M. G. Kendall (1938), A new measure of rank
correlation, Biometrika 30. The probability is exact for few windows without ties.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lockgate.late import late

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

FEWEST = 6  # windows: of fewer, even a steady rise is not rare enough
RARE = 0.01  # chance of as clear an order where nothing rises or falls


def trend(figures: Sequence[float]) -> float | None:
    """Kendall's tau of figures with their order (-1: always falling, 1: always rising); None where chance may have made it.

    >>> trend([0.70, 0.71, 0.73, 0.76, 0.80, 0.85]), trend([0.70, 0.85, 0.73, 0.76, 0.80, 0.71])
    (1.0, None)
    """
    values = np.array([value for value in figures if np.isfinite(value)])
    if values.size < FEWEST or np.unique(values).size < 2:
        return None
    found = stats.kendalltau(np.arange(values.size), values)
    return round(float(found.statistic), 6) if found.pvalue <= RARE else None


def in_words(title: str, figures: Sequence[float], *, higher_is_better: bool) -> str:
    """A sentence to add to others, with a space before it; empty where there is no trend."""
    found = trend(figures)
    if found is None:
        return ""
    turn = "better" if (found > 0) == higher_is_better else "worse"
    return f" It gets {turn} as time goes by: {title} {'rises' if found > 0 else 'falls'} over {len(figures)} windows."
