"""Part of fairness: is the model wrong more often, or in another direction, for one group?

Equalised odds: of people whose outcome was the favourable one, the share to whom the model gave it (true positives), and of
the others the share to whom it gave it as well (false positives). Source: Hardt, Price and Srebro (2016), NeurIPS 29.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.fairness.groups import Group
from lockgate.checks.fairness.rates import Care, Rate, Rates, differences
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.listing import few
from lockgate.stats.intervals import Interval

_SHOWN = 20


def odds(
    check: str, by: Sequence[Sequence[Group]], truth: np.ndarray, chosen: np.ndarray,
    *, favourable: str, max_gap: float, care: Care, known: bool = False,
) -> Finding:  # fmt: skip
    """True and false positives by group. `by`: the groups of one attribute, or of several pairs of attributes.

    `truth`, `chosen`: n truth values, the favourable outcome and decision. `known`: of pairs, where an attribute alone shows it.
    """
    recognised = _Figure(
        "favourable outcomes recognised",
        f"Where the label is '{favourable}', the model says so",
        "recognised",
    )
    without = _Figure(
        "favourable decisions without the outcome", f"Where the label is another, the model answers '{favourable}'",
        "without the outcome",
    )  # fmt: skip
    parts = [
        (figure_, differences(groups, chosen, among, care=care))
        for groups in by
        for figure_, among in ((recognised, truth), (without, ~truth))
    ]
    return _finding(check, f"{_called(by)}: errors", parts, max_gap, known=known)


def wrong(
    check: str, by: Sequence[Sequence[Group]], right: np.ndarray,
    *, max_gap: float, care: Care, known: bool = False,
) -> Finding:  # fmt: skip
    """Share of right answers by group, for answers without a favourable one."""
    everyone = np.ones(right.size, dtype=bool)
    named = _Figure("right answers", "The model is right", "right")
    parts = [(named, differences(groups, right, everyone, care=care)) for groups in by]
    return _finding(check, f"{_called(by)}: errors", parts, max_gap, known=known)


def calibration(
    check: str,
    by: Sequence[Sequence[Group]],
    off: np.ndarray,
    *,
    max_gap: float,
    care: Care,
    known: bool = False,
) -> Finding | None:
    """Said minus came, by group: the mean of `off` (n,), the probability less 1 or 0; None with no group to judge."""
    found: list[tuple[Group, Interval]] = []
    for groups in by:
        judged = [group for group in groups if care.count(group.mask) >= care.min_rows]
        level = care.of(len(judged))
        found += [(group, care.mean(off, group.mask, level)) for group in judged]
    if len(found) < 2:
        return None
    beyond = [each for each in found if abs(each[1].value) > max_gap and not each[1].holds(0.0)]
    group, gap = max(beyond or found, key=lambda each: abs(each[1].value))
    size = figure(abs(gap.value), "share")
    alarm = bool(beyond) and not known
    return Finding(
        check=check, subject=f"{_called(by)}: probabilities", status=Status.WARN if alarm else Status.PASS,
        headline=f"For {group.label} probabilities are too {'high' if gap.value > 0 else 'low'} by {size} in the mean"
                 f"{', as one attribute alone shows already' if known else ''}." if beyond else
                 f"Probabilities hold for every group; farthest off is {group.label}, by {size}.",
        advice="Calibrate with these people in the calibration rows, or use a threshold of their own." if alarm else "",
        measure=Measure(name=f"said minus came, {group.label}", value=gap.value, unit="share", low=gap.low, high=gap.high),
        threshold=Threshold(at_most=max_gap),
        table=Table(columns=("group", "rows", "said minus came", "from", "to"), shares=("said minus came", "from", "to"),
                    rows=tuple((each.label, each.rows, *_rounded(apart)) for each, apart in _farthest(found))),
        plot=_forest([(each.label, each.rows, apart, (each, apart) in beyond) for each, apart in _farthest(found)],
                     "Said minus came, by group", "said minus came", None),
    )  # fmt: skip


@dataclass(frozen=True)
class _Figure:
    """A share that is compared: its name, how a sentence about it begins, and a word for pictures."""

    name: str
    begins: str
    short: str


def _called(by: Sequence[Sequence[Group]]) -> str:
    """The attribute, or that it is pairs of them."""
    return by[0][0].attribute if len(by) == 1 and " and " not in by[0][0].attribute else "pairs of attributes"


def _farthest(found: Sequence[tuple[Group, Interval]]) -> list[tuple[Group, Interval]]:
    if len(found) <= _SHOWN:
        return list(found)
    return sorted(found, key=lambda each: -abs(each[1].value))[:_SHOWN]


def _finding(
    check: str, subject: str, parts: Sequence[tuple[_Figure, Rates]], max_gap: float, *, known: bool
) -> Finding:
    judged = [
        (named, found, rate) for named, found in parts for rate in found.rates if rate.beside is not None
    ]
    unclear = {text for _, found in parts for text in found.small()}
    left = f" Too few to judge everywhere: {few(sorted(unclear))}." if unclear else ""
    if not judged:
        return Finding(check=check, subject=subject, status=Status.PASS, threshold=Threshold(at_most=max_gap),
                       headline=f"There are not two groups large enough to compare.{left}")  # fmt: skip
    certain = [each for each in judged if _gap(each[2]).low > max_gap]
    likely = [each for each in judged if _gap(each[2]).value > max_gap and _gap(each[2]).low > 0]
    named, found, rate = max(certain or likely or judged, key=lambda each: _gap(each[2]).value)
    gap, best = _gap(rate), found.best
    assert best is not None  # noqa: S101  a rate stands beside one
    status = Status.PASS if known or not likely else Status.FAIL if certain else Status.WARN
    verdict = (
        f": {figure(gap.value, 'share')} apart, and {figure(max_gap, 'share')} are allowed" if likely else ""
    )
    return Finding(
        check=check, subject=subject, status=status,
        headline=f"{named.begins} for {figure(rate.share, 'share')} of {rate.group.label} ({rate.of:,} rows) and "
                 f"{figure(best.share, 'share')} of {best.group.label}{verdict}"
                 f"{', as one attribute alone shows already' if known and likely else ''}.{left}",
        advice="Look at this group's rows first: too few in training, worse data, or another relation? More rows of theirs, or "
               "a feature that matters to them, helps most." if status is not Status.PASS else "",
        measure=Measure(name=named.name, value=gap.value, unit="share", low=gap.low, high=gap.high),
        threshold=Threshold(at_most=max_gap), table=_table(parts),
        plot=_forest([(f"{each.group.label}, {what.short}", each.of, _gap(each), (what, whole, each) in likely)
                      for what, whole, each in sorted(judged, key=lambda one: -_gap(one[2]).value)],
                     "How far each group is behind the best", f"behind the best ({max_gap:.0%} is allowed)", max_gap),
    )  # fmt: skip


def _gap(rate: Rate) -> Interval:
    """How far a group lies behind the best, as a positive share."""
    assert rate.beside is not None  # noqa: S101
    return Interval(-rate.beside.value, -rate.beside.high, -rate.beside.low)


def _table(parts: Sequence[tuple[_Figure, Rates]]) -> Table:
    flat = [(named.name, rate) for named, found in parts for rate in found.rates]
    flat.sort(key=lambda each: _gap(each[1]).value if each[1].beside else -1.0, reverse=True)
    rows: list[tuple[Cell, ...]] = [
        (
            name,
            rate.group.label,
            rate.of,
            round(rate.share, 6),
            *(_rounded(_gap(rate)) if rate.beside else (None,) * 3),
        )
        for name, rate in flat[:_SHOWN]
    ]
    return Table(columns=("figure", "group", "rows", "share", "behind", "from", "to"),
                 shares=("share", "behind", "from", "to"), rows=tuple(rows))  # fmt: skip


def _rounded(found: Interval) -> tuple[Cell, ...]:
    return tuple(
        round(value, 6) if np.isfinite(value) else None for value in (found.value, found.low, found.high)
    )


def _forest(
    rows: list[tuple[str, int, Interval, bool]], title: str, axis: str, limit: float | None
) -> Plot | None:
    shown = [{"name": name, "value": by.value, "low": by.low, "high": by.high, "rows": of, "weak": weak}
             for name, of, by, weak in rows[:_SHOWN] if np.isfinite([by.low, by.high]).all()]  # fmt: skip
    if not shown:
        return None
    data = {"rows": shown, "overall": 0.0, "unit": "share", "axis": axis, "limit": limit}
    return Plot(kind=PlotKind.FOREST, title=title, data=data)
