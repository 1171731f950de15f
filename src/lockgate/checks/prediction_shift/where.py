"""Part of the prediction shift check: on which slice do answers change most?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.evidence import Evidence, Split
from lockgate.checks.finding import Table
from lockgate.datasets.slices import slices_of
from lockgate.late import late
from lockgate.stats.clusters import clustered_difference
from lockgate.stats.multiple import benjamini_hochberg

if TYPE_CHECKING:
    from scipy import stats
else:
    stats = late("scipy.stats")

_COLUMNS = 40
_MIN_ROWS, _MIN_SUBJECTS = 50, 10
_TIMES = 1.5  # a slice is named when it changes that many times as much as the whole
_CHANCE = 0.01
_SHOWN = 10


@dataclass(frozen=True)
class Where:
    """A sentence (empty: no slice stands out) and the slices behind it."""

    sentence: str
    table: Table | None


def changed_most(evidence: Evidence, change: np.ndarray, subjects: np.ndarray | None) -> Where:
    """The slices of the inputs whose `change` (n values >= 0) stands out, largest first, corrected for their number.

    `subjects` (n,): numbers of the rows' subjects, None where every row is its own.
    """
    overall = float(change.mean())
    frame = evidence.frames[evidence.judged_split() or Split.TEST]
    names = [*evidence.slices, *evidence.protected, *evidence.inputs]
    columns = [
        name for name in dict.fromkeys(names) if name in frame.columns and not frame[name].dtype.is_nested()
    ]
    found = []
    for part in slices_of(
        frame, [name for name in columns if _sliceable(frame[name])][:_COLUMNS], min_rows=_MIN_ROWS
    ):
        if part.rows > frame.height - 2 or not np.ptp(change):
            continue
        found.append((part, float(change[part.mask].mean()), _chance(change, part.mask, subjects)))
    adjusted = benjamini_hochberg([p for _, _, p in found])
    standing = [(part, mean) for (part, mean, _), p in zip(found, adjusted, strict=True)
                if p < _CHANCE and mean >= _TIMES * overall]  # fmt: skip
    if not standing:
        return Where("", None)
    standing.sort(key=lambda pair: -pair[1])
    part, mean = standing[0]
    unit = "share" if evidence.classifies else None
    table = Table(columns=("slice", "rows", "change"), shares=("change",) if unit else (), rows=tuple(
        (each.name, each.rows, round(value, 6)) for each, value in standing[:_SHOWN]))  # fmt: skip
    return Where(f" Most change for {part.name}: {figure(mean, unit)}.", table)


def _chance(change: np.ndarray, inside: np.ndarray, subjects: np.ndarray | None) -> float:
    """How likely the rows `inside` would change so much more than the others by chance."""
    if subjects is not None:
        if np.unique(subjects[inside]).size < _MIN_SUBJECTS:
            return 1.0
        found = clustered_difference(inside, change, subjects)
        return found.p / 2 if found.value > 0 else 1.0
    mine, rest = change[inside], change[~inside]
    if not mine.std() + rest.std():
        return 1.0
    return float(stats.ttest_ind(mine, rest, equal_var=False, alternative="greater").pvalue)


def _sliceable(series: pl.Series) -> bool:
    return series.dtype.is_numeric() or series.n_unique() <= max(len(series) // 10, 2)
