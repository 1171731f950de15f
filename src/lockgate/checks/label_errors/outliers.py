"""Part of the label check: numbers as labels that lie farther from what is expected than any honest tail.

The spread of residuals is taken where the row lies (ten ranges of the expected value); the tail of the spread-free distances
between its third quartile and its 95 % quantile is drawn on as a power law, the heaviest that is usual, to where one row in
twenty such tables would lie. Only beyond that is a row named: wrong units, slipped decimal points. Source: Hill (1975), A
simple general approach to inference about the tail of a distribution, Annals of Statistics 3.
"""

from __future__ import annotations

import numpy as np

_RANGES = 10
_LOW, _HIGH = 0.75, 0.95
_TABLES = 20


def gross_errors(values: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows whose value lies beyond the tail, the farthest first, and how many times the limit each lies away."""
    residual = np.abs(values - expected)
    edges = np.unique(np.quantile(expected, np.linspace(0, 1, _RANGES + 1)[1:-1]))
    place = np.searchsorted(edges, expected, side="right")
    spread = np.array([_median(residual[place == part]) for part in range(edges.size + 1)])[place]
    least = max(float(np.median(residual)) * 0.1, float(np.abs(values).max()) * 1e-9)
    distance = residual / np.maximum(spread, least if least > 0 else 1.0)
    low, high = np.quantile(distance, (_LOW, _HIGH))
    if low <= 0:
        return np.empty(0, dtype=int), np.empty(0)
    slope = np.log(high / low) / np.log((1 - _LOW) / (1 - _HIGH))
    limit = low * np.exp(slope * np.log((1 - _LOW) * _TABLES * values.size))
    beyond = np.flatnonzero(distance > limit)
    order = beyond[np.argsort(-distance[beyond], kind="stable")]
    return order, distance[order] / limit


def _median(values: np.ndarray) -> float:
    return float(np.median(values)) if values.size else 0.0
