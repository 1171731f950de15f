"""Part of the feature shift check: columns that broke, which is more than that their values moved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import polars as pl

from lockgate.checks.finding import Status
from lockgate.datasets.sketched import Family, count_column, family_of
from lockgate.stats.drift import Shift, shift_of
from lockgate.stats.sketch import NumberSketch, Sketch, WordSketch

_SURE = 1e-4  # of a column that holds one value by chance
_FAR, _NEAR = (
    0.5,
    0.25,
)  # standard deviations: two columns are exchanged if each is far from itself and near the other
_PAIRS = 20  # columns among which exchanged ones are looked for
_MOSTLY = 0.5


@dataclass(frozen=True)
class Broken:
    """A column, what happened to it in words, and how bad that is."""

    column: str
    what: str
    status: Status = Status.FAIL


def broken_columns(
    before: pl.DataFrame, after: pl.DataFrame, names: Sequence[str], reference: Mapping[str, Sketch],
    current: Mapping[str, Sketch],
) -> list[Broken]:  # fmt: skip
    """Gone, new, of another type, empty, infinite, constant or exchanged columns; each column once."""
    found: dict[str, Broken] = {}
    for name in names:
        broken = _presence(before, after, name) or _type(before, after, name)
        if broken is None and name in reference and name in current:
            broken = _values(name, reference[name], current[name])
        if broken is not None:
            found[name] = broken
    whole = [name for name in names if name in reference and name in current and name not in found]
    shifts = {name: shift_of(reference[name], current[name]) for name in whole}
    for one, other in _exchanged(after, reference, shifts):
        found[one] = Broken(one, f"holds what '{other}' held before, and the other way round")
        found[other] = Broken(other, f"holds what '{one}' held before, and the other way round")
    return list(found.values())


def _presence(before: pl.DataFrame, after: pl.DataFrame, name: str) -> Broken | None:
    if name in before.columns and name not in after.columns:
        return Broken(name, "is gone")
    if name in after.columns and name not in before.columns:
        return Broken(name, "is new", Status.WARN)
    return None


def _type(before: pl.DataFrame, after: pl.DataFrame, name: str) -> Broken | None:
    if name not in before.columns or name not in after.columns:
        return None
    was, now = family_of(before[name]), family_of(after[name])
    if was is now or Family.NOTHING in (was, now):
        return None
    numbers = {was, now} == {Family.NUMBERS, Family.TRUTH}  # 0 and 1 are often written so
    return Broken(name, f"held {was} and now holds {now}", Status.WARN if numbers else Status.FAIL)


def _values(name: str, reference: Sketch, current: Sketch) -> Broken | None:
    was, now = _missing(reference), _missing(current)
    if now == 1.0 and was < _MOSTLY:
        return Broken(
            name, "has no value any more" if was == 0 else f"has no value any more ({1 - was:.0%} had one)"
        )
    if isinstance(reference, NumberSketch) and isinstance(current, NumberSketch):
        if current.infinite and not reference.infinite:
            return Broken(
                name, f"holds infinity in {current.infinite:,} row{'s' if current.infinite > 1 else ''}"
            )
        if current.low is not None and current.low == current.high and reference.low != reference.high:
            return _constant(name, f"{current.low:g}", reference, current)
    if isinstance(reference, WordSketch) and isinstance(current, WordSketch):
        held = [value for value, count in zip(current.values, current.counts, strict=True) if count]
        varied = sum(count > 0 for count in reference.counts) > 1
        if varied and len(held) == 1 and not current.other:
            return _constant(name, f"'{held[0]}'", reference, current)
    return None


def _constant(name: str, value: str, reference: Sketch, current: Sketch) -> Broken | None:
    """One value only, where that is no chance."""
    return Broken(name, f"is always {value} now") if shift_of(reference, current).p < _SURE else None


def _missing(sketch: Sketch) -> float:
    there = sketch.rows + (sketch.infinite if isinstance(sketch, NumberSketch) else 0)
    return sketch.missing / (there + sketch.missing) if there + sketch.missing else 0.0


def _exchanged(
    after: pl.DataFrame, reference: Mapping[str, Sketch], shifts: Mapping[str, Shift]
) -> list[tuple[str, str]]:
    """Pairs of columns that are far from themselves and near each other."""
    far = [name for name, shift in shifts.items() if shift.low >= _FAR]
    far = sorted(far, key=lambda name: -shifts[name].effect)[:_PAIRS]
    found: list[tuple[str, str]] = []
    for one, other in combinations(far, 2):
        if type(reference[one]) is not type(reference[other]) or {one, other} & {
            each for pair in found for each in pair
        }:
            continue
        crossed = [
            shift_of(reference[old], count_column(after[new], reference[old]))
            for old, new in ((one, other), (other, one))
        ]
        if all(each.effect < _NEAR and each.rows for each in crossed):
            found.append((one, other))
    return found
