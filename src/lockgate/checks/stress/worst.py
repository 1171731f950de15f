"""Part of stress: the mean loss if the worst-off rows became the rule.

Two balls around the rows that there are, each with its worst mean loss. Conditional value at risk: any part of the rows that
is at least a share `alpha` (Rockafellar and Uryasev 2000, J. of Risk 2). Chi-square: any weights within a distance `rho`
(Duchi and Namkoong 2021, Annals of Statistics 49): the infimum over eta of
sqrt(1 + 2 rho) * sqrt(mean(max(loss - eta, 0) ** 2)) + eta.
Both are of the losses as they fell, chance included, so they bound what reweighting can do from above.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lockgate.late import late

if TYPE_CHECKING:
    from scipy import optimize
else:
    optimize = late("scipy.optimize")


def tail_mean(loss: np.ndarray, alpha: float) -> float:
    """The mean of the worst share `alpha` of n losses; the row on the border counts in part.

    >>> tail_mean(np.array([0.0, 0.0, 1.0, 3.0]), 0.5), tail_mean(np.array([0.0, 0.0, 1.0, 3.0]), 0.375)
    (2.0, 2.3333333333333335)
    """
    ordered = np.sort(loss)[::-1]
    count = alpha * ordered.size
    whole = min(int(count), ordered.size)
    rest = (count - whole) * ordered[whole] if whole < ordered.size else 0.0
    return float((ordered[:whole].sum() + rest) / count)


def ball_mean(loss: np.ndarray, rho: float) -> float:
    """The worst mean of n losses under weights within chi-square distance `rho` (half the mean squared change of weights).

    >>> round(ball_mean(np.array([0.0, 1.0]), 0.02), 3)  # 0.5 + sqrt(2 * 0.02) * 0.5
    0.6
    """
    spread = float(loss.std())
    if rho == 0 or spread == 0:
        return float(loss.mean())
    scale = float(np.sqrt(1 + 2 * rho))
    lowest = float(loss.mean()) - 2 * spread / float(np.sqrt(2 * rho)) - spread

    def bound(eta: float) -> float:
        return scale * float(np.sqrt((np.maximum(loss - eta, 0.0) ** 2).mean())) + eta

    found = optimize.minimize_scalar(
        bound, bounds=(lowest, float(loss.max())), method="bounded", options={"xatol": 1e-9 * spread}
    )
    return min(float(found.fun), float(loss.max()))
