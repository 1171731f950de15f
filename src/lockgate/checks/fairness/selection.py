"""Part of fairness: is one group given the favourable decision less often, by the four fifths rule?

The same question is put to the labels: a model learns the history that it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.fairness.groups import Group
from lockgate.checks.fairness.rates import Care, Rate, Rates, ratios
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.listing import few

_SHOWN = 20


def unequal(found: Rates, limit: float) -> Rate | None:
    """The worst group if it is below `limit` and that is no chance: its whole interval lies below 1."""
    below = [
        rate for rate in found.rates if rate.beside and rate.beside.value < limit and rate.beside.high < 1
    ]
    return min(below, key=lambda rate: rate.share, default=None)


def decisions(check: str, attribute: str, found: Rates, favourable: str, limit: float) -> Finding:
    """How often each group of one attribute is given the favourable decision."""
    said = f"the model answers '{favourable}'"
    worst = unequal(found, limit)
    return _finding(
        check, f"{attribute}: decisions", found, limit, said,
        status=Status.FAIL if worst else Status.PASS,
        advice=f"Find out why before this decides about people: train without what stands for {attribute}, weigh rows or set "
               "another threshold, and compare. Where the difference is justified, have whoever answers for it write that down "
               f"and waive it; the rule is a screen, no verdict. If '{favourable}' is not what people want, set checks: "
               "{fairness: {favourable: ...}}." if worst else "",
    )  # fmt: skip


def history(
    check: str, attribute: str, found: Rates, favourable: str, *, limit: float, repeated: bool
) -> Finding:
    """The same of the labels. `repeated`: the model's decisions carry the difference on (or there is no model to ask)."""
    worst = unequal(found, limit)
    status = Status.PASS if worst is None else Status.FAIL if repeated else Status.WARN
    already = "already " if worst is not None and repeated else ""
    return _finding(
        check, f"{attribute}: labels", found, limit, f"the label is {already}'{favourable}'", status=status,
        advice="" if worst is None else
               "Ask how these labels came about: a model can only learn what it is shown." if repeated else
               "The model does not carry this difference on. Keep an eye on it when it is trained again.",
    )  # fmt: skip


def together(
    check: str, by_pair: Mapping[str, Sequence[Group]], chosen: np.ndarray, favourable: str,
    *, known: bool, limit: float, care: Care,
) -> Finding:  # fmt: skip
    """Pairs of attributes. `known`: one attribute alone tells the story already, so this only shows where it is worst."""
    all_found = [ratios(each, chosen, care=care) for each in by_pair.values()]
    with_worst = [(found, unequal(found, limit)) for found in all_found]
    hit = [(found, worst) for found, worst in with_worst if worst is not None]
    found = min(hit, key=lambda each: each[1].share)[0] if hit else all_found[0]
    worst = unequal(found, limit)
    return _finding(
        check, "pairs of attributes: decisions", found, limit, f"the model answers '{favourable}'",
        status=Status.FAIL if worst and not known else Status.PASS,
        advice="No attribute alone shows this: look at these people together." if worst and not known else "",
        known=known and worst is not None, attribute=worst.group.attribute if worst else "",
    )  # fmt: skip


def _finding(
    check: str, subject: str, found: Rates, limit: float, said: str,
    *, status: Status, advice: str, known: bool = False, attribute: str = "",
) -> Finding:  # fmt: skip
    worst = unequal(found, limit) or found.worst
    beside = worst.beside if worst else None
    return Finding(
        check=check, subject=subject, status=status,
        headline=_headline(found, limit, said, known=known, attribute=attribute), advice=advice,
        measure=Measure(name="ratio of rates", value=beside.value, low=beside.low, high=beside.high) if beside else None,
        threshold=Threshold(at_least=limit), table=_table(found), plot=_plot(found, said, limit),
    )  # fmt: skip


def _headline(found: Rates, limit: float, said: str, *, known: bool, attribute: str) -> str:
    small = found.small()
    left = f" Too few to judge: {few(small)}." if small else ""
    best, worst = found.best, found.worst
    if best is None or worst is None or worst.beside is None:
        return f"There are not two groups large enough to compare.{left}"
    below = unequal(found, limit)
    shown = below or worst
    assert shown.beside is not None  # noqa: S101  both come from judged groups
    of = f" ({attribute})" if attribute else ""
    rates = (f"{said} for {figure(shown.share, 'share')} of {shown.group.label}{of} and {figure(best.share, 'share')} of "
             f"{best.group.label}: a ratio of {shown.beside.value:.2f} ({shown.beside.low:.2f} to "
             f"{shown.beside.high:.2f})")  # fmt: skip
    rates = rates[0].upper() + rates[1:]
    if known:
        return f"Worst together, as the attributes alone show already: {rates[0].lower()}{rates[1:]}.{left}"
    if below:
        return f"{rates}, below {limit:g}.{left}"
    if shown.beside.value < limit:
        return f"{rates}; so few rows cannot tell that from chance.{left}"
    return f"{rates}, at least {limit:g}.{left}"


def _table(found: Rates) -> Table:
    ordered = sorted(found.rates, key=lambda rate: rate.share)[:_SHOWN]
    rows: list[tuple[Cell, ...]] = []
    for rate in ordered:
        beside = rate.beside
        bounds = (
            (round(beside.value, 3), round(beside.low, 3), round(beside.high, 3))
            if beside
            else (None, None, None)
        )
        rows.append((rate.group.label, rate.of, round(rate.share, 6), *bounds))
    return Table(columns=("group", "rows", "rate", "ratio", "from", "to"), shares=("rate",), rows=tuple(rows))


def _plot(found: Rates, said: str, limit: float) -> Plot | None:
    rows = [{"name": rate.group.label, "value": rate.beside.value, "low": rate.beside.low, "high": rate.beside.high,
             "rows": rate.of, "weak": rate.beside.value < limit and rate.beside.high < 1}
            for rate in sorted(found.rates, key=lambda rate: rate.share)[:_SHOWN] if rate.beside]  # fmt: skip
    if not rows or found.best is None:
        return None
    return Plot(kind=PlotKind.FOREST, title=f"How often {said}, beside {found.best.group.label}",
                data={"rows": rows, "overall": 1.0, "limit": limit, "unit": None,
                      "axis": f"ratio of rates ({limit:g} is allowed)"})  # fmt: skip
