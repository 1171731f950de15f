"""Importance shift: do the answers hang on the same columns as before, on one column alone, on some not at all?

Idea: each input is shuffled and the model asked again (`checks/importance.py`); its share of all movement is its importance.
Beside it stands its share by Shapley values (`shapley.py`), where columns are not too many; either may show a change.
Held against the live version on the same shuffled rows, else against what the last validation kept, a column whose share
moved by much has a new part in the answers: wanted, or a sign of a leak or a broken feed. One column that decides nearly
alone warns as well: if it fails, so does the model. Columns that never change an answer are named; they could be left out.

Settings (`checks: {importance_shift: {...}}`): `share` (change of a column's share that warns), `alone` (share of one column
that warns).

Sources: `checks/importance.py` names them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from lockgate.checks.base import Check, Part, could_not_run, figure, settings_for
from lockgate.checks.evidence import Asked, Evidence
from lockgate.checks.finding import Cell, Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.importance import Importance, importances
from lockgate.checks.importance_shift.shapley import shapley
from lockgate.checks.listing import few
from lockgate.checks.needs import Need
from lockgate.errors import LockgateError
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import Interval, mean_interval

NAME = "importance_shift"
_SHUFFLED, _SHAPLEY = "shuffled", "shapley"  # what is kept for the next version
_SHOWN = 20
_NAMED = 3
_SHOWN_SHARE = 0.0005  # less reads as 0.0 %
_NEVER = (
    0.001  # of the answers' movement, the upper end of the interval: such a column might as well be absent
)
_FEW_COLUMNS = 3  # where there are fewer, one of them is bound to decide


class ImportanceSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    share: float = 0.1
    alone: float = 0.9


BINDING = {"share": Setting(Stricter.LOWER), "alone": Setting(Stricter.LOWER)}


def run(evidence: Evidence) -> list[Finding]:
    """What the answers hang on, and against which version that changed."""
    settings = settings_for(evidence, NAME, ImportanceSettings)
    mine = importances(evidence)
    if not mine:
        return [could_not_run(NAME, "the whole check", "There are too few rows to shuffle a column.",
                              "Give a test table of a few hundred rows or more.")]  # fmt: skip
    shared = shapley(evidence)
    evidence.keep(NAME, {_SHUFFLED: _parts(mine), _SHAPLEY: _parts(shared)})
    return [_now(mine, shared, settings), *_against(evidence, mine, shared, settings)]


def _parts(found: Mapping[str, Importance]) -> dict[str, list[float]]:
    return {name: list(each.parts) for name, each in found.items()}


def _now(
    mine: Mapping[str, Importance], shared: Mapping[str, Importance], settings: ImportanceSettings
) -> Finding:
    """The columns by importance: one that decides alone warns."""
    ranked = list(mine.values())
    first = ranked[0]
    alone = len(ranked) >= _FEW_COLUMNS and first.share.low >= settings.alone
    never = [each.column for each in ranked if each.share.high < _NEVER]
    named = ", ".join(
        f"{each.column} ({figure(each.share.value, 'share')})"
        for each in ranked[:_NAMED]
        if each.share.value >= _SHOWN_SHARE
    )
    idle = (
        f" {few(never, _NAMED)} hardly ever change{'s' if len(never) == 1 else ''} an answer."
        if never
        else ""
    )
    said = f"The answers hang on {first.column} nearly alone: {figure(first.share.value, 'share')} of their movement." if (
        alone) else f"The answers hang most on {named}." if named else "No column changes the answers."  # fmt: skip
    advice = (
        "Make sure that this column is as good at prediction time as here, and decide what happens when it is missing or late."
        if alone
        else ""
    )
    return Finding(
        check=NAME, subject="what the answers hang on", status=Status.WARN if alone else Status.PASS,
        headline=said + idle, advice=advice,
        measure=Measure(name=f"share of '{first.column}'", value=first.share.value, unit="share",
                        low=first.share.low, high=first.share.high),
        threshold=Threshold(at_most=settings.alone),
        table=Table(columns=("column", "importance", "from", "to", "by Shapley"),
                    shares=("importance", "from", "to", "by Shapley"), rows=tuple(
            (each.column, *(round(value, 4) for value in (each.share.value, each.share.low, each.share.high)),
             round(shared[each.column].share.value, 4) if each.column in shared else None) for each in ranked[:_SHOWN])),
        plot=Plot(kind=PlotKind.BARS, title="What the answers hang on", data={
            "bars": [{"name": each.column, "value": each.share.value, "low": each.share.low, "high": each.share.high}
                     for each in ranked[:_SHOWN]], "axis": "share of the answers' movement", "unit": "share"}),
    )  # fmt: skip


def _against(
    evidence: Evidence,
    mine: Mapping[str, Importance],
    shared: Mapping[str, Importance],
    settings: ImportanceSettings,
) -> list[Finding]:
    """Against the live version on the same shuffled rows, else against what was kept; nothing where there is neither."""
    if evidence.live:
        name = evidence.live_name or "the live version"
        try:
            other = {
                _SHUFFLED: _parts(importances(evidence, Asked.LIVE)),
                _SHAPLEY: _parts(shapley(evidence, Asked.LIVE)),
            }
        except LockgateError as error:
            return [could_not_run(NAME, f"against {name}", f"{name} did not answer the shuffled rows: {error.what}.",
                                  "A version with other inputs cannot be compared this way.")]  # fmt: skip
        return [_changed(mine, shared, other, name, settings, paired=True)]
    kept = evidence.previous.kept.get(NAME) if evidence.previous is not None else None
    if evidence.previous is not None and isinstance(kept, dict) and kept.get(_SHUFFLED):
        return [_changed(mine, shared, kept, evidence.previous.name, settings, paired=False)]
    return []


@dataclass(frozen=True)
class _Change:
    """A column's share before and now, its places, and the move with its interval."""

    column: str
    before: float | None
    now: float
    was: int | None
    place: int
    move: Interval

    def beyond(self, limit: float) -> bool:
        """Whether it surely moved by half the limit, and probably by all of it."""
        return abs(self.move.value) >= limit and _surely(self.move) >= limit / 2

    @property
    def words(self) -> str:
        """`age from 2.0 % (4th) to 31.0 % (1st)`."""
        was = f"{figure(self.before or 0.0, 'share')}" + (f" ({_nth(self.was)})" if self.was else "")
        return f"{self.column} from {was} to {figure(self.now, 'share')} ({_nth(self.place)})"


