"""What a look found as a verdict that is stored: lines of every column, causes in their order, sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from lockgate.clock import DAY_US
from lockgate.monitor.causes import (
    Cause,
    How,
    Point,
    causes_of,
    changed_at,
    fault_words,
    jumps_of,
    outputs_of,
)
from lockgate.monitor.drift import Found, shifts_of
from lockgate.monitor.profile import Profile
from lockgate.monitor.profiles import Span
from lockgate.monitor.reference import Reference
from lockgate.monitor.saying import severity_of, turned_words
from lockgate.monitor.verdicts import Line, Verdict
from lockgate.monitor.week import WEEK, Jumped
from lockgate.stats.drift import Moved


def verdict_of(
    reference: Reference, found: Found, stretches: Mapping[int, Profile], *, past: Sequence[Verdict], chunk: Sequence[Span],
    look: int, seasonal: tuple[str, ...] = (), season: Mapping[str, str] = MappingProxyType({}), week: Jumped | None = None,
) -> Verdict:  # fmt: skip
    """What a look found, as it is stored. `week`: what of it is not as last week, where there is one to hold it against."""
    newest = stretches[1]
    inside, outside = shifts_of(reference, newest)
    columns = {
        name: Line(round(s.effect, 4), s.place, s.missing, name in found.moved) for name, s in inside.items()
    }
    answers = {
        name: Line(round(s.effect, 4), s.place, s.missing, name in found.answers)
        for name, s in outside.items()
    }
    start_us = chunk[0].start_us
    since = {
        name: _moved_at(
            past, ("columns", "causes"), name, _point(start_us, newest.rows, columns[name], pair[0]), pair[0]
        )
        for name, pair in found.moved.items()
    }
    answer = found.answers.get("score", found.answers.get("decision"))
    causes = causes_of(reference, found.moved, stretches, since, answer[0] if answer else None)
    out_since = {
        name: _moved_at(
            past, ("answers", "outputs"), name, _point(start_us, newest.rows, answers[name], pair[0]), pair[0]
        )
        for name, pair in found.answers.items()
    }
    outputs = outputs_of(reference, found.answers, stretches, out_since)
    verdict = Verdict(
        start_us=start_us, until_us=chunk[-1].until_us, rows=newest.rows, look=look, columns=columns, answers=answers,
        causes=tuple(causes), outputs=tuple(outputs), seasonal=seasonal, season=dict(season),
        broken={each.column: fault_words(each) for each in found.broken},
        turned=tuple(turned_words(each) for each in found.turned),
    )  # fmt: skip
    moved_far = severity_of(verdict, reference) if causes or outputs else None
    verdict = msgspec.structs.replace(verdict, severity=moved_far)
    return verdict if week is None else _with_week(verdict, reference, newest, week, past)


def _with_week(
    verdict: Verdict, reference: Reference, newest: Profile, week: Jumped, past: Sequence[Verdict]
) -> Verdict:
    """The same with what is not as last week, and what the reference says of that."""
    inside, outside = shifts_of(reference, week.whole)
    hows = {
        name: _how(
            verdict, past, name, verdict.columns[name].effect > inside[name].effect, ("causes", "jumps")
        )
        for name in week.columns
    }
    out_hows = {
        name: _how(
            verdict, past, name, verdict.answers[name].effect > outside[name].effect, ("outputs", "leaps")
        )
        for name in week.answers
    }
    columns, answers = (newest.columns, newest.answers)
    jumps = jumps_of(reference.columns, reference.matter, week.columns, (week.whole.columns, columns), hows)
    leaps = jumps_of(reference.answers, {}, week.answers, (week.whole.answers, answers), out_hows)
    return msgspec.structs.replace(
        verdict, week=dict(week.far), jumps=tuple(jumps), leaps=tuple(leaps),
        week_turned=tuple(turned_words(each) for each in week.turned),
    )  # fmt: skip


def _how(
    verdict: Verdict, past: Sequence[Verdict], name: str, farther: bool, fields: tuple[str, str]
) -> tuple[int, How]:
    """Since when a column is not as in its last week, and what the reference says of it. `farther`: it lies farther from that
    than last week; `fields`: of verdicts, where what moved stands, and what jumped."""
    causes, jumps = ([{cause.column for cause in getattr(each, of)} for each in past] for of in fields)
    since_us = verdict.start_us
    for each, jumped in zip(reversed(past), reversed(jumps), strict=True):
        if name not in jumped:
            break
        since_us = each.start_us
    week_us = verdict.start_us - WEEK * DAY_US
    lately = [name in moved for each, moved in zip(past, causes, strict=True) if each.until_us > week_us]
    if name in {cause.column for cause in getattr(verdict, fields[0])}:
        if not lately or not all(lately):
            return since_us, How.NEW
        return since_us, How.FARTHER if farther else How.NEARER
    return since_us, How.AGAIN if any(lately) else How.AS_BEFORE


def _moved_at(
    past: Sequence[Verdict], fields: tuple[str, str], name: str, newest: Point, moved: Moved
) -> int:
    """Since when a column, or an answer, lies elsewhere. `fields`: of verdicts, where its line stands, and what moved.

    What is known to have moved did so by then; once it is known for a week that day stays: that it moves again is last week's
    news (`week.py`)."""
    lines = [(each, getattr(each, fields[0]).get(name)) for each in past]
    points = [_point(each.start_us, each.rows, line, moved) for each, line in lines if line is not None]
    changed_us, since_us = changed_at([*points, newest]), newest.start_us
    first = newest.start_us
    for place, each in enumerate(reversed(past)):
        cause: Cause | None = next((one for one in getattr(each, fields[1]) if one.column == name), None)
        if cause is None:
            break
        first = each.start_us
        since_us = cause.since_us if place == 0 else since_us
    return min(changed_us, since_us if newest.start_us - first >= WEEK * DAY_US else first)


def _point(start_us: int, rows: int, line: Line, moved: Moved) -> Point:
    """By what the column moved: the share of missing values where that moved farther, else its values."""
    if moved.missing and (not moved.values or moved.shift.missing_effect > moved.shift.effect):
        return Point(start_us, rows, line.missing)
    return Point(start_us, rows, line.effect if line.place is None else line.place)
