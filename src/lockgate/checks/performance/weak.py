"""Part of the performance check: slices of one or two columns, found without being asked, where answers are worse than the
model itself would say.

A row that is hard for everyone is no weakness: what counts is loss beyond that of other rows that were answered with the
same confidence (or, in regression, with an answer of the same size). Ranges are searched on one half of the rows and
confirmed on the other, which the search has not seen; only what is confirmed is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.performance.cells import Cells, cells_of
from lockgate.checks.performance.loss import Loss
from lockgate.checks.performance.search import MOST_SLICES, Range, scan
from lockgate.late import late
from lockgate.stats.clusters import clustered_excess

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

SUBJECT = "weak slices"
MOST_ROWS = 100_000
_FEW_ROWS = 200
_CHANCE = 0.05  # of a run to name any slice that is none
_LEAST_SHARE = 0.01  # a slice has at least that share of the rows


@dataclass(frozen=True)
class Weak:
    """A confirmed slice: its figures are those of the half that the search had not seen."""

    name: str
    rows: int
    own: float
    expected: float
    beyond: float
    low: float
    share: float


@dataclass(frozen=True)
class Found:
    """What a search named: weak slices, the one that explains most first, and the hardest one whatever was expected."""

    weak: tuple[Weak, ...]
    hardest: Weak | None
    columns: int


def find_weak(
    loss: Loss, columns: Sequence[str], draw: np.random.Generator, *, gap: float, min_rows: int
) -> Found | None:
    """Confirmed slices; None where there are too few rows or no columns to look in.

    `gap`: the least excess. Rows of one subject stay in one half, so that no person confirms themselves.
    """
    cells = cells_of(loss.frame, columns)
    if not cells or loss.own.size < _FEW_ROWS:
        return None
    searched = _half(loss.own.size, draw, loss.clusters)
    least = max(min_rows // 2, int(_LEAST_SHARE * loss.own.size / 2))
    ranges = scan(cells, loss.beyond, np.flatnonzero(searched), gap=gap, min_rows=least)
    return Found(
        tuple(_confirmed(cells, ranges, loss, ~searched, gap)),
        _hardest(cells, loss, ~searched, gap, least),
        len(cells),
    )


def weak_finding(check: str, found: Found, loss: Loss, gap: float) -> Finding:
    """One finding over all that was found; the first slice is in the sentence, the others in the table."""
    unit, what, weak = loss.unit, loss.what, found.weak
    named = "error beyond like answers, as a ratio" if loss.relative else f"{what} beyond like answers"
    first = weak[0] if weak else None
    return Finding(
        check=check, subject=SUBJECT, status=Status.WARN if weak else Status.PASS,
        headline=_headline(found, loss),
        advice="Look at these rows: is the label right there, the data worse, or the relation another than in training? "
               "Mend that or train on more of them; until then, do not rely on the answers there." if weak else "",
        measure=Measure(name=f"{named}, {first.name}", value=first.beyond, unit=unit, low=first.low) if first else None,
        threshold=Threshold(at_most=gap) if first else None,
        table=_table(weak, what, unit) if weak else None, plot=_plot(weak, what, unit) if weak else None,
    )  # fmt: skip


def _half(rows: int, draw: np.random.Generator, subjects: np.ndarray | None) -> np.ndarray:
    if subjects is None:
        return np.asarray(draw.permutation(rows) < rows // 2)
    return np.asarray((draw.permutation(int(subjects.max()) + 1) % 2 == 0)[subjects])


def _confirmed(
    cells: list[Cells], ranges: list[Range], loss: Loss, unseen: np.ndarray, gap: float
) -> list[Weak]:
    """Those whose excess on the unseen rows is at least `gap`, and surely more than half of it. Errors that are small beside the
    usual one are no weakness, however large beside those of like answers."""
    found: list[Weak] = []
    left, beyond, overall = unseen.copy(), loss.beyond, float(loss.own.mean())
    for each in ranges:
        inside = each.holds(cells) & left
        rest = left & ~inside
        effect, low = _excess(beyond, inside, rest, loss.clusters)
        if effect >= gap and low > gap / 2 and (not loss.relative or loss.own[inside].mean() >= overall):
            found.append(Weak(each.name(cells), int(inside.sum()), float(loss.own[inside].mean()),
                              float(loss.expected[inside].mean()), effect, low, float(inside.sum() / unseen.sum())))  # fmt: skip
            left = rest
    return found


def _excess(
    beyond: np.ndarray, inside: np.ndarray, rest: np.ndarray, clusters: np.ndarray | None
) -> tuple[float, float]:
    """The difference of the means and its one-sided lower bound, by Welch (1947), Biometrika 34; over subjects by sums."""
    chance = _CHANCE / MOST_SLICES
    if clusters is not None:
        there = inside | rest
        return clustered_excess(inside[there], beyond[there], clusters[there], chance)
    ours, others = beyond[inside], beyond[rest]
    if min(ours.size, others.size) < 2:
        return 0.0, float("-inf")
    parts = np.array([ours.var(ddof=1) / ours.size, others.var(ddof=1) / others.size])
    effect = float(ours.mean() - others.mean())
    if not parts.sum():
        return effect, effect
    freedom = parts.sum() ** 2 / (parts**2 / (np.array([ours.size, others.size]) - 1)).sum()
    return effect, effect - float(stats.t.ppf(1 - chance, freedom) * np.sqrt(parts.sum()))


def _hardest(cells: list[Cells], loss: Loss, unseen: np.ndarray, gap: float, least: int) -> Weak | None:
    """The range with the most loss, expected or not: no weakness by itself, but good to know."""
    own = replace(loss, expected=np.full(loss.own.size, loss.own.mean()))
    ranges = scan(cells, own.beyond, np.flatnonzero(~unseen), gap=2 * gap, min_rows=least, most=1)
    return next(iter(_confirmed(cells, ranges, own, unseen, gap)), None)


def _headline(found: Found, loss: Loss) -> str:
    what, unit = loss.what, loss.unit
    if not found.weak:
        hard = found.hardest
        known = (f" Hardest is {hard.name} ({figure(hard.share, 'share')} of the {loss.each}): {figure(hard.own, unit)} "
                 f"{what} there, no more than such answers have elsewhere." if hard else "")  # fmt: skip
        searched = "1 column" if found.columns == 1 else f"{found.columns} columns, one by one and two by two"
        return f"No weak slice was found in {searched}.{known}"
    first, others = found.weak[0], len(found.weak) - 1
    more = f" {others} more such slice{'s' if others > 1 else ''} in the table." if others else ""
    return (f"Where {first.name} ({figure(first.share, 'share')} of the {loss.each}), {what} "
            f"{'are' if what.endswith('s') else 'is'} {figure(first.own, unit)}; {loss.each} answered alike elsewhere give "
            f"{figure(first.expected, unit)}.{more}")  # fmt: skip


def _table(weak: Sequence[Weak], what: str, unit: str | None) -> Table:
    shares = ("share of rows", what, "expected", "beyond") if unit else ("share of rows",)
    return Table(
        columns=("slice", "rows", "share of rows", what, "expected", "beyond", "surely beyond"),
        shares=(*shares, "surely beyond") if unit else shares,
        rows=tuple(
            (
                each.name,
                each.rows,
                *(round(value, 6) for value in (each.share, each.own, each.expected, each.beyond, each.low)),
            )
            for each in weak
        ),
    )


def _plot(weak: Sequence[Weak], what: str, unit: str | None) -> Plot:
    bars = [bar for each in weak for bar in (
        {"name": each.name, "value": each.own}, {"name": f"like {each.name}", "value": each.expected})]  # fmt: skip
    return Plot(kind=PlotKind.BARS, title=f"{what[0].upper()}{what[1:]}, and what was to be expected",
                data={"bars": bars, "unit": unit, "axis": what})  # fmt: skip
