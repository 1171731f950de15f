"""How late labels come, from windows of which the youngest have not seen all of theirs: counts by age, chained.

A window counts its labels by their age (label's time less prediction's). By how much counts still grow from one age to the
next is seen in the windows that are older than both; the factors are multiplied. Source: the chain ladder of claims
reserving, Mack (1993), Distribution-free calculation of the standard error of chain ladder reserve estimates, ASTIN
Bulletin 23.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np

from lockgate.clock import DAY_US, HOUR_US

AGES_US = tuple(
    [round(hours * HOUR_US) for hours in (1, 6)]
    + [
        days * DAY_US
        for days in (1, 2, 3, 5, 7, 10, 14, 21, 28, 30, 31, 35, 45, 60, 90, 120, 180, 270, 366, 731)
    ]
)  # ends of the ages that are counted; what is older is counted last
GROWN = 0.95  # a window is complete when so much of its labels is there


class Aged(Protocol):
    """A window as this room sees it. `ages`: labelled rows by age of the label."""

    @property
    def until_us(self) -> int:
        """The time of its newest row."""
        ...

    @property
    def rows(self) -> int:
        """Predicted rows."""
        ...

    @property
    def ages(self) -> tuple[int, ...]:
        """Labelled rows by age: one more count than `AGES_US`."""
        ...


class Delay(msgspec.Struct, frozen=True, kw_only=True):
    """How labels come. `grown`: by each age of `AGES_US`, the share of a window's labels that is there by then (1 at the oldest
    age seen); `median_us`, `late_us`: when half and nineteen of twenty are there; `ever`: the share of rows that get one."""

    grown: tuple[float, ...]
    median_us: int | None
    late_us: int | None
    ever: float | None
    seen_us: int = 0
    declared_us: int | None = None

    def share_at(self, age_us: int) -> float:
        """Which share of its labels a window of that age has. One age before: nothing younger is counted on."""
        if self.declared_us is not None and age_us >= self.declared_us:
            return 1.0
        place = int(np.searchsorted(np.array(AGES_US), age_us, side="right")) - 1
        return 0.0 if place < 0 or not self.grown else self.grown[place]


def ages_of(delays_us: np.ndarray) -> tuple[int, ...]:
    """Labelled rows by age of their label; labels that were known before the prediction are of age 0."""
    place = np.searchsorted(np.array(AGES_US), np.maximum(delays_us, 0), side="left")
    return tuple(np.bincount(place, minlength=len(AGES_US) + 1).tolist())


def delay_of(windows: Sequence[Aged], now_us: int, declared_us: int | None = None) -> Delay:
    """How labels come, by all windows there are. `declared_us`: after so long every label is there, as somebody stated."""
    counts = np.array([window.ages for window in windows], dtype=float).reshape(-1, len(AGES_US) + 1)
    counted = np.cumsum(counts, axis=1)
    age = np.array([now_us - window.until_us for window in windows])
    ladder = np.ones(len(AGES_US))
    for place in range(len(AGES_US) - 2, -1, -1):
        old = age >= AGES_US[place + 1]
        if not old.any():  # nobody is older than both: whoever is between them has seen a part
            old = age >= AGES_US[place]
        if not old.any():  # only the first rows of a window may be so old
            old[:] = True
        before, after = counted[old, place].sum(), counted[old, place + 1].sum()
        growth = after / before if before else (np.inf if after else 1.0)
        ladder[place] = ladder[place + 1] * growth
    grown = np.where(np.isfinite(ladder), 1 / np.where(np.isfinite(ladder), ladder, 1.0), 0.0)
    if not counts.any():
        return Delay(grown=(), median_us=None, late_us=None, ever=None, declared_us=declared_us)
    oldest = int(age.max())
    complete = [each for each, old in zip(windows, age, strict=True)
                if Delay(grown=tuple(grown), median_us=None, late_us=None, ever=None,
                         declared_us=declared_us).share_at(int(old)) >= GROWN]  # fmt: skip
    rows = sum(each.rows for each in complete)
    return Delay(
        grown=tuple(grown.tolist()), median_us=_first(grown, 0.5), late_us=_first(grown, GROWN),
        ever=sum(sum(each.ages) for each in complete) / rows if rows else None,
        seen_us=oldest, declared_us=declared_us,
    )  # fmt: skip


def _first(grown: np.ndarray, share: float) -> int | None:
    reached = np.flatnonzero(grown >= share)
    return AGES_US[int(reached[0])] if reached.size else None
