"""Part of the leakage check: is a numeric target computed from the inputs, as a sum, a product or a ratio?

A target that was rounded is met to half its step. A few rows may differ: the sum is fitted again and again on the rows that it
fits best (least trimmed squares: Rousseeuw 1984, Least median of squares regression, JASA 79).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import polars as pl

from lockgate.checks.base import figure
from lockgate.checks.finding import Finding, Measure, Status, Table
from lockgate.checks.values import numbers_of

_ROWS = 5_000
_COLUMNS = 100
_EXACT = 1 - 1e-6  # R squared of a formula, not of a good model
_SHARE = 0.95
_CLOSE = 1e-6
_MISSING = 0.2
_LARGEST = 1e150
_FEW_VALUES = 10  # a target of few values is met by chance
_STEP = 0.005  # of the target's spread: coarser steps are met by a good model
_DECIMALS = 4
_KEPT, _ROUNDS, _HOPE = 0.9, 8, 0.5
_FIRST_ROWS, _FIRST_SHARE = 60, 0.75


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    return np.asarray(np.divide(above, below, out=np.full_like(above, np.nan), where=below != 0))


_PAIRS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "{a} x {b}": lambda a, b: a * b,
    "{a} / {b}": _ratio,
    "{b} / {a}": lambda a, b: _ratio(b, a),
    "({a} - {b}) / {b}": lambda a, b: _ratio(a - b, b),
    "({b} - {a}) / {a}": lambda a, b: _ratio(b - a, a),
    "{a} / ({a} + {b})": lambda a, b: _ratio(a, a + b),
    "{b} / ({a} + {b})": lambda a, b: _ratio(b, a + b),
}


def exact_formulas(
    check: str, frame: pl.DataFrame, inputs: list[str], truth: np.ndarray, target: str
) -> list[Finding]:
    """A failure that spells out the formula, for a weighted sum of inputs or a product or ratio of two; else nothing."""
    if np.unique(truth).size <= _FEW_VALUES:
        return []
    columns = {name: numbers_of(frame[name]) for name in inputs if frame[name].dtype.is_numeric()}
    columns = {name: values for name, values in columns.items() if _usable(values)}
    if not columns:
        return []
    names = _closest(columns, truth)
    whole = np.isfinite(np.column_stack([columns[name] for name in names])).all(axis=1)
    rows = np.flatnonzero(whole)[:_ROWS]
    if rows.size < 10 * min(len(names), 10):
        return []
    sample, y = {name: columns[name][rows] for name in names}, truth[rows]
    close = max(_half_step(y), _CLOSE * float(np.abs(y).max()))
    formula = _sum(sample, y, close) or _pair(sample, y, close)
    if formula is None:
        return []
    text, used, predicted = formula
    share = float((np.abs(predicted - y) <= close).mean())
    return [_finding(check, target, text, used, share=share, sample=sample, y=y)]


def _half_step(y: np.ndarray) -> float:
    """Half the step in which the target is written, a little more for luck; 0 where it is not rounded, or too coarsely."""
    for decimals in range(_DECIMALS):
        step = 10.0**-decimals
        if step <= _STEP * float(y.std()) and np.allclose(y / step, np.round(y / step), rtol=0, atol=1e-6):
            return 0.51 * step
    return 0.0


def _finding(
    check: str, target: str, text: str, used: list[str], *, share: float, sample: dict[str, np.ndarray], y: np.ndarray
) -> Finding:  # fmt: skip
    listed = " and ".join(used)
    return Finding(
        check=check, subject=" + ".join(used), status=Status.FAIL,
        headline=f"{target} = {text} in {figure(share, 'share')} of rows: the inputs {listed} are the answer itself.",
        advice=f"Leave {listed} out: they are known only when {target} is.",
        measure=Measure(name="rows where the formula holds", value=share, unit="share"),
        table=Table(columns=(*used, target),
                    rows=tuple((*(float(sample[name][row]) for name in used), float(y[row])) for row in range(5))),
    )  # fmt: skip


def _usable(values: np.ndarray) -> bool:
    """Mostly there, not constant, and of a size whose square is still a number."""
    finite = values[np.isfinite(values)]
    if np.isnan(values).mean() > _MISSING or np.unique(finite).size < 2:
        return False
    return float(np.abs(finite).max()) < _LARGEST


def _closest(columns: dict[str, np.ndarray], truth: np.ndarray) -> list[str]:
    """The columns that go with the target most, at most _COLUMNS of them, in the table's order."""
    if len(columns) <= _COLUMNS:
        return list(columns)

    def strength(name: str) -> float:
        there = np.isfinite(columns[name])
        return abs(float(np.corrcoef(columns[name][there], truth[there])[0, 1]))

    best = set(sorted(columns, key=strength, reverse=True)[:_COLUMNS])
    return [name for name in columns if name in best]


