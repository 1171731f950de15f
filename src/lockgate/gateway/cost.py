"""How long a compiled model takes for n rows: measured when it is loaded, corrected while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable

WARM_CALLS = 5
WARM_ROWS = 64
_WEIGHT = 0.1  # of the newest call in the correction
_CORRECTIONS = (0.25, 100.0)
_JUMP = 4.0  # one call that took longer by more may just have been interrupted by another process


class Cost:
    """A straight line: `call_s` for any call and `row_s` for each row, times a slowly moving correction."""

    def __init__(self, call_s: float, row_s: float) -> None:
        self._call_s, self._row_s, self._correction = call_s, row_s, 1.0

    def expected_s(self, rows: int) -> float:
        """How long a batch of that many rows will take."""
        return (self._call_s + self._row_s * rows) * self._correction

    def took(self, rows: int, seconds: float) -> None:
        """Learn from a batch that ran."""
        ratio = seconds / max(self._call_s + self._row_s * rows, 1e-9)
        moved = (1 - _WEIGHT) * self._correction + _WEIGHT * min(ratio, _JUMP * self._correction)
        self._correction = min(max(moved, _CORRECTIONS[0]), _CORRECTIONS[1])


def measure(call: Callable[[int], object]) -> Cost:
    """The cost of `call(rows)`: the fastest of a few calls with one row and with many."""
    one, many = _fastest(call, 1), _fastest(call, WARM_ROWS)
    row_s = max(0.0, (many - one) / (WARM_ROWS - 1))
    return Cost(max(one - row_s, 1e-6), row_s)


def _fastest(call: Callable[[int], object], rows: int) -> float:
    times = []
    for _ in range(WARM_CALLS):
        start = time.perf_counter()
        call(rows)
        times.append(time.perf_counter() - start)
    return min(times)
