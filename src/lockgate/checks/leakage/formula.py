"""Part of the leakage check: is a numeric target computed from the inputs, as a sum, a product or a ratio?"""

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

_PAIRS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "{a} x {b}": lambda a, b: a * b,
    "{a} / {b}": lambda a, b: np.divide(a, b, out=np.full_like(a, np.nan), where=b != 0),
    "{b} / {a}": lambda a, b: np.divide(b, a, out=np.full_like(a, np.nan), where=a != 0),
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
    formula = _sum(sample, y) or _pair(sample, y)
    if formula is None:
        return []
    text, used, predicted = formula
    share = float(
        np.isclose(predicted, y, rtol=_CLOSE, atol=_CLOSE * max(1.0, float(np.abs(y).max()))).mean()
    )
    return [_finding(check, target, text, used, share=share, sample=sample, y=y)]


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


def _sum(sample: dict[str, np.ndarray], y: np.ndarray) -> tuple[str, list[str], np.ndarray] | None:
    """The shortest weighted sum that is exact, found by leaving out one input after the other."""
    used = list(sample)
    if _fit(sample, used, y)[0] < _EXACT:
        return None
    for name in list(sample):
        without = [other for other in used if other != name]
        if without and _fit(sample, without, y)[0] >= _EXACT:
            used = without
    _, weights, predicted = _fit(sample, used, y)
    return _spell(used, weights, float(np.abs(y).max())), used, predicted


def _fit(
    sample: dict[str, np.ndarray], names: list[str], y: np.ndarray
) -> tuple[float, np.ndarray, np.ndarray]:
    """R squared, weights (the constant last) and predictions of least squares, on scaled columns."""
    matrix = np.column_stack([sample[name] for name in names])
    centre, scale = matrix.mean(axis=0), np.maximum(matrix.std(axis=0), 1e-300)
    design = np.column_stack([(matrix - centre) / scale, np.ones(len(y))])
    solved = np.linalg.lstsq(design, y, rcond=None)[0]
    predicted = design @ solved
    weights = np.append(solved[:-1] / scale, solved[-1] - float((solved[:-1] / scale * centre).sum()))
    return 1 - float(((y - predicted) ** 2).sum()) / float(((y - y.mean()) ** 2).sum()), weights, predicted


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


def _pair(sample: dict[str, np.ndarray], y: np.ndarray) -> tuple[str, list[str], np.ndarray] | None:
    for left, right in combinations(sample, 2):
        for text, compute in _PAIRS.items():
            made = compute(sample[left], sample[right])
            if float(np.isclose(made, y, rtol=_CLOSE, atol=0).mean()) >= _SHARE:
                return text.format(a=left, b=right), [left, right], made
    return None
