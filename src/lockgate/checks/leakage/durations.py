"""Part of the leakage check: inputs that are the time between two moments after the prediction (a flight's time in the air).

Among rows that agree in all their categories (the same route, the same carrier) what is known beforehand hardly goes with the
time that passed; a part of that time does, and grows by one for each unit of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import polars as pl

from lockgate.checks.values import numbers_of
from lockgate.datasets.columns import CATEGORY_LIMIT

_DAY_S = 86_400.0
_CORRELATION = 0.5
_SLOPE = (0.75, 1.25)
_FEWEST_ROWS = 200
_ROWS_A_GROUP = 5.0
_UNITS = {"seconds": 1.0, "minutes": 60.0, "hours": 3_600.0, "days": _DAY_S}


def between_late(frame: pl.DataFrame, names: Sequence[str], late: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Which of `names` are a part of the time between two late ones, and why. `late`: seconds after the prediction, (n,)."""
    groups = _groups(frame)
    if groups is None or len(late) < 2:
        return {}
    found = {}
    for one, two in combinations(late, 2):
        passed = late[two] - late[one]
        passed = passed % _DAY_S if np.nanmax(np.abs(passed), initial=0.0) <= _DAY_S else np.abs(passed)
        for name in names:
            if name in found or not frame[name].dtype.is_numeric():
                continue
            unit = _unit(numbers_of(frame[name]), passed, groups)
            if unit:
                found[name] = f"grows with the {unit} between {one} and {two}"
    return found


def _groups(frame: pl.DataFrame) -> np.ndarray | None:
    """A number for rows that agree in all their categories; None where there are none, or groups are too small."""
    words = [name for name, kind in frame.schema.items()
             if kind == pl.String and 2 <= frame[name].n_unique() <= CATEGORY_LIMIT]  # fmt: skip
    if not words:
        return None
    codes = frame.select(pl.struct(words).rank("dense")).to_series().to_numpy().astype(np.int64)
    return codes if frame.height / max(np.unique(codes).size, 1) >= _ROWS_A_GROUP else None


def _unit(values: np.ndarray, passed_s: np.ndarray, groups: np.ndarray) -> str:
    """The unit in which values grow with the time within groups; empty where they do not."""
    there = np.isfinite(values) & np.isfinite(passed_s)
    if there.sum() < _FEWEST_ROWS:
        return ""
    one, two = (_within(each[there], groups[there]) for each in (values, passed_s))
    spread = float((one**2).sum()), float((two**2).sum())
    if min(spread) <= 0 or spread[0] <= 1e-9 * float((values[there] ** 2).sum()):
        return ""
    together = float((one * two).sum())
    if together / np.sqrt(spread[0] * spread[1]) < _CORRELATION:
        return ""
    slope = together / spread[0]
    return next((unit for unit, size in _UNITS.items() if _SLOPE[0] <= slope / size <= _SLOPE[1]), "")


def _within(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Values less the mean of their group."""
    rows = np.maximum(np.bincount(groups), 1)
    return np.asarray(values - (np.bincount(groups, values) / rows)[groups])
