"""Part of fairness: is the model wrong more often, or in another direction, for one group?

Equalised odds: of people whose outcome was the favourable one, the share to whom the model gave it (true positives), and of
the others the share to whom it gave it as well (false positives). Source: Hardt, Price and Srebro (2016), NeurIPS 29.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.fairness.groups import Group
from lockgate.checks.fairness.rates import Care, Rate, Rates, differences
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.stats.intervals import Interval, mean_interval

_SHOWN = 20


def odds(
    check: str, attribute: str, groups: Sequence[Group], truth: np.ndarray, chosen: np.ndarray,
    *, max_gap: float, care: Care,
) -> Finding:  # fmt: skip
    """True and false positives by group. `truth`, `chosen`: n truth values, the favourable outcome and decision."""
    parts = {
        "favourable outcomes recognised": differences(groups, chosen, truth, care=care),
        "favourable decisions without the outcome": differences(groups, chosen, ~truth, care=care),
    }
    return _finding(check, f"{attribute}: errors", parts, max_gap)


def wrong(
    check: str, attribute: str, groups: Sequence[Group], right: np.ndarray, *, max_gap: float, care: Care
) -> Finding:
    """Share of right answers by group, for answers without a favourable one."""
    everyone = np.ones(right.size, dtype=bool)
    return _finding(
        check,
        f"{attribute}: errors",
        {"right answers": differences(groups, right, everyone, care=care)},
        max_gap,
    )


def calibration(
    check: str, attribute: str, groups: Sequence[Group], truth: np.ndarray, score: np.ndarray,
    *, max_gap: float, care: Care,
) -> Finding | None:  # fmt: skip
    """Said minus came, by group: mean of score (n,) less mean of truth (n,), in probability; None with no group to judge."""
    judged = [group for group in groups if group.rows >= care.min_rows]
    if len(judged) < 2:
        return None
    level = care.of(len(judged))
    found = [(group, mean_interval(score[group.mask] - truth[group.mask], level)) for group in judged]
    off = [each for each in found if abs(each[1].value) > max_gap and not each[1].holds(0.0)]
    group, gap = max(off or found, key=lambda each: abs(each[1].value))
    way = "too high" if gap.value > 0 else "too low"
    size = figure(abs(gap.value), "share")
    return Finding(
        check=check, subject=f"{attribute}: probabilities", status=Status.WARN if off else Status.PASS,
        headline=f"For {group.label} probabilities are {way} by {size} in the mean." if off else
                 f"Probabilities hold for every group; farthest off is {group.label}, by {size}.",
        advice="Calibrate with these people in the calibration rows, or use a threshold of their own." if off else "",
        measure=Measure(name=f"said minus came, {group.label}", value=gap.value, unit="share", low=gap.low, high=gap.high),
        threshold=Threshold(at_most=max_gap),
        table=Table(columns=("group", "rows", "said minus came", "from", "to"), shares=("said minus came", "from", "to"),
                    rows=tuple((each.label, each.rows, *_rounded(by)) for each, by in found[:_SHOWN])),
        plot=_forest([(each.label, each.rows, by, (each, by) in off) for each, by in found], "Said minus came, by group"),
    )  # fmt: skip


def _finding(check: str, subject: str, parts: dict[str, Rates], max_gap: float) -> Finding:
    judged = [
        (name, rate) for name, found in parts.items() for rate in found.rates if rate.beside is not None
    ]
    unclear = {text for found in parts.values() for text in found.small()}
    left = f" Too few rows to judge everywhere: {', '.join(sorted(unclear))}." if unclear else ""
    if not judged:
        return Finding(check=check, subject=subject, status=Status.PASS, threshold=Threshold(at_most=max_gap),
                       headline=f"There are not two groups large enough to compare.{left}")  # fmt: skip
    certain = [each for each in judged if _gap(each[1]).low > max_gap]
    likely = [each for each in judged if _gap(each[1]).value > max_gap and _gap(each[1]).low > 0]
    name, rate = max(certain or likely or judged, key=lambda each: _gap(each[1]).value)
    gap, best = _gap(rate), parts[name].best
    assert best is not None  # noqa: S101  a rate stands beside one
    status = Status.FAIL if certain else Status.WARN if likely else Status.PASS
    verdict = (
        ""
        if status is Status.PASS
        else f", {figure(gap.value, 'share')} apart and allowed are {figure(max_gap, 'share')}"
    )
    return Finding(
        check=check, subject=subject, status=status,
        headline=f"{name[0].upper()}{name[1:]}: {figure(rate.share, 'share')} of {rate.of:,} for {rate.group.label}, "
                 f"{figure(best.share, 'share')} for {best.group.label}{verdict}.{left}",
        advice="Look at this group's rows first: too few in training, worse data, or another relation? More rows of theirs, or "
               "a feature that matters to them, helps most." if status is not Status.PASS else "",
        measure=Measure(name=name, value=gap.value, unit="share", low=gap.low, high=gap.high),
        threshold=Threshold(at_most=max_gap), table=_table(parts),
        plot=_forest([(f"{each.group.label}, {what}", each.of, _gap(each), each in [one for _, one in likely])
                      for what, each in judged], "Behind the best group, by group"),
    )  # fmt: skip


def _gap(rate: Rate) -> Interval:
    """How far a group lies behind the best, as a positive share."""
    assert rate.beside is not None  # noqa: S101
    return Interval(-rate.beside.value, -rate.beside.high, -rate.beside.low)


def _table(parts: dict[str, Rates]) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            rate.group.label,
            rate.of,
            round(rate.share, 6),
            *(_rounded(_gap(rate)) if rate.beside else (None,) * 3),
        )
        for name, found in parts.items()
        for rate in sorted(found.rates, key=lambda rate: rate.share)[:_SHOWN]
    ]
    return Table(columns=("figure", "group", "rows", "share", "behind", "from", "to"),
                 shares=("share", "behind", "from", "to"), rows=tuple(rows))  # fmt: skip


def _rounded(found: Interval) -> tuple[Cell, ...]:
    return tuple(
        round(value, 6) if np.isfinite(value) else None for value in (found.value, found.low, found.high)
    )


def _forest(rows: list[tuple[str, int, Interval, bool]], title: str) -> Plot | None:
    shown = [{"name": name, "value": by.value, "low": by.low, "high": by.high, "rows": of, "weak": weak}
             for name, of, by, weak in rows[:_SHOWN] if np.isfinite([by.low, by.high]).all()]  # fmt: skip
    return Plot(kind=PlotKind.FOREST, title=title,
                data={"rows": shown, "overall": 0.0, "unit": "share", "axis": "share"}) if shown else None  # fmt: skip
