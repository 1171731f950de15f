"""What a look found as a verdict that is stored: lines of every column, causes in their order, sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from lockgate.monitor.causes import Point, causes_of, changed_at, fault_words, outputs_of
from lockgate.monitor.drift import Found, shifts_of
from lockgate.monitor.profile import Profile
from lockgate.monitor.profiles import Span
from lockgate.monitor.reference import Reference
from lockgate.monitor.saying import severity_of, turned_words
from lockgate.monitor.verdicts import Line, Verdict


def verdict_of(
    reference: Reference, found: Found, stretches: Mapping[int, Profile], *, past: Sequence[Verdict], chunk: Sequence[Span],
    look: int, seasonal: tuple[str, ...] = (), season: Mapping[str, str] = MappingProxyType({}),
) -> Verdict:  # fmt: skip
    """What a look found, as it is stored."""
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
        name: changed_at([*_points(past, name, "columns"), _point(start_us, newest.rows, columns[name])])
        for name in found.moved
    }
    answer = found.answers.get("score", found.answers.get("decision"))
    causes = causes_of(reference, found.moved, stretches, since, answer[0] if answer else None)
    out_since = {
        name: changed_at([*_points(past, name, "answers"), _point(start_us, newest.rows, answers[name])])
        for name in found.answers
    }
    outputs = outputs_of(reference, found.answers, stretches, out_since)
    verdict = Verdict(
        start_us=start_us, until_us=chunk[-1].until_us, rows=newest.rows, look=look, columns=columns, answers=answers,
        causes=tuple(causes), outputs=tuple(outputs), seasonal=seasonal, season=dict(season),
        broken={each.column: fault_words(each) for each in found.broken},
        turned=tuple(
            f"'{each.one}' and '{each.other}' changed places" if each.places
            else turned_words(each.one, each.other, each.before, each.after) for each in found.turned
        ),
    )  # fmt: skip
    moved_far = severity_of(verdict, reference) if causes or outputs else None
    return msgspec.structs.replace(verdict, severity=moved_far)


def _points(past: Sequence[Verdict], name: str, field: str) -> list[Point]:
    lines = [(each, getattr(each, field).get(name)) for each in past]
    return [_point(each.start_us, each.rows, line) for each, line in lines if line is not None]


def _point(start_us: int, rows: int, line: Line) -> Point:
    return Point(start_us, rows, line.effect if line.place is None else line.place)
