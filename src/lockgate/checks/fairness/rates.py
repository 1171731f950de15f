"""Shares of groups beside the group that fares best: ratios and differences with intervals, small groups said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.checks.fairness.groups import Group
from lockgate.stats.intervals import LEVEL, Interval, share_difference, share_ratio

Compare = Callable[[int, int, int, int, float], Interval]
NAMED = 5
SMALL_SHARE = 0.02  # a group below that share of all rows is no measure for the others


@dataclass(frozen=True)
class Care:
    """`min_rows`: a smaller group is not judged. `level`: of all intervals of one question together."""

    min_rows: int
    level: float = LEVEL

    def of(self, comparisons: int) -> float:
        """The level of each of so many intervals (Bonferroni)."""
        return 1 - (1 - self.level) / max(1, comparisons)


@dataclass(frozen=True, eq=False)
class Rate:
    """Of `of` rows of a group, `hits` are so. `beside`: against the best group; None for that group and for small ones."""

    group: Group
    hits: int
    of: int
    beside: Interval | None = None

    @property
    def share(self) -> float:
        """hits / of."""
        return self.hits / self.of if self.of else float("nan")


@dataclass(frozen=True, eq=False)
class Rates:
    """All groups of one attribute (or of all pairs). `best` is None when fewer than two groups are large enough."""

    rates: tuple[Rate, ...]
    best: Rate | None

    @property
    def worst(self) -> Rate | None:
        """The judged group that is farthest from the best."""
        judged = [rate for rate in self.rates if rate.beside is not None]
        return min(judged, key=lambda rate: rate.share, default=None)

    def small(self) -> list[str]:
        """Groups that were too small to judge, with their rows."""
        if self.best is None:
            return [f"{rate.group.label} ({rate.of:,})" for rate in self.rates]
        return [f"{rate.group.label} ({rate.of:,})" for rate in self.rates
                if rate.beside is None and rate is not self.best]  # fmt: skip


def named_few(names: Sequence[str]) -> str:
    """A list for a sentence, the rest counted.

    >>> named_few(["a (3)", "b (2)"])
    'a (3), b (2)'
    """
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def ratios(groups: Sequence[Group], chosen: np.ndarray, *, care: Care) -> Rates:
    """Each group's share of `chosen` (n truth values) as a ratio to the highest share, bounds corrected for their number."""
    return _against_best(
        _counted(groups, chosen, np.ones(chosen.size, dtype=bool)), chosen.size, care, share_ratio
    )


def differences(groups: Sequence[Group], hits: np.ndarray, among: np.ndarray, *, care: Care) -> Rates:
    """Each group's share of `hits` among rows of `among`, as a difference from the highest share."""
    return _against_best(_counted(groups, hits & among, among), int(among.sum()), care, share_difference)


def _counted(groups: Sequence[Group], hits: np.ndarray, among: np.ndarray) -> list[Rate]:
    return [
        Rate(group, int(hits[group.mask].sum()), int(among[group.mask].sum()))
        for group in groups
        if among[group.mask].any()
    ]


def _against_best(rates: list[Rate], of: int, care: Care, compare: Compare) -> Rates:
    judged = [rate for rate in rates if rate.of >= care.min_rows]
    measures = [rate for rate in judged if rate.of >= SMALL_SHARE * of] or judged
    best = max(measures, key=lambda rate: rate.share, default=None)
    if best is None or len(judged) < 2:
        return Rates(tuple(rates), None)
    # over all pairs, as the best is picked among them: of many groups none looks worse by chance
    level = care.of(len(judged) * (len(judged) - 1) // 2)
    found = tuple(
        Rate(rate.group, rate.hits, rate.of, compare(rate.hits, rate.of, best.hits, best.of, level))
        if rate in judged and rate is not best
        else rate
        for rate in rates
    )
    return Rates(found, best)
