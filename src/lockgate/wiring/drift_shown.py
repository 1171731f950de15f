"""What people see of drift: of each watched version what moved, since when, how much it matters, and its way over time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa

from lockgate.checks.finding import Plot, PlotKind
from lockgate.monitor.causes import Cause
from lockgate.monitor.chunks import ChunkSize, size_of
from lockgate.monitor.drift import OUT
from lockgate.monitor.notices import Said, notices_of
from lockgate.monitor.profiles import versions_with_rows
from lockgate.monitor.reference import kept_reference
from lockgate.monitor.saying_week import jump_words
from lockgate.monitor.verdicts import SOURCE, Line, Verdict, verdicts_of
from lockgate.monitor.watcher import WatcherStanding, standings
from lockgate.registry.store import get_model

DRAWN = 5  # columns in one picture
_NEWEST = 8  # versions


class DriftPoint(msgspec.Struct, frozen=True, kw_only=True):
    """One chunk of one column: distance from the reference in standard deviations, with its way where it has one."""

    at_us: int
    distance: float


class DriftColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column in the newest chunk. `matter`: how much answers hang on it, 0..1, None where nobody knows; `cause`: set where
    it moved; `week`: distance from the seven days before, None where there were none; `jump`, `jump_words`: set where it is not
    as in those; `over_time`: the newest chunks, oldest first."""

    name: str
    effect: float
    missing: float
    matter: float | None
    cause: Cause | None
    week: float | None
    jump: Cause | None
    jump_words: str
    over_time: list[DriftPoint]


class DriftVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One version. `reference`: what it is held against, in words; `left_out`: inputs that are not watched, and why; `cut`: how
    large its newest chunks were to be, since when, and how large before that, empty where that is not known."""

    version: int
    reference: str
    importance_known: bool
    left_out: dict[str, str]
    chunks: int
    cut: str
    cut_since_us: int | None
    cut_before: str
    newest: Verdict | None
    columns: list[DriftColumn]
    answers: list[DriftColumn]


class DriftShown(msgspec.Struct, frozen=True, kw_only=True):
    """A model's drift: versions newest first, what was said (open ones first), how its watcher fares. `chunk`: how large a chunk
    is from now on."""

    model: str
    chunk: str
    versions: list[DriftVersion]
    notices: list[Said]
    watcher: WatcherStanding | None


def drift_of(tx: sa.Connection, model: str, *, since_us: int = 0) -> DriftShown:
    """What is known now, in the caller's transaction; `since_us`: chunks that end after it."""
    numbers = sorted(versions_with_rows(tx, model), reverse=True)[:_NEWEST]
    said = [each for each in notices_of(tx, model) if each.notice.source == SOURCE]
    said.sort(key=lambda each: (each.ended_us is not None, -each.opened_us))
    watching = [each for each in standings(tx, model) if each.name == f"{SOURCE}:{model}"]
    return DriftShown(
        model=model, chunk=size_of(get_model(tx, model).settings.monitor).said,
        versions=[_version(tx, model, number, since_us) for number in numbers], notices=said,
        watcher=watching[0] if watching else None,
    )  # fmt: skip


def picture(shown: DriftVersion) -> Plot | None:
    """The columns that matter most over time, and the answer; None before there are two chunks."""
    ranked = sorted(shown.columns, key=lambda each: (each.cause is None, each.jump is None))[:DRAWN]
    lines = [*shown.answers[-1:], *ranked]
    drawn = [
        {"name": each.name, "at_us": [p.at_us for p in each.over_time], "value": [p.distance for p in each.over_time]}
        for each in lines if len(each.over_time) > 1
    ]  # fmt: skip
    if not drawn:
        return None
    title = f"Distance of version {shown.version} from {shown.reference}"
    return Plot(
        kind=PlotKind.LINE, title=title, data={"lines": drawn, "axis": "standard deviations", "unit": None}
    )


def _version(tx: sa.Connection, model: str, number: int, since_us: int) -> DriftVersion:
    reference = kept_reference(tx, model, number)
    verdicts = verdicts_of(tx, model, number, since_us=since_us)
    newest = verdicts[-1] if verdicts else None
    matter = reference.matter if reference is not None else {}
    said = reference.said if reference is not None else "nothing yet"
    columns = _columns(verdicts, Side("columns", "causes", "jumps"), said, matter) if newest else []
    answers = _columns(verdicts, Side("answers", "outputs", "leaps", OUT), said, {}) if newest else []
    cuts = [each.cut or ChunkSize().said for each in verdicts]
    other = next((place for place in range(len(cuts) - 1, -1, -1) if cuts[place] != cuts[-1]), None)
    return DriftVersion(
        version=number, reference=said, importance_known=bool(matter), cut=cuts[-1] if cuts else "",
        cut_since_us=None if other is None else verdicts[other].until_us, cut_before="" if other is None else cuts[other],
        left_out=reference.left_out if reference is not None else {}, chunks=len(verdicts), newest=newest,
        columns=sorted(columns, key=lambda each: _rank(each, bool(matter))), answers=answers,
    )  # fmt: skip


@dataclass(frozen=True)
class Side:
    """Inputs or answers: where a verdict has their lines, what moved, what jumped; `mark`: before names (`by_question`)."""

    lines: str
    causes: str
    jumps: str
    mark: str = ""


def _columns(
    verdicts: Sequence[Verdict], side: Side, said: str, matter: dict[str, float]
) -> list[DriftColumn]:
    newest = verdicts[-1]
    causes, jumps = (
        {cause.column: cause for cause in getattr(newest, field)} for field in (side.causes, side.jumps)
    )
    lines: dict[str, Line] = getattr(newest, side.lines)
    found = []
    for name, line in lines.items():
        past = [(each.start_us, getattr(each, side.lines).get(name)) for each in verdicts]
        points = [DriftPoint(at_us=at_us, distance=_way(each)) for at_us, each in past if each is not None]
        jump = jumps.get(name)
        found.append(
            DriftColumn(name=name, effect=line.effect, missing=line.missing, matter=matter.get(name), cause=causes.get(name),
                        week=newest.week.get(f"{side.mark}{name}"), jump=jump,
                        jump_words=jump_words(jump, said) if jump is not None else "", over_time=points)
        )  # fmt: skip
    return found


def _way(line: Line) -> float:
    return round(line.effect if line.place is None else line.place, 4)


def _rank(column: DriftColumn, known: bool) -> tuple[bool, bool, float]:
    weight = (
        column.cause.weight if column.cause else column.effect * ((column.matter or 0.0) if known else 1.0)
    )
    return column.cause is None, column.jump is None, -weight