def _sum(
    sample: dict[str, np.ndarray], y: np.ndarray, close: float
) -> tuple[str, list[str], np.ndarray] | None:
    """The shortest weighted sum that is exact in nearly all rows, found by leaving out one input after the other."""
    used, rows = list(sample), _fitting_rows(sample, y)
    if rows is None or not _holds(sample, used, y, rows, close):
        return None
    for name in list(sample):
        without = [other for other in used if other != name]
        if without and _holds(sample, without, y, rows, close):
            used = without
    weights, predicted = _rounded(sample, used, *_fit(sample, used, y, rows), y=y, close=close)
    return _spell(used, weights, float(np.abs(y).max())), used, predicted


def _rounded(
    sample: dict[str, np.ndarray], names: list[str], weights: np.ndarray, predicted: np.ndarray, *, y: np.ndarray, close: float
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Weights of three digits, and no constant below the target's step, where the sum holds as often with them."""
    plain = np.array([float(f"{weight:.3g}") for weight in weights])
    plain[-1] = 0.0 if abs(weights[-1]) <= 2 * close else plain[-1]
    made = np.column_stack([sample[name] for name in names]) @ plain[:-1] + plain[-1]
    better = (np.abs(made - y) <= close).sum() >= (np.abs(predicted - y) <= close).sum()
    return (plain, made) if better else (weights, predicted)


def _fitting_rows(sample: dict[str, np.ndarray], y: np.ndarray) -> np.ndarray | None:
    """The rows that one sum of all inputs fits best; None where no sum is near."""
    rows = np.arange(y.size)
    for _ in range(_ROUNDS):
        off = np.abs(_fit(sample, list(sample), y, rows)[1] - y)
        if 1 - float((off[rows] ** 2).sum()) / float(((y[rows] - y[rows].mean()) ** 2).sum() or 1.0) < _HOPE:
            return None
        if off.max() <= _CLOSE * float(np.abs(y).max()):
            return np.arange(y.size)
        rows = np.sort(np.argsort(off, kind="stable")[: int(_KEPT * y.size)])
    return rows


def _holds(
    sample: dict[str, np.ndarray], names: list[str], y: np.ndarray, rows: np.ndarray, close: float
) -> bool:
    """Whether a sum of these inputs, fitted to some rows, is the target in nearly all."""
    return float((np.abs(_fit(sample, names, y, rows)[1] - y) <= close).mean()) >= _SHARE


def _fit(
    sample: dict[str, np.ndarray], names: list[str], y: np.ndarray, rows: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (the constant last) of least squares on some rows, on scaled columns, and predictions for all."""
    matrix = np.column_stack([sample[name] for name in names])
    centre, scale = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 1e-300)
    design = np.column_stack([(matrix - centre) / scale, np.ones(len(y))])
    solved = np.linalg.lstsq(design[rows], y[rows], rcond=None)[0]
    weights = np.append(solved[:-1] / scale, solved[-1] - float((solved[:-1] / scale * centre).sum()))
    return weights, design @ solved


def _spell(names: list[str], weights: np.ndarray, size: float) -> str:
    parts = []
    for name, weight in zip(names, weights[:-1], strict=True):
        sign, amount = ("- " if weight < 0 else "+ "), abs(float(weight))
        parts.append(sign + (name if abs(amount - 1) < 1e-4 else f"{amount:.4g} x {name}"))
    constant = float(weights[-1])
    if abs(constant) > _CLOSE * max(1.0, size):
        parts.append(("- " if constant < 0 else "+ ") + f"{abs(constant):.4g}")
    text = " ".join(parts)
    return text.removeprefix("+ ").replace("- ", "-", 1) if text.startswith("- ") else text.removeprefix("+ ")


def _pair(
    sample: dict[str, np.ndarray], y: np.ndarray, close: float
) -> tuple[str, list[str], np.ndarray] | None:
    """A product or ratio of two inputs, or a multiple of one, that is the target in nearly all rows."""
    few = {name: values[:_FIRST_ROWS] for name, values in sample.items()}
    for left, right in combinations(sample, 2):
        for text, compute in _PAIRS.items():
            if not _times(compute(few[left], few[right]), y[:_FIRST_ROWS], close, _FIRST_SHARE):
                continue
            joined = compute(sample[left], sample[right])
            times = _times(joined, y, close, _SHARE)
            if times:
                factor = "" if abs(times - 1) < 1e-4 else f"{times:.4g} x "
                return factor + text.format(a=left, b=right), [left, right], joined * times
    return None


def _times(made: np.ndarray, y: np.ndarray, close: float, share: float) -> float:
    """By what `made` must be multiplied to be `y` in nearly all rows; 0 where nothing does it.

    The larger half of the rows tells, where rounding matters least; a number of three digits is tried first.
    """
    there = np.isfinite(made) & (made != 0)
    if there.mean() < _FIRST_SHARE:
        return 0.0
    size = np.abs(made[there])
    large = size >= np.median(size)
    times = float(np.median(y[there][large] / made[there][large]))
    return next((each for each in (float(f"{times:.3g}"), times) if _met(made * each, y, close, share)), 0.0)


def _met(made: np.ndarray, y: np.ndarray, close: float, share: float) -> bool:
    return float((np.abs(made - y) <= np.maximum(close, _CLOSE * np.abs(y))).mean()) >= share
