"""Shares of groups beside the group that fares best: ratios and differences with intervals, small groups said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lockgate.checks.fairness.groups import Group
from lockgate.stats.clusters import mean_by, worth_of
from lockgate.stats.intervals import LEVEL, Interval, share_difference, share_ratio

Compare = Callable[[float, float, float, float, float], Interval]
SMALL_SHARE = 0.02  # a group below that share of all rows is no measure for the others


@dataclass(frozen=True, eq=False)
class Care:
    """`min_rows`: a group of fewer people is not judged. `level`: of all intervals of one question together.

    `people` (n,): the number of the person of each row; None where each row is another.
    """

    min_rows: int
    level: float = LEVEL
    people: np.ndarray | None = None

    def of(self, comparisons: int) -> float:
        """The level of each of so many intervals (Bonferroni)."""
        return 1 - (1 - self.level) / max(1, comparisons)

    def among(self, rows: np.ndarray) -> Care:
        """The same for some of the rows (indices or truth values)."""
        return self if self.people is None else replace(self, people=self.people[rows])

    def count(self, rows: np.ndarray) -> int:
        """How many people these rows (indices or truth values) are."""
        if self.people is None:
            return int(rows.sum()) if rows.dtype == bool else int(rows.size)
        return int(np.unique(self.people[rows]).size)

    def mean(self, values: np.ndarray, rows: np.ndarray, level: float) -> Interval:
        """The mean of values (n,) at these rows, by person."""
        return mean_by(values[rows], None if self.people is None else self.people[rows], level)


@dataclass(frozen=True, eq=False)
class Rate:
    """Of `of` rows of a group, `hits` are so. `beside`: against the best group; None for that group and for small ones.

    `people` they are; where some have several rows, these tell as much as `worth` rows of strangers.
    """

    group: Group
    hits: int
    of: int
    people: int
    worth: float
    beside: Interval | None = None

    @property
    def share(self) -> float:
        """hits / of."""
        return self.hits / self.of if self.of else float("nan")

    def against(self, best: Rate, compare: Compare, level: float) -> Rate:
        """The same beside the best group."""
        mine, other = (
            (min(each.hits * (each.worth / each.of), each.worth), each.worth) for each in (self, best)
        )
        return replace(self, beside=compare(*mine, *other, level))


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
            return [f"{rate.group.label} ({rate.people:,})" for rate in self.rates]
        return [f"{rate.group.label} ({rate.people:,})" for rate in self.rates
                if rate.beside is None and rate is not self.best]  # fmt: skip


def ratios(groups: Sequence[Group], chosen: np.ndarray, *, care: Care) -> Rates:
    """Each group's share of `chosen` (n truth values) as a ratio to the highest share, bounds corrected for their number."""
    everyone = np.ones(chosen.size, dtype=bool)
    return _against_best(_counted(groups, chosen, everyone, care), chosen.size, care, share_ratio)


def differences(groups: Sequence[Group], hits: np.ndarray, among: np.ndarray, *, care: Care) -> Rates:
    """Each group's share of `hits` among rows of `among`, as a difference from the highest share."""
    return _against_best(_counted(groups, hits, among, care), int(among.sum()), care, share_difference)


def _counted(groups: Sequence[Group], hits: np.ndarray, among: np.ndarray, care: Care) -> list[Rate]:
    found = []
    for group in groups:
        rows = np.flatnonzero(group.mask & among)
        if rows.size:
            worth = rows.size if care.people is None else worth_of(hits[rows], care.people[rows])
            found.append(Rate(group, int(hits[rows].sum()), int(rows.size), care.count(rows), worth))
    return found


def _against_best(rates: list[Rate], of: int, care: Care, compare: Compare) -> Rates:
    judged = [rate for rate in rates if rate.people >= care.min_rows]
    measures = [rate for rate in judged if rate.of >= SMALL_SHARE * of] or judged
    best = max(measures, key=lambda rate: rate.share, default=None)
    if best is None or len(judged) < 2:
        return Rates(tuple(rates), None)
    # over all pairs, as the best is picked among them: of many groups none looks worse by chance
    level = care.of(len(judged) * (len(judged) - 1) // 2)
    found = tuple(
        rate.against(best, compare, level) if rate in judged and rate is not best else rate for rate in rates
    )
    return Rates(found, best)
