"""Part of the parity check: how one way's answers differ from the other's, in words: renamed, rounded, moved, in another order.

Each guess is tried on every row that differs, and said only where it explains all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lockgate.checks.base import figure
from lockgate.checks.listing import few
from lockgate.checks.parity.differences import Column

_FEWEST = 3
_DIGITS = range(7)
_NAMED = 3
_CLOSE = 1e-6


def how(columns: Sequence[Column]) -> str:
    """The first column of numbers that can be explained, else of decisions; empty where no guess fits."""
    numbers = [column for column in columns if object not in (column.usual.dtype, column.other.dtype)]
    words = [column for column in columns if column not in numbers]
    for column in [*numbers, *words]:
        if column.differs.sum() < _FEWEST:
            continue
        said = _of_names(column) if column in words else _of_numbers(column)
        if said:
            return said
    return ""


def _of_names(column: Column) -> str:
    """Classes under other names, each always the same."""
    pairs = {(one, two) for one, two in zip(column.usual.tolist(), column.other.tolist(), strict=True)}
    renamed = sorted(((one, two) for one, two in pairs if one != two), key=str)
    before, after = {one for one, _ in pairs}, {two for _, two in pairs}
    if not (len(pairs) == len(before) == len(after)) or len(pairs) < 2:
        return ""
    return "the classes have other names: " + few((f"'{one}' is '{two}'" for one, two in renamed), _NAMED)


def _of_numbers(column: Column) -> str:
    usual, other = np.asarray(column.usual, dtype=float), np.asarray(column.other, dtype=float)
    if not (np.isfinite(usual).all() and np.isfinite(other).all()):
        return ""
    one, two = usual[column.differs], other[column.differs]
    return next((said for guess in _GUESSES if (said := guess(column.name, one, two))), "") or _order(
        column, usual, other
    )


def _constant(name: str, usual: np.ndarray, other: np.ndarray) -> str:
    if np.ptp(other) > _CLOSE * max(1.0, abs(float(other[0]))) or np.ptp(usual) == 0:
        return ""
    return f"{name} is always {figure(float(other[0]))} there"


def _opposite(name: str, usual: np.ndarray, other: np.ndarray) -> str:
    return f"{name} is one minus what it was" if _same(other, 1 - usual) else ""


def _log_odds(name: str, usual: np.ndarray, other: np.ndarray) -> str:
    if not ((usual > 0) & (usual < 1)).all():
        return ""
    return f"{name} is the logarithm of the odds" if _same(other, np.log(usual / (1 - usual))) else ""


def _rounded(name: str, usual: np.ndarray, other: np.ndarray) -> str:
    for digits in _DIGITS:
        if np.abs(other - np.round(usual, digits)).max() < _CLOSE * 10.0**-digits:
            return f"{name} is rounded to {digits} digit{'' if digits == 1 else 's'}"
    return ""


def _factor(name: str, usual: np.ndarray, other: np.ndarray) -> str:
    if (usual == 0).any():
        return ""
    ratio = float(np.median(other / usual))
    return f"{name} is {figure(ratio)} times what it was" if _same(other, usual * ratio) else ""


def _offset(name: str, usual: np.ndarray, other: np.ndarray) -> str:
    apart = float(np.median(other - usual))
    if not _same(other, usual + apart):
        return ""
    return f"{name} is {figure(abs(apart))} {'more' if apart > 0 else 'less'} than it was"


def _order(column: Column, usual: np.ndarray, other: np.ndarray) -> str:
    """The same values, and few where they were."""
    if column.differs.mean() < 0.5 or np.unique(usual).size < usual.size // 2:
        return ""
    same = np.allclose(np.sort(usual), np.sort(other), rtol=_CLOSE, atol=_CLOSE)
    return "the answers are the same, and stand in another order" if same else ""


def _same(left: np.ndarray, right: np.ndarray) -> bool:
    return bool(np.allclose(left, right, rtol=_CLOSE, atol=_CLOSE))


_GUESSES: tuple[Callable[[str, np.ndarray, np.ndarray], str], ...] = (
    _constant, _opposite, _log_odds, _rounded, _factor, _offset,
)  # fmt: skip
