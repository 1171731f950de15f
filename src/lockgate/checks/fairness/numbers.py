"""Part of fairness for regression: are answers too high or too low for one group, or farther off?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.fairness.groups import Group
from lockgate.checks.fairness.rates import Care
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.listing import few
from lockgate.checks.metrics import apart
from lockgate.stats.intervals import Interval

_SHOWN = 20


@dataclass(frozen=True, eq=False)
class _Lean:
    """A group's mean error less everyone else's, in standard deviations of the label."""

    group: Group
    gap: Interval

    def beyond(self, limit: float) -> bool:
        """Whether it lies beyond, and not by chance."""
        return abs(self.gap.value) > limit and not self.gap.holds(0.0)

    def surely_beyond(self, limit: float) -> bool:
        """Whether all of its interval does."""
        return self.beyond(limit) and min(abs(self.gap.low), abs(self.gap.high)) > limit


def leaning(
    check: str, by: Sequence[Sequence[Group]], error: np.ndarray,
    *, spread: float, max_gap: float, care: Care, known: bool = False,
) -> Finding:  # fmt: skip
    """Mean error of each group less that of everyone else. `error`: answer minus truth (n,); `spread`: the labels' standard
    deviation, the unit in which `max_gap` is stated. Rows of a group are weighed against the rest, bounds corrected.

    `by`: the groups of one attribute, or of several pairs; `known`: of pairs, where an attribute alone shows it already.
    """
    found, small = [], []
    for groups in by:
        judged = [group for group in groups
                  if min(care.count(group.mask), care.count(~group.mask)) >= care.min_rows]  # fmt: skip
        small += [
            f"{group.label} ({count:,})"
            for group in groups
            if (count := care.count(group.mask)) < care.min_rows
        ]
        level = care.of(len(judged))
        found += (
            [_Lean(group, _beside_rest(error / spread, group, care, level)) for group in judged]
            if spread > 0
            else []
        )
    left = f" Too few to judge: {few(small)}." if small else ""
    attribute = (
        by[0][0].attribute if len(by) == 1 and " and " not in by[0][0].attribute else "pairs of attributes"
    )
    if not found:
        return Finding(check=check, subject=f"{attribute}: errors", status=Status.PASS, threshold=Threshold(at_most=max_gap),
                       headline=f"There are not two groups large enough to compare.{left}")  # fmt: skip
    ranked = sorted(
        found,
        key=lambda each: (not each.surely_beyond(max_gap), not each.beyond(max_gap), -abs(each.gap.value)),
    )
    return _leaning(check, attribute, ranked, left, spread=spread, max_gap=max_gap, known=known)


def _leaning(
    check: str,
    attribute: str,
    ranked: Sequence[_Lean],
    left: str,
    *,
    spread: float,
    max_gap: float,
    known: bool,
) -> Finding:
    """The finding about the group that lies farthest off. `ranked`: at least one, the worst first."""
    worst, gap = ranked[0], ranked[0].gap
    alarm = worst.beyond(max_gap) and not known
    status = Status.FAIL if alarm and worst.surely_beyond(max_gap) else Status.WARN if alarm else Status.PASS
    more = (
        f"; allowed are {max_gap:g}" if alarm else ", as one attribute alone shows already" if known else ""
    )
    way = "higher" if gap.value > 0 else "lower"
    rows = [{"name": each.group.label, "value": each.gap.value, "low": each.gap.low, "high": each.gap.high,
             "rows": each.group.rows, "weak": each.beyond(max_gap)} for each in ranked[:_SHOWN]]  # fmt: skip
    return Finding(
        check=check, subject=f"{attribute}: errors", status=status,
        headline=f"Answers for {worst.group.label} are {figure(abs(gap.value) * spread)} {way} "
                 f"than for the others with the same outcome in the mean, {abs(gap.value):.2f} standard deviations{more}.{left}",
        advice="Look at this group's rows first: too few in training, worse data, or another relation?" if alarm else "",
        measure=Measure(name=f"mean error beside the others, {worst.group.label}", value=gap.value, unit="standard deviations",
                        low=gap.low, high=gap.high),
        threshold=Threshold(at_most=max_gap),
        table=Table(columns=("group", "rows", "beside the others", "from", "to"), rows=tuple(
            (each.group.label, each.group.rows, *(round(value, 4) for value in (each.gap.value, each.gap.low, each.gap.high)))
            for each in ranked[:_SHOWN])),
        plot=Plot(kind=PlotKind.FOREST, title=f"Mean error by {attribute}, beside the others",
                  data={"rows": rows, "overall": 0.0, "unit": None, "axis": "standard deviations"}),
    )  # fmt: skip


def _beside_rest(error: np.ndarray, group: Group, care: Care, level: float) -> Interval:
    """Difference of two means."""
    return apart(care.mean(error, group.mask, level), care.mean(error, ~group.mask, level))
