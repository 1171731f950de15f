"""Part of the performance check: slices of one or two columns, found without being asked, where answers are worse than the
model itself would say.

A row that is hard for everyone is no weakness: what counts is loss beyond that of other rows that were answered with the
same confidence (or, in regression, with an answer of the same size). Ranges are searched on one half of the rows and
confirmed on the other, which the search has not seen; only what is confirmed is named.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.metrics import Judged
from lockgate.checks.performance.cells import Cells, cells_of
from lockgate.checks.performance.search import MOST_SLICES, Range, scan
from lockgate.late import late

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

SUBJECT = "weak slices"
MOST_ROWS = 100_000
_FEW_ROWS = 200
_LEVELS = 20  # levels of confidence that rows are compared within
_CHANCE = 0.05  # of a run to name any slice that is none
_LEAST_SHARE = 0.01  # a slice has at least that share of the rows


@dataclass(frozen=True, eq=False)
class Loss:
    """Per row: its loss, and what rows of the same confidence lose on average; `relative`: the excess is a ratio."""

    own: np.ndarray
    expected: np.ndarray
    relative: bool

    @property
    def beyond(self) -> np.ndarray:
        """What the search looks for, 0 on average."""
        if not self.relative:
            return np.asarray(self.own - self.expected)
        ratio = self.own / np.where(self.expected > 0, self.expected, 1.0)
        return np.asarray(
            np.minimum(ratio, np.quantile(ratio, 0.995)) - 1.0
        )  # one monstrous error is no slice


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


def loss_of(judged: Judged, classifies: bool) -> Loss:
    """Wrong answers, or absolute errors, beside those of rows with a like confidence or answer."""
    if not classifies:
        error = np.abs(judged.truth - judged.decision)
        return Loss(error, _like(error, judged.decision, _LEVELS), relative=True)
    wrong = np.asarray(judged.truth != judged.decision, dtype=float)
    return Loss(wrong, _like(wrong, _confidence(judged), _LEVELS), relative=False)


def find_weak(
    frame: pl.DataFrame, columns: Sequence[str], loss: Loss, draw: np.random.Generator, *, gap: float, min_rows: int,
    subjects: np.ndarray | None = None,
) -> Found | None:  # fmt: skip
    """Confirmed slices; None where there are too few rows or no columns to look in.

    `gap`: the least excess. `subjects` (n,): rows of one subject stay in one half, so that no person confirms themselves.
    """
    cells = cells_of(frame, columns)
    if not cells or loss.own.size < _FEW_ROWS:
        return None
    searched = _half(loss.own.size, draw, subjects)
    least = max(min_rows // 2, int(_LEAST_SHARE * loss.own.size / 2))
    ranges = scan(cells, loss.beyond, np.flatnonzero(searched), gap=gap, min_rows=least)
    return Found(
        tuple(_confirmed(cells, ranges, loss, ~searched, gap)),
        _hardest(cells, loss, ~searched, gap, least),
        len(cells),
    )


def weak_finding(check: str, found: Found, loss: Loss, gap: float) -> Finding:
    """One finding over all that was found; the first slice is in the sentence, the others in the table."""
    unit, what = (None, "mean absolute error") if loss.relative else ("share", "wrong answers")
    weak, named = (
        found.weak,
        "error beyond like answers, as a ratio" if loss.relative else f"{what} beyond like answers",
    )
    first = weak[0] if weak else None
    return Finding(
        check=check, subject=SUBJECT, status=Status.WARN if weak else Status.PASS,
        headline=_headline(found, what, unit),
        advice="Look at these rows: is the label right there, the data worse, or the relation another than in training? "
               "Mend that or train on more of them; until then, do not rely on the answers there." if weak else "",
        measure=Measure(name=f"{named}, {first.name}", value=first.beyond, unit=unit, low=first.low) if first else None,
        threshold=Threshold(at_most=gap) if first else None,
        table=_table(weak, what, unit) if weak else None, plot=_plot(weak, what, unit) if weak else None,
    )  # fmt: skip


def _confidence(judged: Judged) -> np.ndarray:
    """How sure the model was of its decision; where it does not say, the decision itself."""
    if judged.score is not None and judged.truth.dtype == bool:
        return np.asarray(judged.score, dtype=float)
    if judged.probability is not None:
        return np.asarray(np.max(judged.probability, axis=1), dtype=float)
    return np.asarray(judged.decision, dtype=float)


def _like(loss: np.ndarray, by: np.ndarray, levels: int) -> np.ndarray:
    """The mean loss of rows whose `by` is alike (the same of `levels` quantiles), shape (n,)."""
    edges = np.unique(np.quantile(by, np.linspace(0, 1, levels + 1)[1:-1], method="lower"))
    level = np.searchsorted(edges, by, side="left")
    sums, counts = np.bincount(level, loss), np.bincount(level)
    return np.asarray((sums / np.maximum(counts, 1))[level])


def _half(rows: int, draw: np.random.Generator, subjects: np.ndarray | None) -> np.ndarray:
    if subjects is None:
        return np.asarray(draw.permutation(rows) < rows // 2)
    _, codes = np.unique([str(each) for each in subjects], return_inverse=True)
    return np.asarray((draw.permutation(int(codes.max()) + 1) % 2 == 0)[codes])


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
        effect, low = _excess(beyond[inside], beyond[rest], _CHANCE / MOST_SLICES)
        if effect >= gap and low > gap / 2 and (not loss.relative or loss.own[inside].mean() >= overall):
            found.append(Weak(each.name(cells), int(inside.sum()), float(loss.own[inside].mean()),
                              float(loss.expected[inside].mean()), effect, low, float(inside.sum() / unseen.sum())))  # fmt: skip
            left = rest
    return found


def _excess(inside: np.ndarray, rest: np.ndarray, chance: float) -> tuple[float, float]:
    """The difference of the means and its one-sided lower bound, by Welch (1947), Biometrika 34."""
    if min(inside.size, rest.size) < 2:
        return 0.0, float("-inf")
    parts = np.array([inside.var(ddof=1) / inside.size, rest.var(ddof=1) / rest.size])
    effect = float(inside.mean() - rest.mean())
    if not parts.sum():
        return effect, effect
    freedom = parts.sum() ** 2 / (parts**2 / (np.array([inside.size, rest.size]) - 1)).sum()
    return effect, effect - float(stats.t.ppf(1 - chance, freedom) * np.sqrt(parts.sum()))


def _hardest(cells: list[Cells], loss: Loss, unseen: np.ndarray, gap: float, least: int) -> Weak | None:
    """The range with the most loss, expected or not: no weakness by itself, but good to know."""
    own = Loss(loss.own, np.full(loss.own.size, loss.own.mean()), loss.relative)
    ranges = scan(cells, own.beyond, np.flatnonzero(~unseen), gap=2 * gap, min_rows=least, most=1)
    return next(iter(_confirmed(cells, ranges, own, unseen, gap)), None)


def _headline(found: Found, what: str, unit: str | None) -> str:
    if not found.weak:
        hard = found.hardest
        known = (f" Hardest is {hard.name} ({figure(hard.share, 'share')} of the rows) with {figure(hard.own, unit)} {what}, "
                 "as is to be expected of answers like those." if hard else "")  # fmt: skip
        return f"No weak slice was found in {found.columns} columns, one by one and two by two.{known}"
    first, others = found.weak[0], len(found.weak) - 1
    more = f" {others} more such slice{'s' if others > 1 else ''} in the table." if others else ""
    return (f"Where {first.name} ({figure(first.share, 'share')} of the rows), {what} "
            f"{'are' if unit else 'is'} {figure(first.own, unit)}; rows answered alike elsewhere give "
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
