"""Do answers still mean what they meant: labels less what was expected of equal answers, overall and by each input's ranges.

In classification a row's residual is its label less the probability that its score stood for when the version was validated
(`stats/expected.py`), so a change of *which* rows come does not move it; of more than two classes, whether the answer was right
less the probability that answers of that score were. In regression it is the label less the answer.
"""

from __future__ import annotations

import msgspec
import numpy as np
import polars as pl

from lockgate.monitor.performance_figures import Labelled
from lockgate.stats.expected import Calibration, chances_at

LEAST_ROWS = 30  # of a range of an input


class Meaning(msgspec.Struct, frozen=True, kw_only=True):
    """Residuals of a window: `rows`, their mean `gap` with its standard error (`learned`, that of what was learned, among it),
    and by input the rows, mean and standard error of each code; codes of few rows are left out (rows 0)."""

    rows: int
    gap: float
    error: float
    spread: float  # standard deviation of one residual
    rate: bool  # residuals are of shares that come true; else of numbers
    inputs: dict[str, tuple[tuple[int, float, float], ...]] = {}
    learned: float = 0.0
    right: bool = False  # rates are those of right answers, of several classes

    @property
    def drawn(self) -> float:
        """The standard error of the mean that is these rows' own chance."""
        return float(np.sqrt(max(self.error**2 - self.learned**2, 0.0)))


def meaning_of(rows: pl.DataFrame, labelled: Labelled, known: Calibration | None) -> Meaning | None:
    """The residuals of labelled ledger rows; None for classes whose scores nobody learned the meaning of."""
    if labelled.truth.dtype.kind == "f":
        residual, learned = labelled.truth - labelled.decided, 0.0
        variance = (
            (residual - residual.mean()) ** 2 if residual.size else residual
        )  # errors are wider here than there
    elif known is not None and labelled.score is not None:
        chance, learned = chances_at(known, labelled.score)
        came = labelled.truth if labelled.truth.dtype == bool else labelled.truth == labelled.decided
        residual, variance = came - chance, chance * (1 - chance)
    else:
        return None
    if residual.size < LEAST_ROWS:
        return None
    # rows of one subject come true together: as many independent rows as there are subjects
    each = 1.0 if labelled.subject is None else residual.size / (int(labelled.subject.max()) + 1)
    inputs = {
        name.removeprefix("c."): _by_code(rows[name].to_numpy(), residual, variance * each)
        for name in rows.columns
        if name.startswith("c.")
    }
    sampled = variance.sum() * each / residual.size**2
    return Meaning(
        rows=residual.size, gap=float(residual.mean()), error=float(np.sqrt(sampled + learned**2)),
        spread=float(np.sqrt(variance.mean())), rate=labelled.truth.dtype.kind != "f", inputs=inputs, learned=learned,
        right=labelled.truth.dtype.kind == "i",
    )  # fmt: skip


def _by_code(
    codes: np.ndarray, residual: np.ndarray, variance: np.ndarray
) -> tuple[tuple[int, float, float], ...]:
    count = np.bincount(codes)
    total, spread = np.bincount(codes, residual), np.bincount(codes, variance)
    return tuple(
        (int(rows), float(one / rows), float(np.sqrt(wide) / rows)) if rows >= LEAST_ROWS else (0, 0.0, 0.0)
        for rows, one, wide in zip(count, total, spread, strict=True)
    )


def together(found: list[Meaning]) -> Meaning | None:
    """The residuals of several windows as one."""
    if not found:
        return None
    rows = sum(each.rows for each in found)
    gap = sum(each.gap * each.rows for each in found) / rows
    learned = max(
        each.learned for each in found
    )  # the same for all of them: more windows do not make it smaller
    error = float(np.hypot(np.sqrt(sum((each.drawn * each.rows) ** 2 for each in found)) / rows, learned))
    names = {name for each in found for name in each.inputs}
    inputs = {name: _codes([each.inputs[name] for each in found if name in each.inputs]) for name in names}
    spread = float(np.sqrt(sum(each.spread**2 * each.rows for each in found) / rows))
    return Meaning(rows=rows, gap=gap, error=error, spread=spread, rate=found[0].rate, inputs=inputs,
                   learned=learned, right=found[0].right)  # fmt: skip


def _codes(found: list[tuple[tuple[int, float, float], ...]]) -> tuple[tuple[int, float, float], ...]:
    width = max(len(each) for each in found)
    sums = np.zeros((width, 3))
    for each in found:
        for code, (rows, mean, error) in enumerate(each):
            sums[code] += (rows, rows * mean, (rows * error) ** 2)
    return tuple(
        (int(rows), float(one / rows), float(np.sqrt(wide) / rows)) if rows else (0, 0.0, 0.0)
        for rows, one, wide in sums
    )
