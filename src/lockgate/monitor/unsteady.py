"""Inputs of the calendar: they differ from day to day as far as from any reference, so a day says nothing of them. Pure.

The day of the week, of the month, a holiday: in one day such a column holds one value, and its validation held all of them. What
has really moved differs from before and stays; what differs from one day to the next, day after day, is how such a column is.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

from lockgate.monitor.drift import FAR, Fault, Found
from lockgate.monitor.profile import Profile, sketch_in
from lockgate.monitor.reference import Reference
from lockgate.stats.drift import shift_of

DAYS = 7  # the newest so many
PAIRS = 3  # of neighbours at least


def unsteady(reference: Reference, days: Sequence[Profile], names: Collection[str]) -> frozenset[str]:
    """Of these columns those that lie far from the day before on each of the newest days (oldest first)."""
    pairs = list(pairwise(days[-DAYS:]))
    if len(pairs) < PAIRS:
        return frozenset()
    return frozenset(name for name in names if all(_far(reference, name, one, other) for one, other in pairs))


def without_calendar(
    found: Found, reference: Reference, days: Sequence[Profile]
) -> tuple[Found, tuple[str, ...]]:
    """A look without inputs of the calendar, and their names: neither moved nor always the same."""
    constant = {each.column for each in found.broken if each.fault is Fault.CONSTANT}
    left_out = unsteady(reference, days, {*found.moved, *constant})
    moved = {name: pair for name, pair in found.moved.items() if name not in left_out}
    broken = tuple(each for each in found.broken if each.column not in left_out)
    return replace(found, moved=moved, broken=broken), tuple(sorted(left_out))


def _far(reference: Reference, name: str, one: Profile, other: Profile) -> bool:
    if name not in reference.columns or name not in one.columns or name not in other.columns:
        return False
    sketch = reference.columns[name]
    return shift_of(sketch_in(one.columns[name], sketch), sketch_in(other.columns[name], sketch)).low >= FAR
