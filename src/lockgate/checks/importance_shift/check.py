"""Importance shift: do the answers hang on the same columns as before, on one column alone, on some not at all?

Idea: each input is shuffled and the model asked again (`checks/importance.py`); its share of all movement is its importance.
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

import msgspec

from lockgate.checks.base import Check, Part, could_not_run, figure, settings_for
from lockgate.checks.evidence import Asked, Evidence
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.importance import Importance, importances
from lockgate.checks.needs import Need
from lockgate.errors import LockgateError
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.intervals import Interval, mean_interval

NAME = "importance_shift"
_SHOWN = 20
_NAMED = 3
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
    evidence.keep(NAME, {name: list(each.parts) for name, each in mine.items()})
    return [_now(mine, settings), _against(evidence, mine, settings)]


def _now(mine: Mapping[str, Importance], settings: ImportanceSettings) -> Finding:
    """The columns by importance: one that decides alone warns."""
    ranked = list(mine.values())
    first = ranked[0]
    alone = len(ranked) >= _FEW_COLUMNS and first.share.low >= settings.alone
    never = [each.column for each in ranked if each.share.high < _NEVER]
    named = ", ".join(
        f"{each.column} ({figure(each.share.value, 'share')})" for each in ranked[:_NAMED] if each.share.value
    )
    idle = f" {_listed(never)} hardly ever change{'s' if len(never) == 1 else ''} an answer." if never else ""
    said = f"The answers hang on {first.column} nearly alone: {figure(first.share.value, 'share')} of their movement." if (
        alone) else f"The answers hang most on {named}." if named else "No column changes the answers."  # fmt: skip
    advice = (
        "See whether this column is known so well at prediction time, and what happens when it fails."
        if alone
        else ""
    )
    return Finding(
        check=NAME, subject="what the answers hang on", status=Status.WARN if alone else Status.PASS,
        headline=said + idle, advice=advice,
        measure=Measure(name=f"share of '{first.column}'", value=first.share.value, unit="share",
                        low=first.share.low, high=first.share.high),
        threshold=Threshold(at_most=settings.alone),
        table=Table(columns=("column", "importance", "from", "to"), shares=("importance", "from", "to"), rows=tuple(
            (each.column, *(round(value, 4) for value in (each.share.value, each.share.low, each.share.high)))
            for each in ranked[:_SHOWN])),
        plot=Plot(kind=PlotKind.BARS, title="What the answers hang on", data={
            "bars": [{"name": each.column, "value": each.share.value, "low": each.share.low, "high": each.share.high}
                     for each in ranked[:_SHOWN]], "axis": "share of the answers' movement", "unit": "share"}),
    )  # fmt: skip


def _against(evidence: Evidence, mine: Mapping[str, Importance], settings: ImportanceSettings) -> Finding:
    """Against the live version on the same shuffled rows, else against what was kept."""
    kept = evidence.previous.kept.get(NAME) if evidence.previous is not None else None
    if evidence.live:
        name = evidence.live_name or "the live version"
        try:
            other = {each.column: each.parts for each in importances(evidence, Asked.LIVE).values()}
        except LockgateError as error:
            return could_not_run(NAME, f"against {name}", f"{name} did not answer the shuffled rows: {error.what}.",
                                 "A version with other inputs cannot be compared this way.")  # fmt: skip
        return _changed(mine, other, name, settings, paired=True)
    if evidence.previous is not None and isinstance(kept, dict) and kept:
        parts = {str(column): tuple(float(value) for value in values) for column, values in kept.items()}
        return _changed(mine, parts, evidence.previous.name, settings, paired=False)
    return Finding(check=NAME, subject="against earlier versions", status=Status.PASS,
                   headline="No version was validated before, so there is nothing to compare importances with.")  # fmt: skip


def _changed(
    mine: Mapping[str, Importance], other: Mapping[str, tuple[float, ...]], name: str,
    settings: ImportanceSettings, *, paired: bool,
) -> Finding:  # fmt: skip
    """The columns whose share moved most; one warns when it surely moved by half the limit and probably by all of it."""
    before = {column: sum(parts) / len(parts) for column, parts in other.items() if parts}
    places = {column: place for place, column in enumerate(sorted(before, key=lambda each: -before[each]), 1)}
    changes = {
        column: _difference(each.parts, other.get(column, ()), paired=paired) for column, each in mine.items()
    }
    ranked = sorted(changes, key=lambda column: -abs(changes[column].value))
    large = [column for column in ranked if abs(changes[column].value) >= settings.share
             and _surely(changes[column]) >= settings.share / 2]  # fmt: skip
    named = "; ".join(
        f"{column} from {figure(before.get(column, 0.0), 'share')} to {figure(mine[column].share.value, 'share')}"
        for column in large[:_NAMED]
    )
    most = changes[ranked[0]]
    now = {column: place for place, column in enumerate(mine, 1)}
    return Finding(
        check=NAME, subject=f"against {name}", status=Status.WARN if large else Status.PASS,
        headline=f"The answers hang on other columns than those of {name}: {named}." if large else
        f"The answers hang on the same columns as those of {name}.",
        advice="Ask whether the data, the features or the training changed on purpose; a column that became important "
        "suddenly may know the outcome." if large else "",
        measure=Measure(name=f"change of the share of '{ranked[0]}'", value=most.value, unit="share",
                        low=most.low, high=most.high),
        threshold=Threshold(at_most=settings.share),
        table=Table(columns=("column", "before", "now", "rank before", "rank now"), shares=("before", "now"), rows=tuple(
            (column, round(before[column], 4) if column in before else None, round(mine[column].share.value, 4),
             places.get(column), now[column]) for column in ranked[:_SHOWN])),
    )  # fmt: skip


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


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


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