def _changed(
    mine: Mapping[str, Importance], shared: Mapping[str, Importance], other: Mapping[str, Mapping[str, list[float]]],
    name: str, settings: ImportanceSettings, *, paired: bool,
) -> Finding:  # fmt: skip
    """The columns whose share moved most, shuffled or by Shapley values."""
    shuffled = _changes(mine, other[_SHUFFLED], paired=paired)
    by_shapley = _changes(shared, other.get(_SHAPLEY, {}), paired=paired) if other.get(_SHAPLEY) else []
    large = {each.column: each for each in by_shapley if each.beyond(settings.share)}
    large |= {each.column: each for each in shuffled if each.beyond(settings.share)}
    named = "; ".join(
        each.words for each in sorted(large.values(), key=lambda each: -abs(each.move.value))[:_NAMED]
    )
    most, second = shuffled[0], {each.column: each for each in by_shapley}
    rows: list[tuple[Cell, ...]] = [
        (each.column, *(None if value is None else round(value, 4) for value in (each.before, each.now)), each.was, each.place,
         *(None if value is None else round(value, 4) for value in _pair(second.get(each.column)))) for each in shuffled[:_SHOWN]
    ]  # fmt: skip
    shares = ("before", "now", "by Shapley before", "by Shapley now")
    return Finding(
        check=NAME, subject=f"against {name}", status=Status.WARN if large else Status.PASS,
        headline=f"The answers hang on other columns than those of {name}: {named}." if large else
        f"The answers hang on the same columns as those of {name}.",
        advice="Ask whether the data, the features or the training changed on purpose; a column that became important "
        "suddenly may know the outcome." if large else "",
        measure=Measure(name=f"change of the share of '{most.column}'", value=most.move.value, unit="share",
                        low=most.move.low, high=most.move.high),
        threshold=Threshold(at_most=settings.share),
        table=Table(columns=("column", "before", "now", "rank before", "rank now", *shares[2:]), shares=shares, rows=tuple(rows)),
    )  # fmt: skip


def _changes(
    mine: Mapping[str, Importance], other: Mapping[str, list[float]], *, paired: bool
) -> list[_Change]:
    """Every column's change, the largest first."""
    before = {column: sum(parts) / len(parts) for column, parts in other.items() if parts}
    was = {column: place for place, column in enumerate(sorted(before, key=lambda each: -before[each]), 1)}
    found = [
        _Change(column, before.get(column), each.share.value, was.get(column), place,
                _difference(each.parts, tuple(other.get(column, ())), paired=paired))
        for place, (column, each) in enumerate(mine.items(), 1)
    ]  # fmt: skip
    return sorted(found, key=lambda each: -abs(each.move.value))


def _pair(change: _Change | None) -> tuple[float | None, float | None]:
    return (None, None) if change is None else (change.before, change.now)


def _nth(place: int) -> str:
    """
    >>> [_nth(place) for place in (1, 2, 3, 4, 11, 22)]
    ['1st', '2nd', '3rd', '4th', '11th', '22nd']
    """
    ending = {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th") if place % 100 not in (11, 12, 13) else "th"
    return f"{place}{ending}"


def _difference(mine: tuple[float, ...], other: tuple[float, ...], *, paired: bool) -> Interval:
    """Of two lists of shares: part by part where the rows are the same; a column that was not there had none."""
    if paired and len(mine) == len(other):
        return mean_interval([one - two for one, two in zip(mine, other, strict=True)])
    now, was = (
        mean_interval(mine),
        mean_interval(other) if len(other) > 1 else Interval(sum(other), sum(other), sum(other)),
    )
    wide = math.hypot(now.high - now.value, was.high - was.value)
    value = now.value - was.value
    return Interval(value, value - wide, value + wide)


def _surely(change: Interval) -> float:
    """The least that the share moved, 0 where it may not have."""
    return max(change.low, -change.high, 0.0)


CHECK = Check(
    NAME,
    "Do the answers hang on the same columns as before, and not on one alone?",
    (Need.JUDGED, Need.ANSWERS, Need.ASK),
    ImportanceSettings,
    run,
    BINDING,
    parts=(
        Part("against the live version", (Need.LIVE,)),
        Part("against the last validation", (Need.PREVIOUS,)),
    ),
)
