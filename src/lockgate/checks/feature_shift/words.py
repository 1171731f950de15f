"""Part of the feature shift check: what happened to a column, in words."""

from __future__ import annotations

from lockgate.checks.base import figure
from lockgate.stats.drift import Moved
from lockgate.stats.sketch import Sketch, WordSketch

_MOSTLY_PLACE = 0.5  # of the effect: a column that went up or down by that much is said to have done so
_APART = 1.6  # the most that ranks can tell of two equal samples that share nothing: 4 / sqrt(2 pi)


def what_happened(moved: Moved, reference: Sketch, current: Sketch) -> str:
    """`went up by 0.4 standard deviations`, or of categories and missing values what changed most."""
    parts = []
    shift = moved.shift
    if moved.missing:
        parts.append(
            f"is missing in {figure(shift.missing, 'share')} of rows ({figure(shift.missing_before, 'share')} before)"
        )
    if moved.values and isinstance(reference, WordSketch) and isinstance(current, WordSketch):
        parts.append(_categories(reference, current))
    elif (
        moved.values
        and shift.place is not None
        and abs(shift.place) >= _MOSTLY_PLACE * min(shift.effect, _APART)
    ):
        way = "up" if shift.place > 0 else "down"
        parts.append(f"went {way} by {figure(round(shift.effect, 2))} standard deviations")
    elif moved.values:
        parts.append(f"is spread otherwise (largest gap {figure(shift.gap, 'share')})")
    return " and ".join(parts)


def _categories(reference: WordSketch, current: WordSketch) -> str:
    """Values never seen, else the value whose share changed most."""
    before, after = max(reference.rows, 1), max(current.rows, 1)
    changes = {value: now / after - was / before
               for value, was, now in zip(reference.values, reference.counts, current.counts, strict=True)}  # fmt: skip
    others = current.other / after - reference.other / before
    value, change = max(changes.items(), key=lambda pair: abs(pair[1]), default=("", 0.0))
    if abs(others) > abs(change) or (not reference.other and others >= abs(change) / 2 and others > 0):
        if not reference.other:
            return f"holds values never seen before in {figure(current.other / after, 'share')} of rows"
        return f"holds rare or new values in {figure(current.other / after, 'share')} of rows " \
               f"({figure(reference.other / before, 'share')} before)"  # fmt: skip
    was = reference.counts[reference.values.index(value)] / before
    return f"holds '{value}' in {figure(was + change, 'share')} of rows ({figure(was, 'share')} before)"
