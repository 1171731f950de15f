"""What moved, ranked by what it does to the answers, since when, and in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import numpy as np

from lockgate.checks.baseline import ANSWER
from lockgate.checks.feature_shift.words import what_happened
from lockgate.monitor.drift import Broken, Fault
from lockgate.monitor.profile import Counted, Profile, sketch_in
from lockgate.monitor.reference import Reference
from lockgate.stats.drift import Moved
from lockgate.stats.pairs import correlations
from lockgate.stats.sketch import Sketch

EXPLAINS = 0.5  # of the answers' move: a column with that share explains most of it
_STRAIGHT = 0.3  # share of the answers' spread that columns explain in a straight line: below it nothing is explained so
_CLEAR = 0.05  # standard deviations of the answers' move, below which there is nothing to explain
_RIDGE = 1e-3


class How(StrEnum):
    """What the reference says of a column that is not as last week."""

    AS_BEFORE = "as before"  # it never left it
    AGAIN = "again"  # it lay elsewhere within the week
    FARTHER, NEARER = "farther", "nearer"  # it had moved for a week, and lies farther from it now, or nearer
    NEW = "new"  # it moved from it within the week: said with what moved


class Cause(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column that moved. `effect`: in standard deviations, with 95 % bounds; `matter`: importance, None where unknown;
    `weight`: what it is ranked by, importance x effect; `explains`: share of the answers' move; `chunks`: how long the stretch
    was in which it showed; `since_us`: from when on; `how`: of one that is not as last week."""

    column: str
    words: str
    effect: float
    low: float
    high: float
    weight: float
    chunks: int
    since_us: int
    matter: float | None = None
    explains: float | None = None
    missing: bool = False
    how: How | None = None


@dataclass(frozen=True)
class Point:
    """One chunk of a column's past: when it began, its rows, how far it lay from the reference (and which way, of numbers)."""

    start_us: int
    rows: int
    distance: float


def causes_of(
    reference: Reference,
    found: Mapping[str, tuple[Moved, int]],
    profiles: Mapping[int, Profile],
    since: Mapping[str, int],
    answer: Moved | None,
) -> list[Cause]:
    """Moved columns, the one that matters most first. `profiles`: of each number of chunks; `since`: by column."""
    shares = explained(reference, {name: each.shift.place or 0.0 for name, (each, _) in found.items()},
                       answer.shift.place if answer is not None else None)  # fmt: skip
    causes = []
    for name, (each, chunks) in found.items():
        current = sketch_in(profiles[chunks].columns[name], reference.columns[name])
        matter = reference.matter.get(name) if reference.matter else None
        causes.append(
            Cause(
                column=name, words=what_happened(each, reference.columns[name], current), effect=each.effect,
                low=each.shift.low, high=each.shift.high, weight=each.effect * (1.0 if not reference.matter else matter or 0.0),
                chunks=chunks, since_us=since[name], matter=matter, explains=shares.get(name), missing=each.missing,
            )
        )  # fmt: skip
    return sorted(causes, key=lambda cause: (-cause.weight, -cause.effect, cause.column))


def outputs_of(
    reference: Reference,
    found: Mapping[str, tuple[Moved, int]],
    profiles: Mapping[int, Profile],
    since: Mapping[str, int],
) -> list[Cause]:
    """Answers that moved: the decision, then the score."""
    outputs = []
    for name, (each, chunks) in sorted(found.items()):
        current = sketch_in(profiles[chunks].answers[name], reference.answers[name])
        outputs.append(
            Cause(
                column=name, words=what_happened(each, reference.answers[name], current), effect=each.effect,
                low=each.shift.low, high=each.shift.high, weight=each.effect, chunks=chunks, since_us=since[name],
                missing=each.missing,
            )
        )  # fmt: skip
    return outputs


def jumps_of(
    sketches: Mapping[str, Sketch],
    matter: Mapping[str, float],
    found: Mapping[str, Moved],
    counted: tuple[Mapping[str, Counted], Mapping[str, Counted]],
    since: Mapping[str, tuple[int, How]],
) -> list[Cause]:
    """Columns, or answers, that are not as last week, the one that matters most first. `counted`: then and now; `since`: from
    when on, and how."""
    made = []
    for name, each in found.items():
        was, current = (sketch_in(columns[name], sketches[name]) for columns in counted)
        since_us, how = since[name]
        known = matter.get(name) if matter else None
        made.append(
            Cause(
                column=name, words=what_happened(each, was, current), effect=each.effect, low=each.shift.low,
                high=each.shift.high, weight=each.effect * (1.0 if not matter else known or 0.0), chunks=1, since_us=since_us,
                matter=known, missing=each.missing, how=how,
            )
        )  # fmt: skip
    return sorted(made, key=lambda cause: (-cause.weight, -cause.effect, cause.column))


def explained(reference: Reference, places: Mapping[str, float], answer: float | None) -> dict[str, float]:
    """The share of the answers' move that follows from each column's, in a straight line through all columns at once.

    Slopes come from how columns and answers went together in the reference (least squares on normal scores, a little ridge).
    Empty where that says too little of the answers, or they did not move.
    """
    if (
        reference.pairs is None
        or ANSWER not in reference.pairs.names
        or answer is None
        or abs(answer) < _CLEAR
    ):
        return {}
    names = reference.pairs.names
    last = names.index(ANSWER)
    others = [place for place in range(len(names)) if place != last]
    matrix = correlations(reference.pairs)
    among, towards = matrix[np.ix_(others, others)], matrix[others, last]
    slopes = np.linalg.solve(among + _RIDGE * np.eye(len(others)), towards)
    if float(slopes @ towards) < _STRAIGHT:
        return {}
    shares = {
        names[place]: float(slope * places.get(names[place], 0.0) / answer)
        for place, slope in zip(others, slopes, strict=True)
    }
    return {name: min(share, 1.0) for name, share in shares.items() if name in places and share > 0}


def changed_at(points: Sequence[Point]) -> int:
    """From when on a column's chunks lie elsewhere: the one change that fits best (least squares), or the first chunk.

    Source: the likelihood ratio for one change of a mean, Hawkins (1977), J. Am. Stat. Assoc. 72.
    """
    rows = np.array([point.rows for point in points], dtype=float)
    far = np.array([point.distance for point in points])
    if len(points) < 2:
        return points[0].start_us
    before, total = np.cumsum(rows)[:-1], rows.sum()
    sums, whole = np.cumsum(rows * far)[:-1], float(rows @ far)
    first, second = sums / before, (whole - sums) / (total - before)
    gain = (second - first) ** 2 * before * (total - before) / total
    best = int(np.argmax(gain))
    stayed = abs(first[best]) >= EXPLAINS * abs(second[best])  # it lay about as far before
    return (
        points[0].start_us
        if stayed and np.sign(first[best]) == np.sign(second[best])
        else points[best + 1].start_us
    )


def fault_words(broken: Broken) -> str:
    """What happened to a column that broke."""
    return {
        Fault.GONE: "is gone",
        Fault.PARTLY_GONE: f"is not sent in {broken.what} of rows",
        Fault.EMPTY: "has no value any more",
        Fault.INFINITE: f"holds infinity in {broken.what} rows",
        Fault.CONSTANT: f"is always {broken.what} now",
        Fault.EXCHANGED: f"holds what '{broken.what}' held, and the other way round",
        Fault.NEW: "is new",
    }[broken.fault]
