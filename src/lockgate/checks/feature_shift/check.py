"""Feature shift: are the rows that the model is judged on like those it learned from, and like the last validation's?

Idea: every input is sketched in the reference and counted over the same bins in the later rows (`stats.drift`). Columns that
broke (gone, another type, empty, infinite, constant, exchanged) fail; columns whose values moved warn, ranked by how much
the answers hang on them times how far they moved. A move counts when it is sure, corrected for the number of columns, and
large enough to matter.

Settings (`checks: {feature_shift: {...}}`): `distance` (standard deviations, or what a gap between categories amounts to,
that warns), `fail` (one that fails; none by default), `matters` (share of the answers' movement below which a column that
moved does not warn), `ignore` (columns that move by nature), `seasonal` (columns that follow the season, for the monitor: this
check holds them against the reference all the same).

Sources: `stats/drift.py` names them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
import polars as pl

from lockgate.checks.base import Check, Part, could_not_run, figure, settings_for, split_name
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.feature_shift.columns import Broken, broken_columns
from lockgate.checks.feature_shift.words import what_happened
from lockgate.checks.feature_shift.worth import worth_in
from lockgate.checks.finding import Finding, Measure, Plot, PlotKind, Status, Table, Threshold
from lockgate.checks.identifiers import looks_like_identifier
from lockgate.checks.importance import matter_of
from lockgate.checks.needs import Need
from lockgate.datasets.sketched import count_table, sketch_table
from lockgate.errors import LockgateError
from lockgate.governance.bounds import Setting, Stricter
from lockgate.stats.drift import MATTERS, Moved, Shift, moved, shift_of
from lockgate.stats.sketch import Sketch

Matter = Mapping[str, float] | None  # how much the answers hang on each column, where that is known
NAME = "feature_shift"
_SHOWN = 20
_NAMED = 3
_BLUNT = 0.5  # standard deviations: if less than that cannot be seen, the rows are said to be few
_SEEN = 4.0  # a move of that many standard errors is found nearly always


class FeatureShiftSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See the module."""

    distance: float = MATTERS
    fail: float | None = None
    matters: float = 0.01
    ignore: tuple[str, ...] = ()
    seasonal: tuple[str, ...] = ()


BINDING = {
    "distance": Setting(Stricter.LOWER),
    "fail": Setting(Stricter.LOWER, needed=True),
    "matters": Setting(Stricter.LOWER),
    "ignore": Setting(Stricter.FEWER),
    "seasonal": Setting(Stricter.FEWER),
}


@dataclass(frozen=True, eq=False)
class _Held:
    """Rows held against a reference: what it is called, the sketches of both, the columns that are whole."""

    said: str
    reference: Mapping[str, Sketch]
    current: Mapping[str, Sketch]
    shifts: Mapping[str, Shift]


def run(evidence: Evidence) -> list[Finding]:
    """Against the training rows, and against the rows of the last validation where they are others."""
    settings = settings_for(evidence, NAME, FeatureShiftSettings)
    judged = evidence.judged_split() or Split.TEST
    after = evidence.frames[judged]
    references = {}
    if Split.TRAIN in evidence.frames:
        references[split_name(Split.TRAIN)] = evidence.frames[Split.TRAIN]
    earlier = _earlier(evidence, judged)
    if earlier is not None:
        references[f"the rows of {evidence.previous.name}" if evidence.previous else ""] = earlier
    if not references:
        return [could_not_run(NAME, "the whole check", "There are no earlier rows to compare with.",
                              "Submit the model again with --train TABLE, or validate an earlier version first.")]  # fmt: skip
    try:
        matter = matter_of(evidence)
    except LockgateError:  # a model that cannot be asked is another check's finding: here columns count alike
        matter = None
    if matter is not None:
        evidence.keep(NAME, {"matter": matter})
    findings = []
    for said, before in references.items():
        held, broken = _hold(evidence, said, before, after, settings)
        found = moved(held.shifts, matters=settings.distance)
        findings += [_broken(broken, said, matter)] if broken else []
        if found:
            findings.append(_moved(found, held, matter, settings))
        elif not broken:
            findings.append(_alike(held))
    return findings


def _earlier(evidence: Evidence, judged: Split) -> pl.DataFrame | None:
    """The last validation's judged rows, unless they are these."""
    frames = evidence.previous.frames if evidence.previous is not None else {}
    frame = frames.get(
        judged, next((frames[each] for each in (Split.TEST, Split.VALIDATION) if each in frames), None)
    )
    if frame is None or frame.is_empty():
        return None
    both = [
        name for name in evidence.inputs if name in frame.columns and name in evidence.frames[judged].columns
    ]
    return None if frame.select(both).equals(evidence.frames[judged].select(both)) else frame


def _hold(
    evidence: Evidence, said: str, before: pl.DataFrame, after: pl.DataFrame, settings: FeatureShiftSettings
) -> tuple[_Held, list[Broken]]:
    names = _looked_at(evidence, before, after, settings)
    reference = sketch_table(before, [name for name in names if name in before.columns])
    current = count_table(after, reference)
    broken = broken_columns(before, after, names, reference, current)
    left_out = {each.column for each in broken}
    whole = [name for name in current if name not in left_out]
    known, now = (worth_in(evidence, frame, whole) for frame in (before, after))
    shifts = {
        name: shift_of(reference[name], current[name], (known.get(name, 1.0), now.get(name, 1.0)))
        for name in whole
    }
    return _Held(said, reference, current, shifts), broken


