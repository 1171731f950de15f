"""Which of the newest rows a retrained version is tested on beside the live one: enough to see a win, not months. Pure.

What is tested on is not learned from, and where the world moves the newest rows teach most: a fifth of a year would hold back
months. Two weeks hold each day of the week twice, and five hundred rows show a difference of a tenth of the error as a rule.
"""

from __future__ import annotations

import numpy as np

from lockgate.clock import DAY_US
from lockgate.config_retraining import Held

SHARE = 0.2  # of the rows, at most
DAYS, ROWS = 14.0, 500  # the more of both
FEWEST_ROWS = 100  # on either side
WHOLE_DAYS = 3  # from so many on, no day is on both sides


def held_since_us(at_us: np.ndarray, asked: float | Held, seen_us: int | None) -> int | None:
    """From when on rows are tested on; None where that leaves too few on a side. `at_us` (n,): of all rows, in order.

    `asked`: so many days, or the usual. `seen_us`: the newest row that the live version learned; neither version
    has seen what both are tested on.
    """
    if asked is Held.OWN or at_us.size < 2 * FEWEST_ROWS:
        return None
    newest = int(at_us[-1])
    if isinstance(asked, Held):
        wanted = min(newest + 1 - round(DAYS * DAY_US), int(at_us[-min(ROWS, at_us.size)]))
        since = max(int(at_us[-round(SHARE * at_us.size)]), wanted)
    else:
        since = newest + 1 - round(asked * DAY_US)
    if seen_us is not None:
        since = max(since, seen_us + 1)
    if newest - since >= WHOLE_DAYS * DAY_US:
        since = -(-since // DAY_US) * DAY_US
    tested = int((at_us >= since).sum())
    return since if FEWEST_ROWS <= tested <= at_us.size - FEWEST_ROWS else None


def own_since_us(at_us: np.ndarray, share: float) -> int:
    """From when on a pipeline's own test may begin, by the share of rows that it kept the last time."""
    kept = min(max(round(share * at_us.size), 1), at_us.size)
    return int(at_us[-kept])
