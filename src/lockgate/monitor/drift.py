"""Has what comes in or goes out moved? Stretches of one version's rows, held against its reference. Pure.

The statistics and the smallest shift that counts are those of the checks (`stats.drift`). What is added is time: whoever
looks a thousand times finds something by chance. So the k-th look at a version may err with the 6 / (pi k)^2 part of the whole
chance of error only, and those parts add up to it however long one looks (a spending of alpha, as Bonferroni's). A small
shift is found all the same, because the same look judges longer stretches too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

import msgspec

from lockgate.checks.baseline import ANSWER
from lockgate.monitor.profile import Profile, sketch_in
from lockgate.monitor.reference import Reference
from lockgate.stats.drift import FALSE_SHARE, Moved, Shift, moved, shift_of
from lockgate.stats.pairs import Turned, turned
from lockgate.stats.sketch import NumberSketch, Sketch, WordSketch

SCALES = (1, 7, 28)  # chunks that are judged together, the newest so many
FAR = 0.5  # standard deviations: seen without waiting for the end of a chunk
SURE = 1e-6  # of what a column can hardly do by chance: be constant, be missing
_MOSTLY = 0.5
_NEAR, _LIKE = (
    0.1,
    1.25,
)  # columns changed places: means that near (in deviations), spreads within that factor
OUT = "\0out:"  # answers among the columns that are tested together


class Fault(StrEnum):
    """How a column broke."""

    GONE = "gone"
    PARTLY_GONE = "partly gone"
    EMPTY = "empty"
    INFINITE = "infinite"
    CONSTANT = "constant"
    EXCHANGED = "exchanged"
    NEW = "new"


@dataclass(frozen=True)
class Broken:
    """A column that broke, and what is to be said of it: a share of rows, a value, the other column."""

    column: str
    fault: Fault
    what: str = ""


@dataclass(frozen=True)
class Found:
    """What one look found. `moved`: columns, with the number of chunks in which it showed; `answers` likewise."""

    moved: Mapping[str, tuple[Moved, int]] = field(default_factory=dict)
    answers: Mapping[str, tuple[Moved, int]] = field(default_factory=dict)
    broken: tuple[Broken, ...] = ()
    turned: tuple[Turned, ...] = ()


def share_at(look: int, *, false_share: float = FALSE_SHARE) -> float:
    """The chance of error that the k-th look (1, 2, ...) may spend; all together they spend `false_share`.

    >>> round(sum(share_at(k) for k in range(1, 100_000)), 4)
    0.03
    """
    return false_share * 6 / (math.pi * look) ** 2


def shifts_of(reference: Reference, profile: Profile) -> tuple[dict[str, Shift], dict[str, Shift]]:
    """How far each column, and each answer, of a stretch lies from the reference; those that are not there are left out."""
    columns = {
        name: shift_of(sketch, sketch_in(profile.columns[name], sketch))
        for name, sketch in reference.columns.items() if name in profile.columns
    }  # fmt: skip
    answers = {
        name: shift_of(sketch, sketch_in(profile.answers[name], sketch))
        for name, sketch in reference.answers.items() if name in profile.answers
    }  # fmt: skip
    return columns, answers


def share_of(reference: Reference, look: int, *, week: bool = False) -> float:
    """The chance of error of one of a look's questions: have columns moved, do they go together otherwise, and the same of the
    week before, where there is one to ask (`week`)."""
    related = reference.pairs is not None and len(reference.pairs.names) > 1
    return share_at(look) / ((2 if related else 1) * (2 if week else 1))


def judge(
    reference: Reference, stretches: Mapping[int, Profile], look: int, *, week: bool = False
) -> Found:  # fmt: skip
    """One look at the newest chunk and longer stretches that end with it (chunks -> their sum).

    A column counts with the longest distance at which it showed. Columns that broke are not said to have moved as well.
    `week`: the look asks of the week before as well (`week.py`).
    """
    share = share_of(reference, look, week=week) / len(stretches)
    newest = stretches[min(stretches)]
    broken = broken_columns(reference, newest)
    left_out = {each.column for each in broken}
    columns: dict[str, tuple[Moved, int]] = {}
    answers: dict[str, tuple[Moved, int]] = {}
    shorter = by_question(*shifts_of(reference, newest))
    for chunks, profile in sorted(stretches.items()):
        inside, outside = shifts_of(reference, profile)
        asked = {name: shift for name, shift in inside.items() if name not in left_out}
        asked |= by_question({}, outside)
        for found in moved(asked, false_share=share):
            if not _still(found, shorter.get(found.column)):
                continue
            kind, name = (
                (answers, found.column.removeprefix(OUT))
                if found.column.startswith(OUT)
                else (columns, found.column)
            )
            if name not in kind or kind[name][0].effect < found.effect:
                kind[name] = (Moved(name, found.shift, found.values, found.missing), chunks)
        shorter = by_question(inside, outside)
    longest = stretches[max(stretches)]
    changed: list[Turned] = []
    if reference.pairs is not None and longest.pairs is not None:
        changed = turned(reference.pairs, longest.pairs, but=(*columns, *left_out, ANSWER), false_share=share)
    return Found(columns, answers, tuple(broken), tuple(changed))


def has_jumped(reference: Reference, newest: Profile, look: int, *, week: bool = False) -> bool:
    """Whether anything moved in the newest chunk by itself."""
    asked = by_question(*shifts_of(reference, newest))
    return bool(moved(asked, false_share=share_of(reference, look, week=week) / len(SCALES)))


def by_question(columns: Mapping[str, Shift], answers: Mapping[str, Shift]) -> dict[str, Shift]:
    """Columns and answers under names of one space."""
    return {**columns, **{f"{OUT}{name}": shift for name, shift in answers.items()}}


def _still(found: Moved, newest: Shift | None) -> bool:
    """Whether what a longer stretch shows holds in the next shorter one too, and is not its past: half as far, the same way."""
    if newest is None:
        return False
    if found.missing and newest.missing_effect >= _MOSTLY * found.shift.missing_effect:
        return True
    if not found.values or newest.effect < _MOSTLY * found.shift.effect:
        return False
    place, before = newest.place, found.shift.place
    return place is None or before is None or abs(before) < _MOSTLY * found.shift.effect or place * before > 0


def far_moved(reference: Reference, profile: Profile, look: int) -> dict[str, Moved]:
    """Columns and answers (`by_question`) of a stretch that surely lie far from the reference: for looks at less than a day."""
    found = moved(by_question(*shifts_of(reference, profile)), false_share=share_at(look) / 2, matters=FAR)
    return {each.column: each for each in found if each.missing or each.shift.low >= FAR}


def as_reference(reference: Reference, profile: Profile) -> Reference:
    """A stretch of the past, to hold another against."""
    return msgspec.structs.replace(
        reference, rows=profile.rows, pairs=None,
        columns={n: sketch_in(c, reference.columns[n]) for n, c in profile.columns.items() if n in reference.columns},
        answers={n: sketch_in(c, reference.answers[n]) for n, c in profile.answers.items() if n in reference.answers},
    )  # fmt: skip


def without_seasons(
    found: Found, held: Reference, stretch: Profile, look: int
) -> tuple[Found, tuple[str, ...]]:
    """Without what moved in the newest chunk alone, where a stretch that takes the day of the week into account did not move.

    Either the newest chunk is held against earlier ones of the same day (`held` is their sum), or the whole week against the
    reference. Returns what is left, and the columns that are as usual.
    """
    differ = {
        each.column for each in moved(by_question(*shifts_of(held, stretch)), false_share=share_at(look) / 2)
    }
    usual = tuple(name for name, (_, chunks) in found.moved.items() if chunks == 1 and name not in differ)
    left = {name: pair for name, pair in found.moved.items() if name not in usual}
    answers = {name: pair for name, pair in found.answers.items() if pair[1] > 1 or f"{OUT}{name}" in differ}
    return replace(found, moved=left, answers=answers), usual


def broken_columns(reference: Reference, profile: Profile) -> list[Broken]:
    """Gone, new, empty, infinite, constant or exchanged columns; each once, in the reference's order."""
    found = {name: fault for name in reference.columns if (fault := _fault(name, reference, profile))}
    for name in profile.strange:
        found[name] = Broken(name, Fault.NEW)
    numbers = {
        name: sketch for name, sketch in reference.columns.items()
        if isinstance(sketch, NumberSketch) and name in profile.columns and name not in found
    }  # fmt: skip
    far = [
        name for name, sketch in numbers.items()
        if shift_of(sketch, sketch_in(profile.columns[name], sketch)).low >= FAR
    ]  # fmt: skip
    for place, one in enumerate(far):
        for other in far[place + 1 :]:
            if one not in found and other not in found and _stands_for(one, other, numbers, profile):
                found[one] = Broken(one, Fault.EXCHANGED, other)
                found[other] = Broken(other, Fault.EXCHANGED, one)
    return list(found.values())


