"""Part of the performance check: is the model weaker on one of the given slices than on the rest?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.listing import few
from lockgate.checks.performance.loss import Loss
from lockgate.datasets.slices import Slice, slices_of
from lockgate.late import late
from lockgate.stats.clusters import clustered_difference, clustered_mean, clustered_share
from lockgate.stats.intervals import mean_interval, wilson
from lockgate.stats.multiple import benjamini_hochberg

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

FALSE_SHARE = 0.05  # of the slices named, at most that share is named by chance
_SHOWN = 30


@dataclass(frozen=True, eq=False)
class _Weighed:
    part: Slice
    loss: float
    low: float
    high: float
    rest: float
    p: float


def weak_slices(
    check: str, loss: Loss, columns: Sequence[str], *, gap: float, ratio: float, min_rows: int
) -> Finding:
    """One finding over all slices of the columns.

    Shares (wrong answers) are weak when `gap` above the rest, errors when `ratio` times the rest. Both only where it is not
    chance, corrected for the number of slices.
    """
    present = [column for column in columns if column in loss.frame.columns]
    parts = [
        part for part in slices_of(loss.frame, present, min_rows=min_rows) if part.rows < loss.frame.height
    ]
    weighed = [_weigh(part, loss) for part in parts]
    adjusted = benjamini_hochberg([each.p for each in weighed])
    weak = [
        each
        for each, p in zip(weighed, adjusted, strict=True)
        if p < FALSE_SHARE and _matters(each, loss.relative, gap, ratio)
    ]
    weak.sort(key=lambda each: each.rest - each.loss)
    unit, what = loss.unit, loss.what
    worst = weak[0] if weak else max(weighed, key=lambda each: each.loss - each.rest, default=None)
    absent = [column for column in columns if column not in (*loss.frame.columns, *loss.varied)]
    varied = [column for column in columns if column in loss.varied]
    return Finding(
        check=check, subject="slices", status=Status.WARN if weak or absent else Status.PASS,
        headline=_headline(weak, len(weighed), what, unit, absent) + _within(varied, loss),
        advice="Look at these rows first: too few in training, worse data, or another relation? Collect more, or say who "
               "must not rely on the answer there." if weak else "",
        measure=Measure(name=f"{what}, {worst.part.name}", value=worst.loss, unit=unit, low=_finite(worst.low),
                        high=_finite(worst.high)) if worst else None,
        threshold=Threshold(at_most=worst.rest * ratio if loss.relative else worst.rest + gap) if worst else None,
        table=_table(weighed, what, unit), plot=_forest(weighed, weak, what, overall=float(loss.own.mean()), unit=unit),
    )  # fmt: skip


def _weigh(part: Slice, loss: Loss) -> _Weighed:
    inside, outside = loss.own[part.mask], loss.own[~part.mask]
    rest = float(outside.mean())
    if loss.clusters is not None:
        clusters = np.unique(loss.clusters[part.mask], return_inverse=True)[1]
        p = clustered_difference(part.mask, loss.own, loss.clusters).p
        found = clustered_mean(inside, clusters) if loss.relative else clustered_share(inside, clusters)
    elif loss.relative or np.ptp(loss.own) not in (0.0, 1.0):
        found = mean_interval(inside)
        p = float(stats.ttest_ind(inside, outside, equal_var=False).pvalue) if np.ptp(loss.own) else 1.0
    else:
        found = wilson(int(inside.sum()), inside.size)
        table = [[inside.sum(), inside.size - inside.sum()], [outside.sum(), outside.size - outside.sum()]]
        p = float(stats.fisher_exact(table).pvalue)
    return _Weighed(part, found.value, found.low, found.high, rest, p)


def _matters(each: _Weighed, relative: bool, gap: float, ratio: float) -> bool:
    return each.loss >= each.rest * ratio if relative else each.loss >= each.rest + gap


def _finite(value: float) -> float | None:
    return value if np.isfinite(value) else None


def _headline(weak: list[_Weighed], count: int, what: str, unit: str | None, absent: list[str]) -> str:
    if absent and not count:
        return f"Slices could not be looked at: the table has no column {few(absent)}."
    missing = f" No column {few(absent)} in the table." if absent else ""
    if not weak:
        looked = (
            f"No slice of {count} stands"
            if count > 1
            else "The one slice that is large enough does not stand"
        )
        return (
            f"{looked} out from the rest.{missing}" if count else f"There was no slice to look at.{missing}"
        )
    first = weak[0]
    more = f", and {len(weak) - 1} more slices stand out" if len(weak) > 1 else ""
    return (f"The model is weaker for {first.part.name}: {figure(first.loss, unit)} {what}, {figure(first.rest, unit)} "
            f"elsewhere{more}.{missing}")  # fmt: skip


def _within(varied: list[str], loss: Loss) -> str:
    return f" Not looked at, as it differs within {loss.each}: {few(varied)}." if varied else ""


def _table(weighed: list[_Weighed], what: str, unit: str | None) -> Table:
    ordered = sorted(weighed, key=lambda each: each.rest - each.loss)[:_SHOWN]
    return Table(columns=("slice", "rows", what, "from", "to", "elsewhere"),
        shares=(what, "from", "to", "elsewhere") if unit == "share" else (), rows=tuple(
        (each.part.name, each.part.rows, round(each.loss, 6), _finite(round(each.low, 6)), _finite(round(each.high, 6)),
         round(each.rest, 6))
        for each in ordered))  # fmt: skip


def _forest(
    weighed: list[_Weighed], weak: list[_Weighed], what: str, *, overall: float, unit: str | None
) -> Plot | None:
    if not weighed:
        return None
    ordered = sorted(weighed, key=lambda each: -each.loss)[:_SHOWN]
    rows = [{"name": each.part.name, "value": each.loss, "low": each.low, "high": each.high, "rows": each.part.rows,
             "weak": each in weak}
            for each in ordered]  # fmt: skip
    return Plot(kind=PlotKind.FOREST, title=f"{what[0].upper()}{what[1:]} by slice",
                data={"rows": rows, "overall": overall, "unit": unit, "axis": what})  # fmt: skip
