"""Promised and delivered: what a version's validation said of it beside what production shows, overall and by slice.

A promise is kept when production's figure and the validation's differ by no more than the two intervals allow; better than
promised is no fault, but it is no proof of a right validation either, and is counted apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

import msgspec
import numpy as np

from lockgate.checks.finding import Finding, Table
from lockgate.monitor.performance_figures import LOWER_IS_BETTER, NEITHER, TITLES, Figure
from lockgate.monitor.performance_windows import Edges, Window, pooled, pooled_parts

CHECK, SLICES = "performance", "slices"
ERRORS, DISTANCE = "wrong answers", "mean absolute error"  # what the validation's slices are told in
OF_SCORES = frozenset(
    {"log_loss", "brier"}
)  # what needs more of an answer of several classes than windows keep
_RANGE = re.compile(r"^(-?[\d.,]+(?:e[+-]?\d+)?) to (-?[\d.,]+(?:e[+-]?\d+)?)$")
_NAMES = {title: name for name, title in TITLES.items()}


class Outcome(StrEnum):
    """What became of a promise."""

    KEPT = "kept"
    BETTER = "better"
    WORSE = "worse"
    OPEN = "open"  # too few labels yet


class Promise(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: as validated, as delivered. `part`: a slice, "" for all rows; `windows`: complete ones behind it."""

    figure: str
    part: str
    promised: Figure
    delivered: Figure | None
    outcome: Outcome
    windows: int


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """Of one version. `since_us`, `until_us`: of the complete windows; None where there is none."""

    version: int
    promises: tuple[Promise, ...]
    since_us: int | None = None
    until_us: int | None = None

    @property
    def judged(self) -> int:
        """How many promises production has answered."""
        return sum(each.outcome is not Outcome.OPEN for each in self.promises)

    @property
    def kept(self) -> int:
        """How many of these were inside their interval."""
        return sum(each.outcome is Outcome.KEPT for each in self.promises)


def figures_promised(findings: Iterable[Finding]) -> dict[str, Figure]:
    """The figures of a validation, by the names that windows use; of several classes those of decisions, as in windows."""
    found = {}
    for finding in findings:
        if (
            finding.check == CHECK
            and finding.table is not None
            and finding.table.columns == ("figure", "value", "from", "to")
        ):
            for title, value, low, high in finding.table.rows:
                name = _NAMES.get(str(title))
                if name is not None and value is not None and low is not None and high is not None:
                    found[name] = Figure(float(value), float(low), float(high))
    if "macro_f1" in found and "roc_auc" not in found:
        return {name: figure for name, figure in found.items() if name not in OF_SCORES}
    return found


def slices_promised(findings: Iterable[Finding]) -> dict[str, dict[str, Figure]]:
    """By slice (`plan = gold`) what the validation said of it."""
    found: dict[str, dict[str, Figure]] = {}
    for finding in findings:
        if finding.check == CHECK and finding.subject == SLICES and finding.table is not None:
            for row in finding.table.rows:
                told = _slice_figure(finding.table, row[2:5])
                if told is not None:
                    found[str(row[0])] = told
    return found


def slicing_promised(findings: Iterable[Finding], columns: Sequence[str]) -> dict[str, Edges | None]:
    """How production is cut so that its slices are the validation's: ranges of numbers as it told them, else by value."""
    names = list(slices_promised(list(findings)))
    found: dict[str, Edges | None] = {}
    for column in columns:
        labels = [name.removeprefix(f"{column} = ") for name in names if name.startswith(f"{column} = ")]
        ranges = [(label, *limits) for label in labels if (limits := _limits(label)) is not None]
        found[column] = tuple(sorted(ranges, key=lambda each: each[1])) or None
    return found


def promises_of(
    version: int,
    figures: Mapping[str, Figure],
    slices: Mapping[str, Mapping[str, Figure]],
    windows: Sequence[Window],
) -> Promises:
    """The promises of a version and what its complete windows say of them."""
    made = [
        _promise(name, "", promised, pooled(windows, name), sum(name in each.figures for each in windows))
        for name, promised in figures.items()
    ]
    for part, told in slices.items():
        shown = [each.slices[part] for each in windows if part in each.slices]
        made += [
            _promise(
                name, part, promised, pooled_parts(shown, name), sum(name in each.figures for each in shown)
            )
            for name, promised in told.items()
        ]
    return Promises(
        version=version, promises=tuple(made),
        since_us=min((each.since_us for each in windows), default=None),
        until_us=max((each.until_us for each in windows), default=None),
    )  # fmt: skip


def _promise(name: str, part: str, promised: Figure, delivered: Figure | None, windows: int) -> Promise:
    return Promise(
        figure=name, part=part, promised=promised, delivered=delivered, outcome=_outcome(name, promised, delivered),
        windows=windows,
    )  # fmt: skip


def _outcome(name: str, promised: Figure, delivered: Figure | None) -> Outcome:
    """Inside: 0 is inside the interval of the difference of the two. Source: Zou and Donner (2008), Construction of confidence
    limits about effect measures, Statistics in Medicine 27."""
    if delivered is None:
        return Outcome.OPEN
    gap = delivered.value - promised.value
    below = float(np.hypot(delivered.value - delivered.low, promised.high - promised.value))
    above = float(np.hypot(delivered.high - delivered.value, promised.value - promised.low))
    if gap - below <= 0 <= gap + above:
        return Outcome.KEPT
    if name in NEITHER:
        return Outcome.WORSE
    return Outcome.BETTER if (gap < 0) == (name in LOWER_IS_BETTER) else Outcome.WORSE


def _slice_figure(table: Table, cells: Sequence[object]) -> dict[str, Figure] | None:
    value, low, high = (float(cell) if isinstance(cell, int | float) else None for cell in cells)
    if value is None or low is None or high is None:
        return None
    if table.columns[2] == ERRORS:
        return {"accuracy": Figure(1 - value, 1 - high, 1 - low)}
    name = {DISTANCE: "mae", TITLES["pinball"]: "pinball"}.get(table.columns[2])
    return None if name is None else {name: Figure(value, low, high)}


def _limits(label: str) -> tuple[float, float] | None:
    found = _RANGE.match(label)
    return None if found is None else (float(found[1].replace(",", "")), float(found[2].replace(",", "")))