def _fault(name: str, reference: Reference, profile: Profile) -> Broken | None:
    counted, sketch = profile.columns.get(name), reference.columns[name]
    rows = profile.rows - profile.withheld.get(name, 0)
    if counted is None or not counted.rows:
        return Broken(name, Fault.GONE) if rows > 0 else None
    if counted.rows < rows:
        return Broken(name, Fault.PARTLY_GONE, f"{1 - counted.rows / rows:.0%}")
    current = sketch_in(counted, sketch)
    was = _missing_share(sketch)
    if counted.missing == counted.rows and was < _MOSTLY and was**counted.rows < SURE:
        return Broken(name, Fault.EMPTY)
    if isinstance(sketch, NumberSketch) and counted.beyond and not sketch.infinite:
        return Broken(name, Fault.INFINITE, f"{counted.beyond:,}")
    only = _only_value(sketch, current)
    if only is not None and shift_of(sketch, current).p < SURE:
        return Broken(name, Fault.CONSTANT, only)
    return None


def _only_value(sketch: Sketch, current: Sketch) -> str | None:
    """The one value that a column holds now, where it held several."""
    if isinstance(sketch, NumberSketch) and isinstance(current, NumberSketch):
        one = current.low is not None and current.low == current.high and sketch.low != sketch.high
        return f"{current.low:g}" if one else None
    if isinstance(sketch, WordSketch) and isinstance(current, WordSketch):
        held = [value for value, count in zip(current.values, current.counts, strict=True) if count]
        if len(held) == 1 and not current.other and sum(count > 0 for count in sketch.counts) > 1:
            return f"'{held[0]}'"
    return None


def _missing_share(sketch: Sketch) -> float:
    rows = sketch.rows + sketch.missing
    return sketch.missing / rows if rows else 0.0


def _stands_for(one: str, other: str, sketches: Mapping[str, NumberSketch], profile: Profile) -> bool:
    """Whether each holds now what the other held: by mean and spread, which is sharp where columns differ much."""
    for old, new in ((one, other), (other, one)):
        was = _moments(sketches[old].total, sketches[old].squares, sketches[old].rows)
        counted = profile.columns[new]
        now = _moments(counted.total, counted.squares, sum(counted.counts))
        if not (was[1] > 0 and now[1] > 0):
            return False
        if abs(now[0] - was[0]) > _NEAR * was[1] or not 1 / _LIKE <= now[1] / was[1] <= _LIKE:
            return False
    return True


def _moments(total: float, squares: float, rows: int) -> tuple[float, float]:
    """Mean and standard deviation."""
    if not rows:
        return 0.0, 0.0
    mean = total / rows
    return mean, math.sqrt(max(squares / rows - mean**2, 0.0))