def _looked_at(
    evidence: Evidence, before: pl.DataFrame, after: pl.DataFrame, settings: FeatureShiftSettings
) -> list[str]:
    """Inputs but those that differ by nature: times, keys and row numbers."""
    never = {evidence.time, evidence.key, *evidence.known_at.values(), *settings.ignore}
    names = [
        name
        for name in evidence.inputs
        if name not in never and (name in before.columns or name in after.columns)
    ]
    return [
        name
        for name in names
        if name not in before.columns
        or not (before[name].dtype.is_temporal() or looks_like_identifier(before[name]))
    ]


def _broken(broken: list[Broken], said: str, matter: Matter) -> Finding:
    """One finding for all columns that broke, the worst and most important first."""
    ranked = sorted(
        broken, key=lambda each: (each.status is not Status.FAIL, -(matter or {}).get(each.column, 0.0))
    )
    named = "; ".join(f"'{each.column}' {each.what}" for each in ranked[:_NAMED])
    more = f"; and {len(ranked) - _NAMED} more" if len(ranked) > _NAMED else ""
    return Finding(
        check=NAME, subject=f"columns against {said}",
        status=Status.FAIL if any(each.status is Status.FAIL for each in broken) else Status.WARN,
        headline=f"Against {said}, {named}{more}.",
        advice="Find out where the rows come from: this is a fault of the feed or of the table, not of the world.",
        measure=Measure(name="columns that broke", value=float(len(broken))), threshold=Threshold(at_most=0.0),
        table=Table(columns=("column", "what"), rows=tuple((each.column, each.what) for each in ranked[:_SHOWN])),
    )  # fmt: skip


def _moved(found: list[Moved], held: _Held, matter: Matter, settings: FeatureShiftSettings) -> Finding:
    """One finding for all columns whose values moved, by importance times distance."""
    weight = {
        each.column: each.effect * (1.0 if matter is None else matter.get(each.column, 0.0)) for each in found
    }
    ranked = sorted(found, key=lambda each: (-weight[each.column], -each.effect))
    words = {
        each.column: what_happened(each, held.reference[each.column], held.current[each.column])
        for each in ranked
    }
    status = _status(ranked, matter, settings)
    named = "; ".join(f"'{each.column}' {words[each.column]}" for each in ranked[:_NAMED])
    more = f"; and {len(ranked) - _NAMED} more" if len(ranked) > _NAMED else ""
    first = ", first those that the answers hang on most" if matter is not None and len(ranked) > 1 else ""
    idle = " The answers hardly depend on any of them." if status is Status.PASS else ""
    farthest = max(found, key=lambda each: each.effect)
    return Finding(
        check=NAME, subject=f"against {held.said}", status=status,
        headline=f"{len(found)} of {len(held.shifts)} columns moved against {held.said}{first}: {named}{more}.{idle}",
        advice="" if status is Status.PASS else
        "Ask whether the world changed or the feed did. If the world did, figures on older rows promise too much: "
        "train on recent rows, and watch these columns in production.",
        measure=Measure(name=f"farthest move ('{farthest.column}') in standard deviations", value=farthest.effect,
                        low=farthest.shift.low if farthest.values else None,
                        high=farthest.shift.high if farthest.values else None),
        threshold=Threshold(at_most=settings.distance),
        table=Table(columns=("column", "importance", "moved by", "what"), shares=("importance",), rows=tuple(
            (each.column, None if matter is None else round(matter.get(each.column, 0.0), 4), round(each.effect, 3),
             words[each.column]) for each in ranked[:_SHOWN])),
        plot=_plot(ranked, held.said),
    )  # fmt: skip


def _status(ranked: list[Moved], matter: Matter, settings: FeatureShiftSettings) -> Status:
    heavy = [each for each in ranked if matter is None or matter.get(each.column, 0.0) >= settings.matters]
    if settings.fail is not None and any(
        max(each.shift.low * each.values, each.shift.missing_effect * each.missing) > settings.fail
        for each in heavy
    ):
        return Status.FAIL
    return Status.WARN if heavy else Status.PASS


def _alike(held: _Held) -> Finding:
    rows = min((each.rows for each in held.shifts.values()), default=0)
    others = min((each.rows_before for each in held.shifts.values()), default=0)
    seen = _SEEN * math.sqrt(1 / max(rows, 1) + 1 / max(others, 1))
    few = (
        f" With so few rows only moves beyond {figure(seen)} standard deviations can be seen."
        if seen > _BLUNT
        else ""
    )
    return Finding(
        check=NAME, subject=f"against {held.said}", status=Status.PASS,
        headline=f"No column of {len(held.shifts)} moved against {held.said}.{few}",
        measure=Measure(name="columns that moved", value=0.0), threshold=Threshold(at_most=0.0),
    )  # fmt: skip


def _plot(ranked: list[Moved], said: str) -> Plot:
    bars = [
        {"name": each.column, "value": each.effect}
        | ({"low": each.shift.low, "high": each.shift.high} if each.values else {})
        for each in ranked[:_SHOWN]
    ]
    return Plot(kind=PlotKind.BARS, title=f"How far columns moved against {said}",
                data={"bars": bars, "axis": "standard deviations", "unit": None})  # fmt: skip


CHECK = Check(
    NAME,
    "Are the rows like those it learned from, and like the last validation's?",
    (Need.JUDGED,),
    FeatureShiftSettings,
    run,
    BINDING,
    parts=(
        Part("against training rows", (Need.TRAIN,)),
        Part("against the last validation's rows", (Need.PREVIOUS,)),
    ),
)
