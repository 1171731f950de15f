"""Part of fairness for regression: are answers too high or too low for one group, or farther off?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.fairness.groups import Group
from lockgate.checks.fairness.rates import Care
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.stats.intervals import Interval, mean_interval

_SHOWN = 20


def leaning(
    check: str,
    attribute: str,
    groups: Sequence[Group],
    error: np.ndarray,
    *,
    spread: float,
    max_gap: float,
    care: Care,
) -> Finding:
    """Mean error of each group less that of everyone else. `error`: answer minus truth (n,); `spread`: the labels' standard
    deviation, the unit in which `max_gap` is stated. Rows of a group are weighed against the rest, bounds corrected."""
    judged = [group for group in groups if care.min_rows <= group.rows <= error.size - care.min_rows]
    small = [f"{group.label} ({group.rows:,})" for group in groups if group.rows < care.min_rows]
    left = f" Too few rows to judge: {', '.join(small)}." if small else ""
    subject, limit = f"{attribute}: errors", Threshold(at_most=max_gap)
    if not judged or not spread > 0:
        return Finding(check=check, subject=subject, status=Status.PASS, threshold=limit,
                       headline=f"There are not two groups large enough to compare.{left}")  # fmt: skip
    found = [(group, _beside_rest(error / spread, group, care.of(len(judged)))) for group in judged]
    certain = [
        each
        for each in found
        if min(abs(each[1].low), abs(each[1].high)) > max_gap and not each[1].holds(0.0)
    ]
    likely = [each for each in found if abs(each[1].value) > max_gap and not each[1].holds(0.0)]
    group, gap = max(certain or likely or found, key=lambda each: abs(each[1].value))
    off = abs(gap.value) * spread
    status = Status.FAIL if certain else Status.WARN if likely else Status.PASS
    way = "higher" if gap.value > 0 else "lower"
    return Finding(
        check=check, subject=subject, status=status,
        headline=f"Answers for {group.label} are {figure(off)} {way} than for the others with the same outcome in the mean, "
                 f"{abs(gap.value):.2f} standard deviations"
                 f"{f'; allowed are {max_gap:g}' if status is not Status.PASS else ''}.{left}",
        advice="Look at this group's rows first: too few in training, worse data, or another relation?"
        if status is not Status.PASS else "",
        measure=Measure(name=f"mean error beside the others, {group.label}", value=gap.value, unit="standard deviations",
                        low=gap.low, high=gap.high),
        threshold=limit,
        table=Table(columns=("group", "rows", "beside the others", "from", "to"),
                    rows=tuple((each.label, each.rows, round(by.value, 4), round(by.low, 4), round(by.high, 4))
                               for each, by in found[:_SHOWN])),
        plot=Plot(kind=PlotKind.FOREST, title=f"Mean error by {attribute}, beside the others", data={
            "rows": [{"name": each.label, "value": by.value, "low": by.low, "high": by.high, "rows": each.rows,
                      "weak": (each, by) in likely} for each, by in found[:_SHOWN]],
            "overall": 0.0, "unit": None, "axis": "standard deviations"}),
    )  # fmt: skip


def _beside_rest(error: np.ndarray, group: Group, level: float) -> Interval:
    """Difference of two means. Source: Zou and Donner (2008), Stat. Med. 27: bounds from those of each part."""
    inside, outside = mean_interval(error[group.mask], level), mean_interval(error[~group.mask], level)
    value = inside.value - outside.value
    low = value - np.hypot(inside.value - inside.low, outside.high - outside.value)
    high = value + np.hypot(inside.high - inside.value, outside.value - outside.low)
    return Interval(value, float(low), float(high))
